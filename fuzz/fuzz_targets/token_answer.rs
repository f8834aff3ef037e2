//! Any answer of a token endpoint is the token that it says, or an error of the right kind that repeats no secret.

#![no_main]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::StatusCode;
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
    Answer, Ending, REFRESH, Request, SECRET, TOKEN_URL, Words, code, form, gives_away, holds, in_virtual_time,
    members, told,
};

/// The last one is a secret that a server repeats with a control character in the middle, as where it wraps lines.
const WORDS: Words<'_> = Words(&[("$SECRET", SECRET), ("$REFRESH", REFRESH), ("$WRAPPED", "hunter2\u{7f}-secret")]);

/// What the crate waits for an answer, and a second for those who count them.
const DEADLINE: Duration = Duration::from_secs(31);

fuzz_target!(|input: &[u8]| -> Corpus {
    if gives_away(input) {
        return Corpus::Reject;
    }
    let answer = Answer::read(&WORDS.fill(input));
    let requests = Arc::new(Mutex::new(0));
    let http = Transport::new(service_fn({
        let (answer, requests) = (answer.clone(), requests.clone());
        move |request: Request| {
            let answer = answer.clone();
            *requests.lock().unwrap() += 1;
            async move {
                assert_eq!(*request.uri(), *TOKEN_URL);
                let form = form(request).await;
                assert_eq!(form.get("client_secret"), Some(SECRET));
                assert_eq!(form.get("refresh_token"), Some(REFRESH));
                answer.sent().await
            }
        }
    }));
    let endpoint = TokenEndpoint::new(TOKEN_URL, Client::post("id", SECRET)).unwrap();
    let asked = Form::new("refresh_token").param("refresh_token", REFRESH);
    let outcome = in_virtual_time(DEADLINE, endpoint.token(&http, asked));
    assert_eq!(*requests.lock().unwrap(), 1, "one question, one request");
    match &outcome {
        Ok(token) => is_what_was_said(token, &answer),
        Err(error) => is_the_right_error(error, &answer),
    }
    if answer.is_whole() && answer.status.is_success() {
        let usable = members(&answer.body).is_some_and(|members| is_usable(&members));
        assert_eq!(outcome.is_ok(), usable, "{outcome:?}");
    }
    Corpus::Keep
});

fn is_what_was_said(token: &Token, answer: &Answer) {
    assert!(answer.is_whole() && answer.status.is_success());
    let members = members(&answer.body).expect("a token out of nothing");
    let text = |name| members.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    assert_eq!(Some(token.access_token()), text("access_token"));
    assert_eq!(token.refresh_token(), text("refresh_token"));
    assert!(token.access_token().bytes().all(|byte| byte.is_ascii_graphic()), "no header can carry it");
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

fn is_the_right_error(error: &Error, answer: &Answer) {
    let told = told(error);
    assert!(!holds(told.as_bytes(), SECRET) && !holds(told.as_bytes(), REFRESH), "{told}");
    if let Some(oauth) = error.oauth() {
        for text in [Some(oauth.error()), oauth.description(), oauth.uri()].into_iter().flatten() {
            assert!(!text.is_empty() && text.chars().count() <= 512 && !text.contains(char::is_control), "{text:?}");
        }
    }
    let (kind, code) = (error.kind(), error.oauth().map(|oauth| oauth.error()));
    match answer.ending {
        Ending::Whole => {}
        Ending::Fails | Ending::Breaks => return assert_eq!(kind, ErrorKind::Transport),
        Ending::Stalls | Ending::Silent => return assert_eq!(kind, ErrorKind::Timeout),
        Ending::Endless | Ending::Huge => return assert_eq!(kind, ErrorKind::Malformed),
    }
    assert_eq!(error.status(), Some(answer.status));
    let possible = match answer.status.as_u16() {
        300..=399 => kind == ErrorKind::Redirected,
        // Nobody who is out of order is believed about anything else.
        408 | 429 | 500..=599 => kind == ErrorKind::Overloaded,
        _ => match kind {
            ErrorKind::Malformed => answer.status.is_success() && code.is_none(),
            ErrorKind::RequestRejected => answer.status != StatusCode::UNAUTHORIZED || code.is_some(),
            ErrorKind::InvalidGrant => code == Some("invalid_grant"),
            ErrorKind::Overloaded => matches!(code, Some("server_error" | "temporarily_unavailable")),
            ErrorKind::ClientRejected => {
                matches!(
                    (code, answer.status.as_u16()),
                    (Some("invalid_client" | "unauthorized_client"), _) | (None, 401)
                )
            }
            _ => false,
        },
    };
    assert!(possible, "{error} to {answer:?}");
    waits_as_it_was_told(error, answer);
}

fn waits_as_it_was_told(error: &Error, answer: &Answer) {
    const HOUR: u64 = 60 * 60;
    let wait = error.retry_after().map(|wait| wait.as_secs());
    assert!(wait.is_none_or(|wait| wait <= HOUR), "nobody keeps us away for longer");
    let Some(asked) = answer.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()) else {
        return assert_eq!(wait, None);
    };
    if asked.bytes().all(|byte| byte.is_ascii_digit()) && !asked.is_empty() && !answer.status.is_success() {
        assert_eq!(wait, Some(asked.parse().unwrap_or(u64::MAX).min(HOUR)));
    }
}

/// Whether the members of a success are a token: RFC 6749 §5.1, and what servers make of it.
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
    let can_be_renewed = matches!(member("refresh_token"), Value::Null | Value::String(_));
    can_be_sent && is_bearer && has_lifetime && can_be_renewed && code(members).is_none()
}
