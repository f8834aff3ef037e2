//! A device login polls no faster and no longer than the server allows, and ends with a response of the server or with the expiry of the
//! code.
//!
//! An input is the response to the device authorization request and the responses to the polls, separated by lines with `%`. After the last
//! response, the user denies the login.

#![no_main]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::header::RETRY_AFTER;
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::Value;
use tokio::time::Instant;
use tower::service_fn;
use tower_oauth2::client::Client;
use tower_oauth2::grant::{Context, DeviceCode, DevicePrompt, Grant as _};
use tower_oauth2::transport::Transport;
use tower_oauth2::{Error, ErrorKind, Token};
use tower_oauth2_fuzz::{
    CODE, Placeholders, Request, Response, SECRET, ServerResponse, TOKEN_URL, contains_secret, error_code, error_text,
    form, in_virtual_time, members, sections,
};

const DEVICE_URL: &str = "https://auth.example.com/device";

const PLACEHOLDERS: Placeholders<'_> = Placeholders(&[("$SECRET", SECRET), ("$CODE", CODE)]);

/// The maximum lifetime of a code.
const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

fuzz_target!(|input: &[u8]| -> Corpus {
    if contains_secret(input) {
        return Corpus::Reject;
    }
    let input = PLACEHOLDERS.fill(input);
    let mut responses: VecDeque<ServerResponse> = sections(&input).map(ServerResponse::parse).collect();
    let authorization = responses.pop_front().unwrap();
    responses.push_back(ServerResponse::parse(b"400\n\n{\"error\":\"access_denied\"}"));

    let prompts = Arc::new(Mutex::new(Vec::new()));
    let prompt = {
        let prompts = prompts.clone();
        move |prompt: &DevicePrompt| prompts.lock().unwrap().push(prompt.clone())
    };
    let grant = DeviceCode::new(DEVICE_URL, TOKEN_URL, Client::post("id", SECRET), prompt).unwrap().pkce();
    let polling = Arc::new(Mutex::new(Polling { responses, polls: Vec::new(), sent: None }));
    let outcome = in_virtual_time(2 * CENTURY, async {
        let began = Instant::now();
        let http = Transport::new(service_fn({
            let (authorization, polling) = (authorization.clone(), polling.clone());
            move |request| respond(request, authorization.clone(), polling.clone(), began)
        }));
        grant.obtain(Context::new(http)).await
    });

    let (polling, prompts) = (polling.lock().unwrap(), prompts.lock().unwrap());
    match &prompts[..] {
        [] => assert!(outcome.is_err() && polling.polls.is_empty(), "a login without a prompt"),
        [prompt] => {
            can_be_shown(prompt);
            respects_interval(&authorization, prompt, &polling.polls);
            has_expected_outcome(&outcome, &polling.polls);
        }
        _ => panic!("several prompts"),
    }
    if let Err(error) = &outcome {
        contains_no_secret(error, polling.sent.as_ref());
    }
    Corpus::Keep
});

/// The responses of the server, and the polls that it has received.
struct Polling {
    responses: VecDeque<ServerResponse>,
    polls: Vec<TokenPoll>,
    /// The device code and the verifier of the polls.
    sent: Option<(String, String)>,
}

struct TokenPoll {
    /// The time since the device authorization request.
    at: Duration,
    response: ServerResponse,
}

async fn respond(
    request: Request,
    authorization: ServerResponse,
    polling: Arc<Mutex<Polling>>,
    began: Instant,
) -> std::io::Result<Response> {
    let is_poll = *request.uri() == *TOKEN_URL;
    assert!(is_poll || *request.uri() == *DEVICE_URL);
    let form = form(request).await;
    assert_eq!((form.get("client_id"), form.get("client_secret")), (Some("id"), Some(SECRET)));
    if !is_poll {
        assert_eq!((form.get("grant_type"), form.get("code_challenge_method")), (None, Some("S256")));
        return authorization.deliver().await;
    }
    assert_eq!(form.get("grant_type"), Some("urn:ietf:params:oauth:grant-type:device_code"));
    let said = members(&authorization.body).unwrap();
    assert_eq!(form.get("device_code"), said["device_code"].as_str());
    let sent = ["device_code", "code_verifier"].map(|name| form.get(name).unwrap().to_owned());
    let response = {
        let mut polling = polling.lock().unwrap();
        let mut response = polling.responses.pop_front().expect("the login continues after it was denied");
        response.body = Placeholders(&[("$VERIFIER", &sent[1])]).fill(&response.body).into();
        polling.polls.push(TokenPoll { at: began.elapsed(), response: response.clone() });
        polling.sent = Some(sent.into());
        response
    };
    response.deliver().await
}

