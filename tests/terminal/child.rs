//! The child process that logs in, and its server.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, future};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::json;
use tower::{BoxError, service_fn};
use tower_oauth2::client::Client;
use tower_oauth2::grant::{DeviceCode, terminal_prompt};
use tower_oauth2::{OAuth2Layer, Token};

/// The environment variable with the outcomes of the logins, each an OAuth error or `token`. Without it, the test of this file does
/// nothing.
pub(crate) const OUTCOMES: &str = "TOWER_OAUTH2_TEST_LOGINS";

pub(crate) const ARGUMENTS: [&str; 4] = ["child::logs_in", "--exact", "--nocapture", "--test-threads=1"];

pub(crate) const CODES: [&str; 2] = ["AAAA-1111", "BBBB-2222"];

pub(crate) fn child(outcomes: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(ARGUMENTS).env(OUTCOMES, outcomes);
    command
}

/// The first poll gets `authorization_pending`, so that the countdown is visible.
async fn log_in(code: &'static str, outcome: String) -> Result<Token, tower_oauth2::Error> {
    let polls = AtomicUsize::new(0);
    let server = move |request: Request<Full<Bytes>>| {
        let (status, body) = match request.uri().path() {
            "/device" => (
                200,
                json!({
                    "device_code": "d", "user_code": code, "verification_uri": "https://example.com/device",
                    "expires_in": 900, "interval": 1,
                }),
            ),
            _ if polls.fetch_add(1, Ordering::SeqCst) == 0 => (400, json!({"error": "authorization_pending"})),
            _ if outcome == "token" => (200, json!({"access_token": "a"})),
            _ => (400, json!({"error": outcome})),
        };
        let response = Response::builder().status(status).body(Full::<Bytes>::from(body.to_string()));
        future::ready(Ok::<_, BoxError>(response.unwrap()))
    };
    let server = std::sync::Arc::new(server);
    let service = service_fn(move |request| server(request));
    let (device_url, token_url) = ("https://auth.example.com/device", "https://auth.example.com/token");
    let grant = DeviceCode::new(device_url, token_url, Client::public("app"), terminal_prompt)?;
    OAuth2Layer::new(grant).token_service(service).tokens().get().await
}

#[tokio::test]
async fn logs_in() {
    let Ok(outcomes) = env::var(OUTCOMES) else { return };
    let logins = outcomes.split_whitespace().zip(CODES).map(|(outcome, code)| {
        let (outcome, expected) = (outcome.to_owned(), outcome == "token");
        tokio::spawn(async move { assert_eq!(log_in(code, outcome).await.is_ok(), expected) })
    });
    for login in logins.collect::<Vec<_>>() {
        login.await.unwrap();
    }
}
