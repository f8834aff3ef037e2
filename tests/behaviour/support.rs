//! A mock of the authorization server and the API.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, service_fn};
use tower_test::mock::{self, Mock, SendResponse};

use tower_oauth2::client::Client;
use tower_oauth2::grant::ClientCredentials;
use tower_oauth2::{Error, OAuth2, OAuth2Layer, Token, Tokens};

pub(crate) type Body = Full<Bytes>;
pub(crate) type Inner = Mock<Request<Body>, Response<Body>>;
pub(crate) type TokenService = BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>;
pub(crate) type Forms = UnboundedReceiver<Vec<(String, String)>>;
pub(crate) type Service<G = ClientCredentials> = OAuth2<Inner, G>;

pub(crate) const TOKEN_URL: &str = "https://auth.example.com/token";
pub(crate) const API_URL: &str = "https://api.example.com/things";

/// The mock server. Its requests wait until the test responds.
pub(crate) struct Server(mock::Handle<Request<Body>, Response<Body>>);

impl From<mock::Handle<Request<Body>, Response<Body>>> for Server {
    fn from(handle: mock::Handle<Request<Body>, Response<Body>>) -> Self {
        Self(handle)
    }
}

pub(crate) fn grant() -> ClientCredentials {
    ClientCredentials::new(TOKEN_URL, Client::basic("id", "secret")).unwrap()
}

pub(crate) fn layer() -> OAuth2Layer<ClientCredentials> {
    OAuth2Layer::new(grant())
}

/// Returns a service of `layer`, and the mock server behind it.
pub(crate) fn mock_service<G>(layer: &OAuth2Layer<G>) -> (Service<G>, Server) {
    let (inner, handle) = mock::pair();
    (tower::Layer::layer(layer, inner), Server(handle))
}

pub(crate) fn get(uri: &str) -> Request<Body> {
    Request::get(uri).body(Body::default()).unwrap()
}

/// Returns the error of the layer in the box.
pub(crate) fn ours(error: BoxError) -> Error {
    *error.downcast::<Error>().unwrap()
}

/// Returns the `Authorization` header of the request. Panics if there are several.
pub(crate) fn authorization(request: &Request<Body>) -> Option<&str> {
    let mut all = request.headers().get_all(AUTHORIZATION).iter();
    let first = all.next().map(|value| value.to_str().unwrap());
    assert_eq!(all.next(), None, "several `Authorization` headers");
    first
}

pub(crate) fn token(access_token: &str, expires_in: u64) -> Value {
    json!({"access_token": access_token, "token_type": "Bearer", "expires_in": expires_in})
}

pub(crate) fn answer(status: u16, body: impl ToString) -> Response<Body> {
    Response::builder().status(status).body(body.to_string().into()).unwrap()
}

/// Starts `Tokens::refresh` in the background.
pub(crate) fn spawn_refresh(tokens: &Tokens) -> JoinHandle<Result<Token, Error>> {
    let tokens = tokens.clone();
    tokio::spawn(async move { tokens.refresh().await })
}

/// Advances the paused clock, and runs the tasks that this wakes.
pub(crate) async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

impl Server {
    /// Returns the next request.
    pub(crate) async fn next(&mut self) -> (Request<Body>, SendResponse<Response<Body>>) {
        // With a timeout, so that a missing request fails the test instead of blocking it.
        tokio::time::timeout(Duration::from_secs(3600), self.0.next_request()).await.expect("no request").unwrap()
    }

    /// Returns the form of the next request, which must be a token request.
    pub(crate) async fn token_request(&mut self) -> (Vec<(String, String)>, SendResponse<Response<Body>>) {
        let (request, respond) = self.next().await;
        assert_eq!(request.uri(), TOKEN_URL);
        (form(request).await, respond)
    }

    /// Responds to the next request, which must be a token request, with this token.
    pub(crate) async fn issue_token(&mut self, token: Value) {
        let (_, respond) = self.token_request().await;
        respond.send_response(answer(200, token));
    }

    /// Responds to the next request, which must be a token request without a refresh token, with this token.
    pub(crate) async fn issue_first_token(&mut self, token: Value) {
        let (form, respond) = self.token_request().await;
        assert_eq!(form[0].1, "client_credentials");
        respond.send_response(answer(200, token));
    }

    /// Responds to the next request, which must be for the API. Returns its `Authorization` header.
    pub(crate) async fn next_authorization(&mut self) -> Option<String> {
        let (request, respond) = self.next().await;
        assert_ne!(request.uri(), TOKEN_URL);
        let authorized = authorization(&request).map(ToOwned::to_owned);
        respond.send_response(answer(200, ""));
        authorized
    }

    /// Asserts that no token request is sent. Ignores requests to the API whose callers were dropped.
    pub(crate) async fn assert_no_token_request(&mut self) {
        for _ in 0..10 {
            tokio::task::yield_now().await;
            while let Poll::Ready(Some((request, _))) = tokio_test::task::spawn(self.0.next_request()).poll() {
                assert_ne!(request.uri(), TOKEN_URL);
            }
        }
    }

    /// Asserts that no request is sent, even after all tasks have run.
    pub(crate) async fn assert_no_request(&mut self) {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        // The stream of requests ends if all services were dropped, because the token cell keeps none of them alive.
        let next = tokio_test::task::spawn(self.0.next_request()).poll();
        assert!(!matches!(next, Poll::Ready(Some(_))), "an unexpected request");
    }
}

pub(crate) async fn form(request: Request<Body>) -> Vec<(String, String)> {
    let body = request.into_body().collect().await.unwrap().to_bytes();
    url::form_urlencoded::parse(&body).into_owned().collect()
}

/// Returns a token endpoint that sends these responses and then tokens, and the forms that it receives.
pub(crate) fn token_endpoint(answers: Vec<Response<Body>>) -> (TokenService, Forms) {
    let (sender, forms) = unbounded_channel();
    let answers = Arc::new(Mutex::new(VecDeque::from(answers)));
    let service = service_fn(move |request: Request<Body>| {
        let (sender, answers) = (sender.clone(), answers.clone());
        async move {
            assert_eq!(request.uri(), TOKEN_URL);
            sender.send(form(request).await)?;
            let next = answers.lock().unwrap().pop_front();
            Ok(next.unwrap_or_else(|| answer(200, token("a", 3600))))
        }
    });
    (BoxCloneSyncService::new(service), forms)
}

/// Converts the pairs of a form.
pub(crate) fn pairs(form: &[(&str, &str)]) -> Vec<(String, String)> {
    form.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
