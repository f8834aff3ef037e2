//! The device authorization grant (RFC 8628): prompts, polls and outcomes.

mod endings;
mod outcome;
mod pacing;
mod requests;
mod starting;

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tower::{BoxError, ServiceExt};
use tower_oauth2::client::Client;
use tower_oauth2::grant::{DeviceCode, DevicePrompt};
use tower_oauth2::{Error, OAuth2Layer, Token};

use crate::support::{API_URL, Server, Service, TOKEN_URL, answer, form, get, mock_service, ours};

const DEVICE_URL: &str = "https://auth.example.com/device";
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// The server, a service of the layer, and the prompts that were shown.
struct Login {
    server: Server,
    service: Service<DeviceCode>,
    shown: Arc<Mutex<Vec<DevicePrompt>>>,
}

/// The response to a poll with this OAuth error.
fn oauth_error(code: &str) -> (u16, Value) {
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
    let (service, server) = mock_service(&OAuth2Layer::new(options(grant)));
    Login { server, service, shown }
}

impl Login {
    /// Sends a request to the API.
    fn request(&self) -> JoinHandle<Result<(), BoxError>> {
        let sent = self.service.clone().oneshot(get(API_URL));
        tokio::spawn(async move { sent.await.map(drop) })
    }

    /// Calls `Tokens::refresh`.
    fn refresh(&self) -> JoinHandle<Result<Token, Error>> {
        let tokens = self.service.tokens();
        tokio::spawn(async move { tokens.refresh().await })
    }

    /// Responds to the device authorization request, and returns its form.
    async fn send_code(&mut self, body: Value) -> Vec<(String, String)> {
        let (request, respond) = self.server.next().await;
        assert_eq!(request.uri(), DEVICE_URL);
        assert!(request.headers().contains_key("authorization"), "no client authentication");
        respond.send_response(answer(200, body));
        form(request).await
    }

    /// Responds to the next poll, and returns its time in seconds since `since`.
    async fn poll_time(&mut self, since: Instant, (status, body): (u16, Value)) -> u64 {
        let (form, respond) = self.server.token_request().await;
        assert_eq!(form[0], ("grant_type".to_owned(), GRANT_TYPE.to_owned()));
        // A string is the body itself, such as an HTML page.
        let body = body.as_str().map_or_else(|| body.to_string(), ToOwned::to_owned);
        respond.send_response(answer(status, body));
        since.elapsed().as_secs()
    }

    /// Responds to one poll for each of `responses`, and returns their times in seconds from now.
    async fn respond_to_polls(&mut self, responses: impl IntoIterator<Item = (u16, Value)>) -> Vec<u64> {
        let (start, mut times) = (Instant::now(), Vec::new());
        for response in responses {
            times.push(self.poll_time(start, response).await);
        }
        times
    }

    fn prompt_count(&self) -> usize {
        self.shown.lock().unwrap().len()
    }
}

async fn failed(request: JoinHandle<Result<(), BoxError>>) -> Error {
    ours(request.await.unwrap().unwrap_err())
}
