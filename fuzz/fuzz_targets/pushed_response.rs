//! The response to a pushed authorization request is the reference for the browser, or an error of the right kind that repeats no secret.
//! The browser gets the reference and the client id only.

#![no_main]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::Value;
use tower::service_fn;
use tower_oauth2::client::Client;
use tower_oauth2::grant::{Authorization, AuthorizationCode};
use tower_oauth2::transport::Transport;
use tower_oauth2::{Error, ErrorKind};
use tower_oauth2_fuzz::{
    Fields, Placeholders, Request, SECRET, ServerResponse, TOKEN_URL, contains_secret, error_code, error_text, form,
    in_virtual_time, members,
};

const PAR_URL: &str = "https://auth.example.com/par";
const REDIRECT_URI: &str = "https://app.example/callback";

/// The token timeout, and one more second.
const LIMIT: Duration = Duration::from_secs(31);

fuzz_target!(|input: &[u8]| -> Corpus {
    if contains_secret(input) {
        return Corpus::Reject;
    }
    let template = ServerResponse::parse(input);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let http = Transport::new(service_fn({
        let (template, seen) = (template.clone(), seen.clone());
        move |request: Request| {
            let (template, seen) = (template.clone(), seen.clone());
            async move {
                assert_eq!(*request.uri(), *PAR_URL);
                let form = form(request).await;
                let response = filled(&template, form.get("state").unwrap());
                seen.lock().unwrap().push(form);
                response.deliver().await
            }
        }
    }));
    // The server replaces its own parameters of these names.
    let grant = AuthorizationCode::new(
        "https://auth.example.com/authorize?tenant=7&request_uri=theirs&state=theirs",
        TOKEN_URL,
        Client::post("id", SECRET),
    );
    let grant = grant.unwrap().scope("read").unwrap().pushed(PAR_URL).unwrap();
    let outcome = in_virtual_time(LIMIT, grant.begin(&http, REDIRECT_URI));
    let seen = seen.lock().unwrap();
    let [pushed] = &seen[..] else { panic!("exactly one request") };
    check_request(pushed);
    let state = pushed.get("state").unwrap();
    let response = filled(&template, state);
    let reference = reference(&response);
    match &outcome {
        Ok(login) => {
            assert_eq!(login.state(), state);
            check_address(login, reference.as_deref());
        }
        Err(error) => {
            // The response is JSON (RFC 9126 §2.2). A form is accepted only with a field of a token response.
            let is_json = serde_json::from_slice::<Value>(&response.body).is_ok();
            assert!(reference.is_none() || !is_json, "{error}");
            has_expected_kind(error, &response, state);
        }
    }
    Corpus::Keep
});

/// Returns the response of a server that repeats what it has received.
fn filled(template: &ServerResponse, state: &str) -> ServerResponse {
    let body = Placeholders(&[("$SECRET", SECRET), ("$STATE", state)]).fill(&template.body);
    ServerResponse { body: body.into(), ..template.clone() }
}

/// Checks that the server receives the whole request (RFC 9126 §2.1).
fn check_request(pushed: &Fields) {
    for (name, value) in [
        ("client_id", "id"),
        ("client_secret", SECRET),
        ("response_type", "code"),
        ("redirect_uri", REDIRECT_URI),
        ("scope", "read"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(pushed.get(name), Some(value));
    }
    assert!(pushed.get("code_challenge").is_some_and(|challenge| challenge.len() == 43));
    assert_eq!((pushed.get("request_uri"), pushed.get("grant_type"), pushed.get("tenant")), (None, None, None));
}

/// Returns the reference of a response that starts the login (§2.2).
fn reference(response: &ServerResponse) -> Option<String> {
    let members = members(&response.body).filter(|_| response.is_complete())?;
    let is_success = matches!(response.status.as_u16(), 200 | 201) && error_code(&members).is_none();
    let reference = members.get("request_uri").and_then(Value::as_str).filter(|_| is_success)?;
    (!reference.is_empty()).then(|| reference.to_owned())
}

fn check_address(login: &Authorization, reference: Option<&str>) {
    let query = Fields(login.url().query_pairs().into_owned().collect());
    let names: Vec<&str> = query.0.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["tenant", "client_id", "request_uri"]);
    assert_eq!((query.get("tenant"), query.get("client_id")), (Some("7"), Some("id")));
    assert_eq!(query.get("request_uri"), reference);
    assert_eq!(login.url().host_str(), Some("auth.example.com"));
}

fn has_expected_kind(error: &Error, response: &ServerResponse, state: &str) {
    let text = error_text(error);
    assert!(!text.contains(SECRET) && !text.contains(state), "{text}");
    let (kind, code) = (error.kind(), error.oauth().map(|oauth| oauth.error()));
    if !response.has_status() {
        return assert_eq!(Some(kind), response.decided_kind());
    }
    assert_eq!(error.status(), Some(response.status));
    let possible = match response.decided_kind() {
        Some(decided) => kind == decided,
        None => match kind {
            ErrorKind::Malformed => response.status.is_success() && code.is_none(),
            ErrorKind::NotOAuth => !response.status.is_success() && code.is_none(),
            ErrorKind::Overloaded => matches!(code, Some("server_error" | "temporarily_unavailable")),
            ErrorKind::RequestRejected | ErrorKind::InvalidGrant | ErrorKind::ClientRejected => {
                // A code that repeats a secret is dropped.
                members(&response.body).is_some_and(|members| error_code(&members).is_some()) || code.is_none()
            }
            _ => false,
        },
    };
    assert!(possible, "{error} to {response:?}");
}
