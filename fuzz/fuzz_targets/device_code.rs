//! Any device login asks no sooner and no longer than the server allows, and ends with the server's word or with the time.
//!
//! An input is the answer to the device authorization request and those to the questions after it, with `%` in lines between
//! them. When there are no more, the person says no.

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
use tower_oauth2::grant::{DeviceCode, DevicePrompt, Grant as _};
use tower_oauth2::transport::Transport;
use tower_oauth2::{Error, ErrorKind, Token};
use tower_oauth2_fuzz::{
    Answer, CODE, Request, Response, SECRET, TOKEN_URL, Words, code, form, gives_away, in_virtual_time, members,
    sections, told,
};

const DEVICE_URL: &str = "https://auth.example.com/device";

const WORDS: Words<'_> = Words(&[("$SECRET", SECRET), ("$CODE", CODE)]);

/// No code is good for longer.
const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

fuzz_target!(|input: &[u8]| -> Corpus {
    if gives_away(input) {
        return Corpus::Reject;
    }
    let input = WORDS.fill(input);
    let mut answers: VecDeque<Answer> = sections(&input).map(Answer::read).collect();
    let authorization = answers.pop_front().unwrap();
    answers.push_back(Answer::read(b"400\n\n{\"error\":\"access_denied\"}"));

    let prompts = Arc::new(Mutex::new(Vec::new()));
    let prompt = {
        let prompts = prompts.clone();
        move |prompt: &DevicePrompt| prompts.lock().unwrap().push(prompt.clone())
    };
    let grant = DeviceCode::new(DEVICE_URL, TOKEN_URL, Client::post("id", SECRET), prompt).unwrap().pkce();
    let conversation = Arc::new(Mutex::new(Conversation { answers, questions: Vec::new(), sent: None }));
    let outcome = in_virtual_time(2 * CENTURY, async {
        let began = Instant::now();
        let http = Transport::new(service_fn({
            let (authorization, conversation) = (authorization.clone(), conversation.clone());
            move |request| answer(request, authorization.clone(), conversation.clone(), began)
        }));
        grant.obtain(None, http).await
    });

    let (conversation, prompts) = (conversation.lock().unwrap(), prompts.lock().unwrap());
    match &prompts[..] {
        [] => assert!(outcome.is_err() && conversation.questions.is_empty(), "a login that nobody was told of"),
        [prompt] => {
            can_be_shown(prompt);
            keeps_the_pace(&authorization, prompt, &conversation.questions);
            ends_with_a_word(&outcome, &conversation.questions);
        }
        _ => panic!("told twice"),
    }
    if let Err(error) = &outcome {
        tells_no_secret(error, conversation.sent.as_ref());
    }
    Corpus::Keep
});

/// What the server says, and what it sees.
struct Conversation {
    answers: VecDeque<Answer>,
    questions: Vec<Question>,
    /// The device code and the verifier that came with the questions.
    sent: Option<(String, String)>,
}

struct Question {
    /// Since the device authorization request, which is answered at once.
    at: Duration,
    answer: Answer,
}

async fn answer(
    request: Request,
    authorization: Answer,
    conversation: Arc<Mutex<Conversation>>,
    began: Instant,
) -> std::io::Result<Response> {
    let is_question = *request.uri() == *TOKEN_URL;
    assert!(is_question || *request.uri() == *DEVICE_URL);
    let form = form(request).await;
    assert_eq!((form.get("client_id"), form.get("client_secret")), (Some("id"), Some(SECRET)));
    if !is_question {
        assert_eq!((form.get("grant_type"), form.get("code_challenge_method")), (None, Some("S256")));
        return authorization.sent().await;
    }
    assert_eq!(form.get("grant_type"), Some("urn:ietf:params:oauth:grant-type:device_code"));
    let said = members(&authorization.body).unwrap();
    assert_eq!(form.get("device_code"), said["device_code"].as_str());
    let sent = ["device_code", "code_verifier"].map(|name| form.get(name).unwrap().to_owned());
    let answer = {
        let mut conversation = conversation.lock().unwrap();
        let mut answer = conversation.answers.pop_front().expect("a no is no end");
        answer.body = Words(&[("$VERIFIER", &sent[1])]).fill(&answer.body).into();
        conversation.questions.push(Question { at: began.elapsed(), answer: answer.clone() });
        conversation.sent = Some(sent.into());
        answer
    };
    answer.sent().await
}

