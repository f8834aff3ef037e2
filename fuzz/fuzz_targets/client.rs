//! Any client and any form arrive as they were given, by one way of authentication; and a server that repeats them all gets no
//! secret into an error.
//!
//! An input is the way of authentication, the id, the secret, the grant type, and then names and values of parameters: in lines,
//! each form-encoded, so that `%0A` is a line break in one of them.

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
use tower_oauth2_fuzz::{Answer, Fields, Request, SECRET, TOKEN_URL, form, in_virtual_time, told};
use url::form_urlencoded;

fuzz_target!(|input: &[u8]| -> Corpus {
    let mut lines = input.split(|byte| *byte == b'\n').map(decoded);
    let mut next = || lines.next().unwrap_or_default();
    let (way, id, secret, grant_type) = (next(), next(), next(), next());
    let mut parameters = Vec::new();
    while let Some(name) = lines.next() {
        parameters.push((name, lines.next().unwrap_or_default()));
    }
    let given = Given { way, id, secret, grant_type, parameters };
    let Some(client) = given.client() else { return Corpus::Reject };
    let endpoint = match TokenEndpoint::new(TOKEN_URL, client) {
        Ok(endpoint) => endpoint,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Configuration);
            assert!(given.id.is_empty() || (given.way == "basic_raw" && given.id.contains(':')));
            return Corpus::Keep;
        }
    };
    let (request, outcome) = asked(&endpoint, given.form(), b"200\n\n{\"access_token\":\"a\"}");
    outcome.unwrap();
    let sent = fields(&request);
    given.authenticates(&request, &sent);
    given.is_sent(&sent);
    // A word of the protocol may be somebody's password.
    let (_, refused) = asked(&endpoint, given.form(), b"400\n\n{\"error\":\"invalid_grant\"}");
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidGrant);
    if !given.holds(SECRET) {
        tells_no_secret(given.marked());
    }
    Corpus::Keep
});

#[derive(Debug)]
struct Given {
    way: String,
    id: String,
    secret: String,
    grant_type: String,
    parameters: Vec<(String, String)>,
}

impl Given {
    fn client(&self) -> Option<Client> {
        let (id, secret) = (&self.id, &self.secret);
        Some(match self.way.as_str() {
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

    /// The server learns the id and the secret, once.
    fn authenticates(&self, request: &Request, sent: &Fields) {
        let header = request.headers().get(AUTHORIZATION).map(basic);
        assert!(request.headers().get_all(AUTHORIZATION).iter().count() <= 1);
        match self.way.as_str() {
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
            way => {
                assert_eq!(header, None);
                if way != "none" {
                    assert_eq!(sent.get("client_id"), Some(&*self.id));
                }
                if way == "post" && !self.secret.is_empty() {
                    assert_eq!(sent.get("client_secret"), Some(&*self.secret));
                }
            }
        }
    }

    /// The rest of the form is as it was given: no name twice but the two that may (RFC 6749 §3.2).
    fn is_sent(&self, sent: &Fields) {
        let mut expected = vec![("grant_type".to_owned(), self.grant_type.clone())];
        for (name, value) in &self.parameters {
            let taken =
                expected.iter().any(|(taken, _)| taken == name) && !["resource", "audience"].contains(&name.as_str());
            if !name.is_empty() && !taken {
                expected.push((name.clone(), value.clone()));
            }
        }
        let rest = |fields: &[(String, String)]| -> Vec<_> {
            fields
                .iter()
                .filter(|(name, _)| !["client_id", "client_secret"].contains(&name.as_str()))
                .cloned()
                .collect()
        };
        assert_eq!(rest(&sent.0), rest(&expected));
    }

    /// An error leaves control characters out, which may have hidden the word.
    fn holds(&self, word: &str) -> bool {
        let texts = [&self.id, &self.secret, &self.grant_type].into_iter();
        let mut texts = texts.chain(self.parameters.iter().flat_map(|(name, value)| [name, value]));
        texts.any(|text| text.replace(char::is_control, "").contains(word))
    }

    /// The same with secrets that can be recognised.
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

/// A server that repeats what it was sent, as it came and as it reads it.
fn tells_no_secret(given: Given) {
    let client = given.client().unwrap();
    let endpoint = TokenEndpoint::new(TOKEN_URL, client).unwrap();
    let debug = format!("{endpoint:?} {:?}", given.form());
    assert!(!debug.contains(SECRET), "{debug}");
    let (request, _) = asked(&endpoint, given.form(), b"fails");
    let header = request.headers().get(AUTHORIZATION);
    let credentials = header.map(|header| header.to_str().unwrap().replace("Basic ", "")).unwrap_or_default();
    let (id, secret) = header.map(basic).unwrap_or_default();
    let values: Vec<String> = fields(&request).0.into_iter().map(|(_, value)| value).collect();
    for text in [credentials.clone(), format!("{id}:{secret}"), body(&request), values.join(" ")] {
        let error = json!({ "error": "invalid_request", "error_description": text, "error_uri": text });
        let (_, outcome) = asked(&endpoint, given.form(), format!("400\n\n{error}").as_bytes());
        let told = told(&outcome.unwrap_err());
        assert!(!told.contains(SECRET), "{told}");
        assert!(credentials.is_empty() || !told.contains(&credentials), "{told}");
    }
}

/// The request that comes of a form, and what comes of the answer.
fn asked(endpoint: &TokenEndpoint, form: Form, answer: &[u8]) -> (Request, Result<Token, Error>) {
    let (seen, answer) = (Arc::new(Mutex::new(None)), Answer::read(answer));
    let http = Transport::new(service_fn({
        let seen = seen.clone();
        move |request: Request| {
            *seen.lock().unwrap() = Some(request);
            answer.clone().sent()
        }
    }));
    let outcome = in_virtual_time(Duration::from_secs(1), endpoint.token(&http, form));
    let request = seen.lock().unwrap().take().unwrap();
    (request, outcome)
}

fn fields(request: &Request) -> Fields {
    in_virtual_time(Duration::from_secs(1), form(request.clone()))
}

fn body(request: &Request) -> String {
    let Ok(body) = in_virtual_time(Duration::from_secs(1), request.clone().into_body().collect());
    String::from_utf8(body.to_bytes().into()).unwrap()
}

/// What a header of RFC 7617 holds.
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
