//! The device code: a prompt for the person, and questions to the server at the pace that it sets (RFC 8628).

mod asking;
mod ending;
mod pacing;
mod starting;

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tower::{BoxError, ServiceExt};
use tower_oauth2::client::Client;
use tower_oauth2::grant::{DeviceCode, DevicePrompt};
use tower_oauth2::{Error, OAuth2Layer, Token};

use crate::support::{API_URL, Server, Service, TOKEN_URL, answer, conversation, form, get, ours};

const DEVICE_URL: &str = "https://auth.example.com/device";
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// The server, the program that wants to talk to the API, and what the person is shown.
struct Login {
    server: Server,
    service: Service<DeviceCode>,
    shown: Arc<Mutex<Vec<DevicePrompt>>>,
}

/// What the server answers to a question that brings no token.
fn says(code: &str) -> (u16, Value) {
    (400, json!({"error": code}))
}

fn code() -> Value {
    json!({
        "device_code": "secret-device-code", "user_code": "WDJB-MJHT", "verification_uri": "https://example.com/device",
        "verification_uri_complete": "https://example.com/device?user_code=WDJB-MJHT", "expires_in": 60,
    })
}

fn login(options: impl FnOnce(DeviceCode) -> DeviceCode) -> Login {
    let shown = Arc::new(Mutex::new(Vec::new()));
    let show = {
        let shown = shown.clone();
        move |prompt: &DevicePrompt| shown.lock().unwrap().push(prompt.clone())
    };
    let grant = DeviceCode::new(DEVICE_URL, TOKEN_URL, Client::basic("id", "secret"), show).unwrap();
    let (service, server) = conversation(&OAuth2Layer::new(options(grant)));
    Login { server, service, shown }
}

impl Login {
    /// The program sends a request to the API.
    fn request(&self) -> JoinHandle<Result<(), BoxError>> {
        let sent = self.service.clone().oneshot(get(API_URL));
        tokio::spawn(async move { sent.await.map(drop) })
    }

    /// The program asks for a login.
    fn refresh(&self) -> JoinHandle<Result<Token, Error>> {
        let tokens = self.service.tokens();
        tokio::spawn(async move { tokens.refresh().await })
    }

    /// The server gives a code: what it was sent.
    async fn gives(&mut self, body: Value) -> Vec<(String, String)> {
        let (request, respond) = self.server.next().await;
        assert_eq!(request.uri(), DEVICE_URL);
        assert!(request.headers().contains_key("authorization"), "no client authentication");
        respond.send_response(answer(200, body));
        form(request).await
    }

    /// The server is asked, and answers: how long after `since` that was, in seconds.
    async fn asked_after(&mut self, since: Instant, (status, body): (u16, Value)) -> u64 {
        let (form, respond) = self.server.token_request().await;
        assert_eq!(form[0], ("grant_type".to_owned(), GRANT_TYPE.to_owned()));
        // Text is a page.
        let body = body.as_str().map_or_else(|| body.to_string(), ToOwned::to_owned);
        respond.send_response(answer(status, body));
        since.elapsed().as_secs()
    }

    /// The server is asked once for each of `answers`: when that was, counted from now.
    async fn answers(&mut self, answers: impl IntoIterator<Item = (u16, Value)>) -> Vec<u64> {
        let (start, mut times) = (Instant::now(), Vec::new());
        for answer in answers {
            times.push(self.asked_after(start, answer).await);
        }
        times
    }

    fn times_shown(&self) -> usize {
        self.shown.lock().unwrap().len()
    }
}

async fn failed(request: JoinHandle<Result<(), BoxError>>) -> Error {
    ours(request.await.unwrap().unwrap_err())
}