/// What acts on a terminal is not in it, and what a person needs is.
fn can_be_shown(prompt: &DevicePrompt) {
    let (code, uri) = (prompt.user_code(), prompt.verification_uri());
    assert!(!code.is_empty() && !uri.is_empty());
    for text in [Some(code), Some(uri), prompt.verification_uri_complete()].into_iter().flatten() {
        assert!(!text.contains(|c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c)), "{text:?}");
    }
}

/// RFC 8628 §3.5: never sooner than the interval, which `slow_down` makes longer, nor than the server asked for; and never for
/// a code that has expired.
fn keeps_the_pace(authorization: &Answer, prompt: &DevicePrompt, questions: &[Question]) {
    let mut interval = interval(authorization);
    let (mut before, mut asked_for) = (Duration::ZERO, Duration::ZERO);
    for Question { at, answer } in questions {
        let wait = interval.max(asked_for);
        assert!(*at >= before.saturating_add(wait), "{at:?} is less than {wait:?} after {before:?}");
        assert!(*at < prompt.expires_in().min(CENTURY), "the code has expired");
        before = *at;
        if code_of(answer).as_deref() == Some("slow_down") {
            interval = interval.saturating_add(Duration::from_secs(5));
        }
        asked_for = if answer.is_whole() && !answer.status.is_success() { retry_after(answer) } else { Duration::ZERO };
    }
}

fn ends_with_a_word(outcome: &Result<Token, Error>, questions: &[Question]) {
    let last = questions.last().map(|question| &question.answer);
    let code = last.and_then(code_of);
    match outcome {
        Ok(_) => assert!(last.unwrap().is_whole() && last.unwrap().status.is_success()),
        Err(error) => match error.kind() {
            ErrorKind::Denied => {
                assert!(matches!(code.as_deref(), Some("access_denied" | "authorization_declined")), "{error}");
            }
            // Or the time is over.
            ErrorKind::LoginExpired => {}
            ErrorKind::Malformed => assert!(last.unwrap().status.is_success() && code.is_none(), "{error}"),
            ErrorKind::Redirected => assert!(last.unwrap().status.is_redirection()),
            ErrorKind::RequestRejected | ErrorKind::InvalidGrant | ErrorKind::ClientRejected => {
                assert!(code.is_some_and(|code| error.oauth().is_some_and(|oauth| *oauth.error() == code)), "{error}");
            }
            // An outage ends no login.
            kind => panic!("{kind:?}"),
        },
    }
}

/// As the server set it; five seconds where it did not (RFC 8628 §3.2).
fn interval(authorization: &Answer) -> Duration {
    let number = match members(&authorization.body).unwrap().get("interval") {
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        _ => None,
    };
    let whole = number.unwrap_or_default().clamp(0.0, CENTURY.as_secs_f64()) as u64;
    Duration::from_secs(if whole == 0 { 5 } else { whole })
}

fn retry_after(answer: &Answer) -> Duration {
    let text = answer.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    Duration::from_secs(if is_number { text.parse().unwrap_or(u64::MAX).min(3_600) } else { 0 })
}

/// The error that an answer names.
fn code_of(answer: &Answer) -> Option<String> {
    let is_heard = answer.is_whole() && !answer.status.is_redirection();
    members(&answer.body).filter(|_| is_heard).and_then(|members| code(&members))
}

fn tells_no_secret(error: &Error, sent: Option<&(String, String)>) {
    let told = told(error);
    assert!(!told.contains(SECRET), "{told}");
    if let Some((device_code, verifier)) = sent {
        assert!(!told.contains(verifier), "{told}");
        assert!(device_code != CODE || !told.contains(CODE), "{told}");
    }
}
