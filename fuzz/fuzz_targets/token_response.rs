//! A response of a token endpoint is the token in its body, or an error of the right kind that repeats no secret.

#![no_main]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::header::RETRY_AFTER;
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::{Map, Value};
use tower::service_fn;
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::TokenEndpoint;
use tower_oauth2::form::Form;
use tower_oauth2::transport::Transport;
use tower_oauth2::{Error, ErrorKind, Token};
use tower_oauth2_fuzz::{
    Placeholders, REFRESH, Request, SECRET, ServerResponse, TOKEN_URL, contains, contains_secret, error_code,
    error_text, form, in_virtual_time, is_credential, members,
};

/// The last one is a secret with a control character in the middle, as in the response of a server that wraps lines.
const PLACEHOLDERS: Placeholders<'_> =
    Placeholders(&[("$SECRET", SECRET), ("$REFRESH", REFRESH), ("$WRAPPED", "hunter2\u{7f}-secret")]);

/// The token timeout, and one more second.
const LIMIT: Duration = Duration::from_secs(31);

fuzz_target!(|input: &[u8]| -> Corpus {
    if contains_secret(input) {
        return Corpus::Reject;
    }
    let response = ServerResponse::parse(&PLACEHOLDERS.fill(input));
    let requests = Arc::new(Mutex::new(0));
    let http = Transport::new(service_fn({
        let (response, requests) = (response.clone(), requests.clone());
        move |request: Request| {
            let response = response.clone();
            *requests.lock().unwrap() += 1;
            async move {
                assert_eq!(*request.uri(), *TOKEN_URL);
                let form = form(request).await;
                assert_eq!(form.get("client_secret"), Some(SECRET));
                assert_eq!(form.get("refresh_token"), Some(REFRESH));
                response.deliver().await
            }
        }
    }));
    let endpoint = TokenEndpoint::new(TOKEN_URL, Client::post("id", SECRET)).unwrap();
    let requested = Form::new("refresh_token").param("refresh_token", REFRESH);
    let outcome = in_virtual_time(LIMIT, endpoint.token(&http, requested));
    assert_eq!(*requests.lock().unwrap(), 1, "exactly one request");
    match &outcome {
        Ok(token) => matches_response(token, &response),
        Err(error) => has_expected_kind(error, &response),
    }
    if response.is_complete() && response.status.is_success() {
        let usable = members(&response.body).is_some_and(|members| is_usable(&members));
        assert_eq!(outcome.is_ok(), usable, "{outcome:?}");
    }
    Corpus::Keep
});

fn matches_response(token: &Token, response: &ServerResponse) {
    assert!(response.is_complete() && response.status.is_success());
    let members = members(&response.body).expect("the token was parsed from members");
    let text = |name| members.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    assert_eq!(Some(token.access_token()), text("access_token"));
    assert_eq!(token.refresh_token(), text("refresh_token"));
    assert!(token.access_token().bytes().all(|byte| byte.is_ascii_graphic()), "the token is not valid in a header");
    assert!(token.token_type().eq_ignore_ascii_case("bearer"));
    if !matches!(members.get("scope"), Some(Value::Array(_))) {
        assert_eq!(token.scope(), text("scope"));
    }
    for (name, value) in &members {
        let ours = ["access_token", "token_type", "expires_in", "expires_at", "refresh_token", "scope"];
        assert_eq!(token.extra(name), (!ours.contains(&name.as_str())).then_some(value));
    }
    let debug = format!("{token:?}");
    let public = [token.scope().unwrap_or_default(), &members.keys().cloned().collect::<String>()].concat();
    for secret in [SECRET, REFRESH] {
        assert!(!debug.contains(secret) || public.contains(secret), "{debug}");
    }
}

fn has_expected_kind(error: &Error, response: &ServerResponse) {
    let text = error_text(error);
    assert!(!contains(text.as_bytes(), SECRET) && !contains(text.as_bytes(), REFRESH), "{text}");
    if let Some(oauth) = error.oauth() {
        for text in [Some(oauth.error()), oauth.description(), oauth.uri()].into_iter().flatten() {
            assert!(!text.is_empty() && text.chars().count() <= 512 && !text.contains(char::is_control), "{text:?}");
        }
    }
    let (kind, code) = (error.kind(), error.oauth().map(|oauth| oauth.error()));
    if !response.has_status() {
        return assert_eq!(Some(kind), response.decided_kind());
    }
    assert_eq!(error.status(), Some(response.status));
    let possible = match response.decided_kind() {
        Some(decided) => kind == decided,
        None => match kind {
            ErrorKind::Malformed => response.status.is_success() && code.is_none(),
            // A code that repeats a secret is dropped.
            ErrorKind::RequestRejected => {
                code.is_some() || members(&response.body).is_some_and(|members| error_code(&members).is_some())
            }
            ErrorKind::NotOAuth => !response.status.is_success() && code.is_none(),
            ErrorKind::InvalidGrant => code == Some("invalid_grant"),
            ErrorKind::Overloaded => matches!(code, Some("server_error" | "temporarily_unavailable")),
            ErrorKind::ClientRejected => {
                matches!(
                    (code, response.status.as_u16()),
                    (Some("invalid_client" | "unauthorized_client"), _) | (None, 401)
                )
            }
            _ => false,
        },
    };
    assert!(possible, "{error} to {response:?}");
    has_expected_retry_after(error, response);
}

fn has_expected_retry_after(error: &Error, response: &ServerResponse) {
    const HOUR: u64 = 60 * 60;
    let wait = error.retry_after().map(|wait| wait.as_secs());
    assert!(wait.is_none_or(|wait| wait <= HOUR), "the delay is longer than an hour");
    let Some(requested) = response.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()) else {
        return assert_eq!(wait, None);
    };
    if requested.bytes().all(|byte| byte.is_ascii_digit()) && !requested.is_empty() && !response.status.is_success() {
        assert_eq!(wait, Some(requested.parse().unwrap_or(u64::MAX).min(HOUR)));
    }
}

/// Returns whether the members are a token (RFC 6749 §5.1), in the variants that servers send.
fn is_usable(members: &Map<String, Value>) -> bool {
    let null = Value::Null;
    let member = |name| members.get(name).unwrap_or(&null);
    let access_token = member("access_token").as_str().unwrap_or_default();
    let is_bearer = match member("token_type") {
        Value::Null => true,
        Value::String(text) => text.is_empty() || text.eq_ignore_ascii_case("bearer"),
        _ => false,
    };
    let has_lifetime = match member("expires_in") {
        Value::Null | Value::Number(_) => true,
        Value::String(text) => text.trim().parse().is_ok_and(f64::is_finite),
        _ => false,
    };
    let can_be_sent = !access_token.is_empty() && access_token.bytes().all(|byte| byte.is_ascii_graphic());
    let has_valid_refresh_token = match member("refresh_token") {
        Value::Null => true,
        Value::String(text) => is_credential(text),
        _ => false,
    };
    can_be_sent && is_bearer && has_lifetime && has_valid_refresh_token && error_code(members).is_none()
}
