//! The server receives any client and any form as they were configured, with one authentication method, or the crate rejects them
//! before it sends anything. If the server repeats all of it, no error contains a secret.
//!
//! An input has these lines: the authentication method, the id, the secret, the grant type, and then names and values of parameters.
//! Each line is form-encoded: `%0A` is a line break in a value.

#![no_main]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http_body_util::BodyExt;
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::json;
use tower::service_fn;
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::TokenEndpoint;
use tower_oauth2::form::Form;
use tower_oauth2::transport::Transport;
use tower_oauth2::{Error, ErrorKind, Token};
use tower_oauth2_fuzz::{
    Fields, Request, SECRET, ServerResponse, TOKEN_URL, contains_secret, error_text, form, in_virtual_time,
    is_credential,
};
use url::form_urlencoded;

/// Parameters of the form that are credentials.
const CREDENTIALS: [&str; 12] = [
    "client_secret",
    "client_assertion",
    "assertion",
    "password",
    "refresh_token",
    "code",
    "code_verifier",
    "device_code",
    "subject_token",
    "actor_token",
    "token",
    "username",
];

fuzz_target!(|input: &[u8]| -> Corpus {
    let mut lines = input.split(|byte| *byte == b'\n').map(decoded);
    let mut next = || lines.next().unwrap_or_default();
    let (method, id, secret, grant_type) = (next(), next(), next(), next());
    let mut parameters = Vec::new();
    while let Some(name) = lines.next() {
        parameters.push((name, lines.next().unwrap_or_default()));
    }
    let given = Given { method, id, secret, grant_type, parameters };
    let Some(client) = given.client() else { return Corpus::Reject };
    let endpoint = match TokenEndpoint::new(TOKEN_URL, client) {
        Ok(endpoint) => endpoint,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Configuration);
            assert!(!given.has_valid_client());
            return Corpus::Keep;
        }
    };
    assert!(given.has_valid_client());
    if !given.has_valid_form() {
        let (request, outcome) = send_form(&endpoint, given.form(), b"200\n\n{\"access_token\":\"a\"}");
        assert!(request.is_none());
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Configuration);
        return Corpus::Keep;
    }
    let (request, outcome) = send_form(&endpoint, given.form(), b"200\n\n{\"access_token\":\"a\"}");
    outcome.unwrap();
    let request = request.unwrap();
    let sent = fields(&request);
    given.authenticates(&request, &sent);
    given.is_sent(&sent);
    // An error code is recognized even if a password is the same text.
    let (_, rejected) = send_form(&endpoint, given.form(), b"400\n\n{\"error\":\"invalid_grant\"}");
    assert_eq!(rejected.unwrap_err().kind(), ErrorKind::InvalidGrant);
    if !given.repeats_secret() {
        contains_no_secret(given.marked());
    }
    Corpus::Keep
});

#[derive(Debug)]
struct Given {
    method: String,
    id: String,
    secret: String,
    grant_type: String,
    parameters: Vec<(String, String)>,
}

impl Given {
    fn client(&self) -> Option<Client> {
        let (id, secret) = (&self.id, &self.secret);
        Some(match self.method.as_str() {
            "basic" => Client::basic(id, secret),
            "basic_raw" => Client::basic_raw(id, secret),
            "post" => Client::post(id, secret),
            "public" => Client::public(id),
            "none" => Client::none(),
            _ => return None,
        })
    }

    fn form(&self) -> Form {
        let form = Form::new(&self.grant_type);
        self.parameters.iter().fold(form, |form, (name, value)| form.param(name, value))
    }

    /// RFC 6749 Appendix A.1 and A.2, and the rules of `Client` for empty values and for a colon.
    fn has_valid_client(&self) -> bool {
        let is_visible = |text: &str| text.chars().all(|c| matches!(c, ' '..='~'));
        let has_valid_secret = match self.method.as_str() {
            "none" => return true,
            "basic" => !self.secret.is_empty() && is_visible(&self.secret),
            "basic_raw" => !self.id.contains(':') && is_visible(&self.secret),
            "post" => is_visible(&self.secret),
            _ => true,
        };
        !self.id.is_empty() && is_visible(&self.id) && has_valid_secret
    }

    /// Whether no credential in the form has a control character or a noncharacter (RFC 6749 Appendix A).
    fn has_valid_form(&self) -> bool {
        let mut credentials =
            self.sent_parameters().into_iter().filter(|(name, _)| CREDENTIALS.contains(&name.as_str()));
        credentials.all(|(_, value)| is_credential(&value))
    }

    /// The parameters that are sent: only `resource` and `audience` may be repeated (RFC 6749 §3.2).
    fn sent_parameters(&self) -> Vec<(String, String)> {
        let mut sent = vec![("grant_type".to_owned(), self.grant_type.clone())];
        for (name, value) in &self.parameters {
            let is_repeated =
                sent.iter().any(|(taken, _)| taken == name) && !["resource", "audience"].contains(&name.as_str());
            if !name.is_empty() && !is_repeated {
                sent.push((name.clone(), value.clone()));
            }
        }
        sent
    }

