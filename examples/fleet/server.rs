//! The authorization server and the API, as one service in this process. A token contains its expiry, so the API needs no
//! list of tokens.

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

/// The latency of a token request. It does not depend on the load, unlike that of a real server.
pub(crate) const LATENCY: Duration = Duration::from_millis(50);

/// Clones share their state.
#[derive(Clone)]
pub(crate) struct Server {
    opened: Instant,
    /// The number of token requests in each second.
    token_requests: Arc<Mutex<Vec<u32>>>,
}

type ApiResponse = Response<Full<Bytes>>;
type ResponseResult = Result<ApiResponse, Infallible>;

impl Server {
    pub(crate) fn open() -> Self {
        Self { opened: Instant::now(), token_requests: Arc::default() }
    }

    pub(crate) fn token_requests(&self) -> Vec<u32> {
        self.token_requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn token(self) -> ResponseResult {
        self.count_token_request();
        sleep(LATENCY).await;
        let end = (self.opened.elapsed() + LIFETIME).as_millis();
        let lifetime = LIFETIME.as_secs();
        Ok(Response::new(Full::from(format!(r#"{{"access_token":"{end}","expires_in":{lifetime}}}"#))))
    }

    fn api(&self, request: &Request<Full<Bytes>>) -> ResponseResult {
        let mut answer = Response::new(Full::default());
        if end(request).is_none_or(|end| end <= self.opened.elapsed()) {
            *answer.status_mut() = StatusCode::UNAUTHORIZED;
        }
        Ok(answer)
    }

    fn count_token_request(&self) {
        let second = self.opened.elapsed().as_secs() as usize;
        let mut counts = self.token_requests.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() <= second {
            counts.resize(second + 1, 0);
        }
        counts[second] += 1;
    }
}

/// The expiry of the request's token, since the server was opened.
fn end(request: &Request<Full<Bytes>>) -> Option<Duration> {
    let token = request.headers().get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
    token.parse().map(Duration::from_millis).ok()
}

impl Service<Request<Full<Bytes>>> for Server {
    type Response = ApiResponse;
    type Error = Infallible;
    type Future = Either<Ready<ResponseResult>, BoxFuture<'static, ResponseResult>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        // Only token requests use POST.
        match *request.method() {
            Method::POST => Either::Right(self.clone().token().boxed()),
            _ => Either::Left(ready(self.api(&request))),
        }
    }
}
