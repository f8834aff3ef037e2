//! Challenges that demand another token: scope, login, claims.

#[cfg(feature = "loopback")]
mod browser_logins;
mod calls;
mod challenges;
mod claims;
mod device_logins;
mod grants;
mod guards;
mod narrowed;
mod records;
mod scopes;
mod stores;
mod waiting;

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Response;
use tower::retry::{Retry, RetryLayer};
use tower::{BoxError, Layer, ServiceExt};
use tower_oauth2::client::Client;
use tower_oauth2::grant::{DeviceCode, Grant};
use tower_oauth2::retry::RetryUnauthorized;
use tower_oauth2::{Challenge, Error, OAuth2Layer, Token, Tokens};
use tower_test::mock::SendResponse;

use crate::support::{API_URL, Body, Server, Service, TOKEN_URL, answer, form, get, mock_service};

type Sent = tokio::task::JoinHandle<Result<Response<Body>, BoxError>>;
type Stepping = tokio::task::JoinHandle<Result<Token, Error>>;
type Form = BTreeMap<String, String>;

const DEVICE_URL: &str = "https://auth.example.com/device";

/// A claims challenge of Entra ID.
const CLAIMS: &str = r#"{"access_token":{"nbf":{"essential":true,"value":"1702682181"}}}"#;

const FRESHER_LOGIN: &str = r#"Bearer error="insufficient_user_authentication", acr_values="mfa", max_age="60""#;

/// The response of an API that demands these scopes.
fn needs_scope(scope: &str) -> Response<Body> {
    challenge(403, &format!(r#"Bearer error="insufficient_scope", scope="{scope}""#))
}

/// The response of an API that demands these claims.
fn needs_claims(claims: &str) -> Response<Body> {
    challenge(401, &format!(r#"Bearer error="insufficient_claims", claims="{}""#, STANDARD.encode(claims)))
}

fn challenge(status: u16, challenge: &str) -> Response<Body> {
    let mut response = answer(status, "");
    response.headers_mut().append("www-authenticate", challenge.parse().unwrap());
    response
}

/// The first challenge of a response.
fn read(response: &Response<Body>) -> Challenge {
    Challenge::parse(response.headers()).remove(0)
}

/// A token of an earlier login.
fn of_login(access_token: &str) -> Token {
    Token::bearer(access_token).unwrap().with_refresh_token("r0")
}

/// A login that is confirmed on another device.
fn device() -> DeviceCode {
    DeviceCode::new(DEVICE_URL, TOKEN_URL, Client::public("id"), |_| {}).unwrap()
}

/// Sends a request that is repeated, and returns the mock server.
fn send<G: Grant>(layer: &OAuth2Layer<G>) -> (Sent, Server) {
    let (service, server) = mock_service(layer);
    let service = RetryLayer::new(RetryUnauthorized::new()).layer(service);
    (tokio::spawn(service.oneshot(get(API_URL))), server)
}

/// Answers the next request, which must be for the API, and returns its token.
async fn respond(server: &mut Server, response: Response<Body>) -> String {
    let (request, respond) = server.next().await;
    assert_eq!(request.uri(), API_URL);
    let token = request.headers()["authorization"].to_str().unwrap().to_owned();
    respond.send_response(response);
    token
}

/// Answers the next token request with this token, and returns the value of a parameter.
async fn issue(server: &mut Server, access_token: &str, parameter: &str) -> Option<String> {
    let (form, respond) = server.token_request().await;
    respond.send_response(answer(200, crate::support::token(access_token, 3600)));
    form.into_iter().find(|(name, _)| name == parameter).map(|(_, value)| value)
}

/// A program that repeats challenged requests, and the mock of both servers.
struct Program<G: Grant> {
    service: Retry<RetryUnauthorized, Service<G>>,
    server: Server,
    tokens: Tokens,
}

impl<G: Grant> Program<G> {
    fn new(layer: &OAuth2Layer<G>) -> Self {
        let (service, server) = mock_service(layer);
        Self { service: RetryLayer::new(RetryUnauthorized::new()).layer(service), server, tokens: layer.tokens() }
    }

    /// Starts with this token. Its service was polled, so that `Tokens` can send requests through it.
    fn with_token(layer: &OAuth2Layer<G>, token: Token) -> Self {
        layer.tokens().set(token);
        let mut program = Self::new(layer);
        tokio_test::assert_ready_ok!(tokio_test::task::spawn(program.service.ready()).poll());
        program
    }

    fn send(&self) -> Sent {
        tokio::spawn(self.service.clone().oneshot(get(API_URL)))
    }

    /// Sends a request, and answers it with a challenge.
    async fn challenged(&mut self, response: Response<Body>) -> Sent {
        let sent = self.send();
        self.respond(response).await;
        sent
    }

    /// Answers the next request, which must be for the API, and returns its token.
    async fn respond(&mut self, response: Response<Body>) -> String {
        respond(&mut self.server, response).await
    }

    /// Accepts the repeated request, which must have this token.
    async fn accept(&mut self, sent: Sent, access_token: &str) {
        assert_eq!(self.respond(answer(200, "")).await, format!("Bearer {access_token}"));
        assert_eq!(sent.await.unwrap().unwrap().status(), 200);
    }

    /// Asserts that a challenge passes, and starts nothing.
    async fn assert_passes(&mut self, response: Response<Body>) {
        let status = response.status();
        let sent = self.challenged(response).await;
        let response = sent.await.unwrap().unwrap();
        assert_eq!(response.status(), status);
        assert!(response.extensions().get::<tower_oauth2::retry::TokenRejected>().is_none());
        self.server.assert_no_request().await;
    }

    /// Returns the next token request: its parameters.
    async fn token_request(&mut self) -> (Form, SendResponse<Response<Body>>) {
        let (form, respond) = self.server.token_request().await;
        (form.into_iter().collect(), respond)
    }

    /// Answers the next token request with this token, and returns its parameters.
    async fn issue(&mut self, access_token: &str) -> Form {
        let (form, respond) = self.token_request().await;
        respond.send_response(answer(200, crate::support::token(access_token, 3600)));
        form
    }

    /// Starts `Tokens::step_up`.
    fn step_up(&self, challenge: &Challenge) -> Stepping {
        let (tokens, challenge) = (self.tokens.clone(), challenge.clone());
        tokio::spawn(async move { tokens.step_up(&challenge).await })
    }
}

impl Program<DeviceCode> {
    /// Answers the start of a login on another device, and returns its parameters.
    async fn start_login(&mut self) -> Form {
        let (request, respond) = self.server.next().await;
        assert_eq!(request.uri(), DEVICE_URL, "a token request in place of a login");
        let code = serde_json::json!({
            "device_code": "d", "user_code": "WDJB-MJHT", "verification_uri": "https://example.com/device",
            "expires_in": 600,
        });
        respond.send_response(answer(200, code));
        form(request).await.into_iter().collect()
    }

    /// Lets the person log in, and returns the parameters of the request that started the login.
    async fn log_in(&mut self, access_token: &str) -> Form {
        let started = self.start_login().await;
        let poll = self.issue(access_token).await;
        assert_eq!(poll["device_code"], "d");
        started
    }
}

/// Ends a test on real sockets that would otherwise hang.
async fn within<T>(test: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), test).await.expect("the test hangs")
}
