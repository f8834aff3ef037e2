//! The outcome of a login and the time left, as the prompt reports them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tokio_test::{assert_pending, assert_ready, task};
use tower::{Layer, ServiceExt, service_fn};
use tower_oauth2::client::Client;
use tower_oauth2::grant::{DeviceCode, DeviceOutcome, DevicePrompt};
use tower_oauth2::{ErrorKind, OAuth2Layer};

use super::{DEVICE_URL, code, failed, login, oauth_error};
use crate::support::{API_URL, Body, TOKEN_URL, answer, get, pass, token};

fn name(outcome: &DeviceOutcome) -> &'static str {
    match outcome {
        DeviceOutcome::LoggedIn => "logged in",
        DeviceOutcome::Denied => "denied",
        DeviceOutcome::Expired => "expired",
        DeviceOutcome::Failed(_) => "failed",
        _ => "abandoned",
    }
}

#[tokio::test(start_paused = true)]
async fn the_prompt_reports_each_outcome() {
    for (last, expected) in [
        ((200, token("a", 3600)), "logged in"),
        (oauth_error("access_denied"), "denied"),
        (oauth_error("expired_token"), "expired"),
        (oauth_error("invalid_grant"), "failed"),
    ] {
        let mut login = login(|grant| grant);
        let request = login.request();
        login.send_code(code()).await;
        login.respond_to_polls([oauth_error("authorization_pending")]).await;
        let prompt = login.shown.lock().unwrap()[0].clone();
        let mut outcome = task::spawn(prompt.outcome());
        assert_pending!(outcome.poll());
        let has_token = last.0 == 200;
        login.respond_to_polls([last]).await;
        if has_token {
            login.server.next_authorization().await;
            request.await.unwrap().unwrap();
        } else {
            failed(request).await;
        }
        assert!(outcome.is_woken());
        assert_eq!(name(&assert_ready!(outcome.poll())), expected);
        // After the end too.
        assert_eq!(name(&prompt.outcome().await), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn the_prompt_reports_an_expired_code() {
    let mut login = login(|grant| grant);
    let request = login.request();
    login.send_code(code()).await;
    while !request.is_finished() {
        let poll = tokio::time::timeout(Duration::from_secs(30), login.server.token_request()).await;
        if let Ok((_, respond)) = poll {
            respond.send_response(answer(400, json!({"error": "authorization_pending"})));
        }
    }
    assert_eq!(failed(request).await.kind(), ErrorKind::LoginExpired);
    let prompt = login.shown.lock().unwrap()[0].clone();
    assert_eq!(name(&prompt.outcome().await), "expired");
    assert_eq!(prompt.time_left(), Duration::ZERO);
}

/// So a prompt can be removed before the program prints something else.
#[tokio::test(start_paused = true)]
async fn a_callback_runs_before_the_requests_continue() {
    let done = Arc::new(Mutex::new(Vec::new()));
    let log = done.clone();
    let prompt = move |prompt: &DevicePrompt| {
        // A panic does not affect the other callbacks.
        prompt.on_end(|_| panic!("no terminal"));
        let log = log.clone();
        prompt.on_end(move |outcome| {
            log.lock().unwrap().push(name(outcome));
        });
    };
    let grant = DeviceCode::new(DEVICE_URL, TOKEN_URL, Client::public("app"), prompt).unwrap();
    let requests = done.clone();
    let server = service_fn(move |request: http::Request<Body>| {
        let body = match request.uri().path() {
            "/device" => code(),
            "/token" => token("a", 3600),
            _ => {
                requests.lock().unwrap().push("request");
                json!({})
            }
        };
        std::future::ready(Ok::<_, std::convert::Infallible>(answer(200, body)))
    });
    OAuth2Layer::new(grant).layer(server).oneshot(get(API_URL)).await.unwrap();
    assert_eq!(*done.lock().unwrap(), ["logged in", "request"]);
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_is_added_after_the_end_runs_immediately() {
    let mut login = login(|grant| grant);
    let request = login.request();
    login.send_code(code()).await;
    login.respond_to_polls([oauth_error("access_denied")]).await;
    failed(request).await;
    let (reported, prompt) = (Arc::new(Mutex::new(None)), login.shown.lock().unwrap()[0].clone());
    let report = reported.clone();
    prompt.on_end(move |outcome| *report.lock().unwrap() = Some(name(outcome)));
    assert_eq!(*reported.lock().unwrap(), Some("denied"));
}

#[tokio::test(start_paused = true)]
async fn the_time_left_decreases() {
    let mut login = login(|grant| grant);
    let _request = login.request();
    login.send_code(code()).await;
    pass(Duration::from_millis(1)).await;
    let prompt = login.shown.lock().unwrap()[0].clone();
    let (first, _) = (prompt.time_left(), pass(Duration::from_secs(3)).await);
    assert!(first <= prompt.expires_in() && prompt.time_left() <= first - Duration::from_secs(3));
}

/// Shutting down the runtime drops the login.
#[test]
fn a_dropped_login_is_abandoned() {
    let shown = Arc::new(Mutex::new(None::<DevicePrompt>));
    let show = shown.clone();
    let prompt = move |prompt: &DevicePrompt| *show.lock().unwrap() = Some(prompt.clone());
    let grant = DeviceCode::new(DEVICE_URL, TOKEN_URL, Client::public("app"), prompt).unwrap();
    let server = service_fn(|request: http::Request<Body>| async move {
        if request.uri() != DEVICE_URL {
            std::future::pending::<()>().await;
        }
        Ok::<_, std::convert::Infallible>(answer(200, code()))
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let layer = OAuth2Layer::new(grant);
    let prompt = runtime.block_on(async {
        let _request = tokio::spawn(layer.layer(server).oneshot(get(API_URL)));
        loop {
            if let Some(prompt) = shown.lock().unwrap().take() {
                return prompt;
            }
            tokio::task::yield_now().await;
        }
    });
    let mut outcome = task::spawn(prompt.outcome());
    assert_pending!(outcome.poll());
    drop(runtime);
    // The cell keeps the task until it is superseded.
    layer.tokens().forget();
    drop(layer);
    assert_eq!(name(&assert_ready!(outcome.poll())), "abandoned");
}
