//! One world for all conversations: an authorization server and the APIs, behind one scripted inner service.

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

/// After it a token that the world gave out has expired.
pub(crate) const LIFETIME: Duration = Duration::from_secs(3600);
/// Longer than the back-off after a first failure, whatever its jitter.
pub(crate) const BACKOFF: Duration = Duration::from_secs(2);

/// What a neighbour stands over or under, and what a whole stack is.
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

/// Far more than any conversation takes: what is not there by then never comes.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(600), future).await.expect("a deadlock")
}

/// One request through this very stack, not through a clone: whatever it has left in there counts.
pub(crate) async fn get(stack: &mut impl Stack, uri: &str) -> Result<Response, BoxError> {
    soon(async { stack.ready().await.map_err(Into::into)?.call(request(uri)).await.map_err(Into::into) }).await
}

/// The layer's own error, however deep the neighbours have wrapped it.
pub(crate) fn ours(error: &BoxError) -> &tower_oauth2::Error {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error.as_ref());
    while let Some(error) = next {
        if let Some(ours) = error.downcast_ref() {
            return ours;
        }
        next = error.source();
    }
    panic!("not ours: {error:?}")
}

/// The inner service: it answers at once unless told otherwise, and remembers what it was asked.
#[derive(Clone, Default)]
pub(crate) struct World(Arc<Mutex<Script>>);

#[derive(Default)]
pub(crate) struct Script {
    /// For the next token calls; after them each gets a token.
    pub(crate) failures: VecDeque<Failure>,
    pub(crate) token_takes: Duration,
    pub(crate) api_takes: Duration,
    /// From where, with which status, to where.
    pub(crate) moved: Vec<(&'static str, u16, &'static str)>,
    seen: Vec<Seen>,
}

/// How a token call fails.
#[derive(Clone, Copy)]
pub(crate) enum Failure {
    /// There is no answer.
    Unreachable,
    /// The answer has this status.
    Status(u16),
}

/// A request, as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) uri: String,
    pub(crate) method: Method,
    pub(crate) authorization: Option<String>,
    pub(crate) body: Full<Bytes>,
}

impl World {
    pub(crate) fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap()
    }

    /// The requests that came to this address.
    pub(crate) fn seen(&self, uri: &str) -> Vec<Seen> {
        self.script().seen.iter().filter(|seen| seen.uri == uri).cloned().collect()
    }

    pub(crate) fn token_calls(&self) -> usize {
        self.seen(TOKEN_URL).len()
    }

    /// What the requests to this address were authorized with.
    pub(crate) fn authorizations(&self, uri: &str) -> Vec<Option<String>> {
        self.seen(uri).into_iter().map(|seen| seen.authorization).collect()
    }
}

impl Service<Request> for World {
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
        script.seen.push(Seen { uri, method: request.method().clone(), authorization, body: request.body().clone() });
        let (takes, answer) = script.answer();
        Box::pin(async move {
            if !takes.is_zero() {
                tokio::time::sleep(takes).await;
            }
            answer
        })
    }
}

impl Script {
    /// To the last request that was seen, and how long it takes.
    fn answer(&mut self) -> (Duration, Result<Response, BoxError>) {
        let uri = self.seen.last().unwrap().uri.as_str();
        let is_token_call = uri == TOKEN_URL;
        let takes = if is_token_call { self.token_takes } else { self.api_takes };
        if let Some((_, status, to)) = self.moved.iter().find(|(from, ..)| *from == uri) {
            let answer = http::Response::builder().status(*status).header(LOCATION, *to);
            return (takes, Ok(answer.body(Full::default()).unwrap()));
        }
        let failure = if is_token_call { self.failures.pop_front() } else { None };
        let answer = match failure {
            Some(Failure::Unreachable) => Err("connection refused".into()),
            Some(Failure::Status(status)) => {
                Ok(http::Response::builder().status(status).body(Full::default()).unwrap())
            }
            None => {
                let number = self.seen.iter().filter(|seen| seen.uri == TOKEN_URL).count();
                let token = format!(r#"{{"access_token": "t{number}", "expires_in": {}}}"#, LIFETIME.as_secs());
                Ok(http::Response::new(Full::from(token)))
            }
        };
        (takes, answer)
    }
}