/// Checks that the prompt has all texts, without characters that control a terminal.
fn can_be_shown(prompt: &DevicePrompt) {
    let (code, uri) = (prompt.user_code(), prompt.verification_uri());
    assert!(!code.is_empty() && !uri.is_empty());
    for text in [Some(code), Some(uri), prompt.verification_uri_complete()].into_iter().flatten() {
        assert!(text.chars().count() <= 2048, "{} bytes", text.len());
        assert!(!text.contains(|c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c)), "{text:?}");
    }
}

/// Checks that no poll is earlier than the interval, which `slow_down` increases (RFC 8628 §3.5), or than `Retry-After`, and that none is
/// sent after the code has expired.
fn respects_interval(authorization: &ServerResponse, prompt: &DevicePrompt, polls: &[TokenPoll]) {
    let mut interval = interval(authorization);
    let (mut before, mut asked_for) = (Duration::ZERO, Duration::ZERO);
    for TokenPoll { at, response } in polls {
        let wait = interval.max(asked_for);
        assert!(*at >= before.saturating_add(wait), "{at:?} is less than {wait:?} after {before:?}");
        assert!(*at < prompt.expires_in().min(CENTURY), "the code has expired");
        before = *at;
        if code_of(response).as_deref() == Some("slow_down") {
            interval = interval.saturating_add(Duration::from_secs(5));
        }
        asked_for = if response.is_complete() && !response.status.is_success() {
            retry_after(response)
        } else {
            Duration::ZERO
        };
    }
}

fn has_expected_outcome(outcome: &Result<Token, Error>, polls: &[TokenPoll]) {
    let last = polls.last().map(|poll| &poll.response);
    let code = last.and_then(code_of);
    match outcome {
        Ok(_) => assert!(last.unwrap().is_complete() && last.unwrap().status.is_success()),
        Err(error) => match error.kind() {
            ErrorKind::Denied => {
                assert!(matches!(code.as_deref(), Some("access_denied" | "authorization_declined")), "{error}");
            }
            // Or the code has expired.
            ErrorKind::LoginExpired => {}
            ErrorKind::Malformed => assert!(last.unwrap().status.is_success() && code.is_none(), "{error}"),
            ErrorKind::Redirected => assert!(last.unwrap().status.is_redirection()),
            ErrorKind::RequestRejected | ErrorKind::InvalidGrant | ErrorKind::ClientRejected => {
                assert!(code.is_some_and(|code| error.oauth().is_some_and(|oauth| *oauth.error() == code)), "{error}");
            }
            // An outage does not end a login.
            kind => panic!("{kind:?}"),
        },
    }
}

/// Returns the interval of the server, or the default of five seconds (RFC 8628 §3.2).
fn interval(authorization: &ServerResponse) -> Duration {
    let number = match members(&authorization.body).unwrap().get("interval") {
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        _ => None,
    };
    let whole = number.unwrap_or_default().clamp(0.0, CENTURY.as_secs_f64()) as u64;
    Duration::from_secs(if whole == 0 { 5 } else { whole })
}

fn retry_after(response: &ServerResponse) -> Duration {
    let text = response.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    Duration::from_secs(if is_number { text.parse().unwrap_or(u64::MAX).min(3_600) } else { 0 })
}

/// Returns the error code of a response.
fn code_of(response: &ServerResponse) -> Option<String> {
    let is_parsed = response.is_complete() && !response.status.is_redirection();
    members(&response.body).filter(|_| is_parsed).and_then(|members| error_code(&members))
}

fn contains_no_secret(error: &Error, sent: Option<&(String, String)>) {
    let text = error_text(error);
    assert!(!text.contains(SECRET), "{text}");
    if let Some((device_code, verifier)) = sent {
        assert!(!text.contains(verifier), "{text}");
        assert!(device_code != CODE || !text.contains(CODE), "{text}");
    }
}
