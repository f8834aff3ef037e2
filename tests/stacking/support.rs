//! A mock server for all scenarios: the authorization server and the APIs as one scripted inner service.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::header::{AUTHORIZATION, LOCATION};
use http_body_util::Full;
use tower::{BoxError, Service, ServiceExt};
use tower_oauth2::OAuth2Layer;
use tower_oauth2::client::Client;
use tower_oauth2::grant::ClientCredentials;

pub(crate) type Request = http::Request<Full<Bytes>>;
pub(crate) type Response = http::Response<Full<Bytes>>;

pub(crate) const TOKEN_URL: &str = "https://auth.example.com/token";
pub(crate) const API: &str = "https://api.example.com/things";
pub(crate) const ELSEWHERE: &str = "https://elsewhere.example/things";

/// The lifetime of the tokens that the mock server issues.
pub(crate) const LIFETIME: Duration = Duration::from_secs(3600);
/// Longer than the back-off after a first failure, with any jitter.
pub(crate) const BACKOFF: Duration = Duration::from_secs(2);

/// A service in a stack, and a whole stack.
pub(crate) trait Stack:
    Service<Request, Response = Response, Error: Into<BoxError> + Send, Future: Send> + Clone + Send + 'static
{
}

impl<S> Stack for S
where
    S: Service<Request, Response = Response> + Clone + Send + 'static,
    S::Error: Into<BoxError> + Send,
    S::Future: Send,
{
}

pub(crate) fn layer() -> OAuth2Layer<ClientCredentials> {
    let grant = ClientCredentials::new(TOKEN_URL, Client::basic("id", "secret")).unwrap();
    OAuth2Layer::new(grant).origin("https://api.example.com").unwrap()
}

pub(crate) fn request(uri: &str) -> Request {
    http::Request::get(uri).body(Full::default()).unwrap()
}

/// Panics after a timeout that is far longer than any scenario.
pub(crate) async fn within_timeout<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(600), future).await.expect("a deadlock")
}

/// Sends a request through the stack itself and not through a clone, so that state of earlier requests counts.
pub(crate) async fn get(stack: &mut impl Stack, uri: &str) -> Result<Response, BoxError> {
    within_timeout(async { stack.ready().await.map_err(Into::into)?.call(request(uri)).await.map_err(Into::into) })
        .await
}

/// Returns the layer's error from the sources of an error.
pub(crate) fn oauth_error(error: &BoxError) -> &tower_oauth2::Error {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error.as_ref());
    while let Some(error) = next {
        if let Some(oauth_error) = error.downcast_ref() {
            return oauth_error;
        }
        next = error.source();
    }
    panic!("not an error of the layer: {error:?}")
}

/// The inner service. It responds at once unless its script sets a latency, and records the requests.
#[derive(Clone, Default)]
pub(crate) struct MockServer(Arc<Mutex<Script>>);

#[derive(Default)]
pub(crate) struct Script {
    /// The failures of the next token requests. Later ones succeed.
    pub(crate) failures: VecDeque<Failure>,
    pub(crate) token_latency: Duration,
    pub(crate) api_latency: Duration,
    /// Redirects: the source, the status, and the target.
    pub(crate) redirects: Vec<(&'static str, u16, &'static str)>,
    received: Vec<ReceivedRequest>,
}

/// How a token request fails.
#[derive(Clone, Copy)]
pub(crate) enum Failure {
    /// There is no response.
    Unreachable,
    /// The response has this status.
    Status(u16),
}

/// A received request.
#[derive(Clone, Debug)]
pub(crate) struct ReceivedRequest {
    pub(crate) uri: String,
    pub(crate) method: Method,
    pub(crate) authorization: Option<String>,
    pub(crate) body: Full<Bytes>,
}

impl MockServer {
    pub(crate) fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap()
    }

    /// The requests to this URI.
    pub(crate) fn received(&self, uri: &str) -> Vec<ReceivedRequest> {
        self.script().received.iter().filter(|received| received.uri == uri).cloned().collect()
    }

    pub(crate) fn token_requests(&self) -> usize {
        self.received(TOKEN_URL).len()
    }

    /// The `Authorization` headers of the requests to this URI.
    pub(crate) fn authorizations(&self, uri: &str) -> Vec<Option<String>> {
        self.received(uri).into_iter().map(|received| received.authorization).collect()
    }
}

impl Service<Request> for MockServer {
    type Response = Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let uri = request.uri().to_string();
        let header = request.headers().get(AUTHORIZATION);
        let authorization = header.map(|value| value.to_str().unwrap().to_owned());
        let mut script = self.script();
        script.received.push(ReceivedRequest {
            uri,
            method: request.method().clone(),
            authorization,
            body: request.body().clone(),
        });
        let (latency, response) = script.response();
        Box::pin(async move {
            if !latency.is_zero() {
                tokio::time::sleep(latency).await;
            }
            response
        })
    }
}

impl Script {
    /// Returns the latency of the last request and its response.
    fn response(&mut self) -> (Duration, Result<Response, BoxError>) {
        let uri = self.received.last().unwrap().uri.as_str();
        let is_token_request = uri == TOKEN_URL;
        let latency = if is_token_request { self.token_latency } else { self.api_latency };
        if let Some((_, status, to)) = self.redirects.iter().find(|(from, ..)| *from == uri) {
            let response = http::Response::builder().status(*status).header(LOCATION, *to);
            return (latency, Ok(response.body(Full::default()).unwrap()));
        }
        let failure = if is_token_request { self.failures.pop_front() } else { None };
        let response = match failure {
            Some(Failure::Unreachable) => Err("connection refused".into()),
            Some(Failure::Status(status)) => {
                Ok(http::Response::builder().status(status).body(Full::default()).unwrap())
            }
            None => {
                let number = self.received.iter().filter(|received| received.uri == TOKEN_URL).count();
                let token = format!(r#"{{"access_token": "t{number}", "expires_in": {}}}"#, LIFETIME.as_secs());
                Ok(http::Response::new(Full::from(token)))
            }
        };
        (latency, response)
    }
}
