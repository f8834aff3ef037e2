//! The authorization server and the API, in one service inside the program. A token says when it ends, so the API needs
//! no list of them.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::{BoxFuture, Either, FutureExt};
use http::{Method, Request, Response, StatusCode, header::AUTHORIZATION};
use http_body_util::Full;
use tokio::time::{Instant, sleep};
use tower::Service;

pub(crate) const TOKEN_URL: &str = "https://auth.example/token";
pub(crate) const API: &str = "https://api.example";

pub(crate) const LIFETIME: Duration = Duration::from_secs(60 * 60);

/// What a token call takes, however many come at once: what a crowd does to a real server is another story.
pub(crate) const LATENCY: Duration = Duration::from_millis(50);

/// Clones are the same server.
#[derive(Clone)]
pub(crate) struct Server {
    opened: Instant,
    /// By the second in which they came.
    token_calls: Arc<Mutex<Vec<u32>>>,
}

type Answer = Response<Full<Bytes>>;
type Answered = Result<Answer, Infallible>;

impl Server {
    pub(crate) fn open() -> Self {
        Self { opened: Instant::now(), token_calls: Arc::default() }
    }

    pub(crate) fn token_calls(&self) -> Vec<u32> {
        self.token_calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn token(self) -> Answered {
        self.count_token_call();
        sleep(LATENCY).await;
        let end = (self.opened.elapsed() + LIFETIME).as_millis();
        let lifetime = LIFETIME.as_secs();
        Ok(Response::new(Full::from(format!(r#"{{"access_token":"{end}","expires_in":{lifetime}}}"#))))
    }

    fn api(&self, request: &Request<Full<Bytes>>) -> Answered {
        let mut answer = Response::new(Full::default());
        if end(request).is_none_or(|end| end <= self.opened.elapsed()) {
            *answer.status_mut() = StatusCode::UNAUTHORIZED;
        }
        Ok(answer)
    }

    fn count_token_call(&self) {
        let second = self.opened.elapsed().as_secs() as usize;
        let mut calls = self.token_calls.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.len() <= second {
            calls.resize(second + 1, 0);
        }
        calls[second] += 1;
    }
}

/// When the request's token ends, since the server opened.
fn end(request: &Request<Full<Bytes>>) -> Option<Duration> {
    let token = request.headers().get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
    token.parse().map(Duration::from_millis).ok()
}

impl Service<Request<Full<Bytes>>> for Server {
    type Response = Answer;
    type Error = Infallible;
    type Future = Either<Ready<Answered>, BoxFuture<'static, Answered>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        // Only token calls are posted.
        match *request.method() {
            Method::POST => Either::Right(self.clone().token().boxed()),
            _ => Either::Left(ready(self.api(&request))),
        }
    }
}