    /// Checks that the server receives the id and the secret once.
    fn authenticates(&self, request: &Request, sent: &Fields) {
        let header = request.headers().get(AUTHORIZATION).map(basic);
        assert!(request.headers().get_all(AUTHORIZATION).iter().count() <= 1);
        match self.method.as_str() {
            "basic" => {
                let (id, secret) = header.unwrap();
                assert_eq!(
                    (decoded(id.as_bytes()), decoded(secret.as_bytes())),
                    (self.id.clone(), self.secret.clone())
                );
                assert_eq!(sent.get("client_secret"), None);
            }
            "basic_raw" => {
                assert_eq!(header, Some((self.id.clone(), self.secret.clone())));
                assert_eq!(sent.get("client_secret"), None);
            }
            method => {
                assert_eq!(header, None);
                if method != "none" {
                    assert_eq!(sent.get("client_id"), Some(&*self.id));
                }
                if method == "post" && !self.secret.is_empty() {
                    assert_eq!(sent.get("client_secret"), Some(&*self.secret));
                }
            }
        }
    }

    /// Checks that the server receives the other parameters as they were given.
    fn is_sent(&self, sent: &Fields) {
        let rest = |fields: &[(String, String)]| -> Vec<_> {
            fields
                .iter()
                .filter(|(name, _)| !["client_id", "client_secret"].contains(&name.as_str()))
                .cloned()
                .collect()
        };
        assert_eq!(rest(&sent.0), rest(&self.sent_parameters()));
    }

    fn repeats_secret(&self) -> bool {
        let texts = [&self.id, &self.secret, &self.grant_type].into_iter();
        let mut texts = texts.chain(self.parameters.iter().flat_map(|(name, value)| [name, value]));
        texts.any(|text| contains_secret(text.as_bytes()))
    }

    /// Returns the same input with secrets that can be recognized.
    fn marked(mut self) -> Self {
        let marked = |text: &str| format!("{SECRET}{text}");
        self.secret = marked(&self.secret);
        for (name, value) in &mut self.parameters {
            if ["password", "refresh_token", "code", "assertion", "device_code"].contains(&name.as_str()) {
                *value = marked(value);
            }
        }
        self
    }
}

/// Checks the errors for a server that repeats the request, encoded and decoded.
fn contains_no_secret(given: Given) {
    let client = given.client().unwrap();
    let endpoint = TokenEndpoint::new(TOKEN_URL, client).unwrap();
    let debug = format!("{endpoint:?} {:?}", given.form());
    assert!(!debug.contains(SECRET), "{debug}");
    let (request, _) = send_form(&endpoint, given.form(), b"fails");
    let request = request.unwrap();
    let header = request.headers().get(AUTHORIZATION);
    let credentials = header.map(|header| header.to_str().unwrap().replace("Basic ", "")).unwrap_or_default();
    let (id, secret) = header.map(basic).unwrap_or_default();
    let values: Vec<String> = fields(&request).0.into_iter().map(|(_, value)| value).collect();
    for text in [credentials.clone(), format!("{id}:{secret}"), body(&request), values.join(" ")] {
        let error = json!({ "error": "invalid_request", "error_description": text, "error_uri": text });
        let (_, outcome) = send_form(&endpoint, given.form(), format!("400\n\n{error}").as_bytes());
        let text = error_text(&outcome.unwrap_err());
        assert!(!text.contains(SECRET), "{text}");
        assert!(credentials.is_empty() || !text.contains(&credentials), "{text}");
    }
}

/// Sends a form, and returns the request and the outcome.
fn send_form(endpoint: &TokenEndpoint, form: Form, response: &[u8]) -> (Option<Request>, Result<Token, Error>) {
    let (seen, response) = (Arc::new(Mutex::new(None)), ServerResponse::parse(response));
    let http = Transport::new(service_fn({
        let seen = seen.clone();
        move |request: Request| {
            *seen.lock().unwrap() = Some(request);
            response.clone().deliver()
        }
    }));
    let outcome = in_virtual_time(Duration::from_secs(1), endpoint.token(&http, form));
    let request = seen.lock().unwrap().take();
    (request, outcome)
}

fn fields(request: &Request) -> Fields {
    in_virtual_time(Duration::from_secs(1), form(request.clone()))
}

fn body(request: &Request) -> String {
    let Ok(body) = in_virtual_time(Duration::from_secs(1), request.clone().into_body().collect());
    String::from_utf8(body.to_bytes().into()).unwrap()
}

/// Returns id and secret of a header of RFC 7617.
fn basic(header: &http::HeaderValue) -> (String, String) {
    let pair = STANDARD.decode(header.to_str().unwrap().strip_prefix("Basic ").unwrap()).unwrap();
    let pair = String::from_utf8(pair).unwrap();
    let (id, secret) = pair.split_once(':').unwrap();
    (id.to_owned(), secret.to_owned())
}

fn decoded(value: &[u8]) -> String {
    let pair = [b"=", value].concat();
    form_urlencoded::parse(&pair).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}
