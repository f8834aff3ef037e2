//! A service directly under the layer: it checks each request at the moment when it is sent.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Instant,
};

use http::{HeaderMap, HeaderValue, Request, Response, header::AUTHORIZATION};
use tower::{BoxError, Service};
use tower_oauth2::Tokens;

use super::{
    ledger::Ledger,
    promises::Promise,
    request::LoginContext,
    run::Run,
    sends::Sends,
    token_requests::TokenRequests,
    token_server::{REQUEST_NUMBER, number},
};

/// The newest token at the last poll of a request, in the request's extensions.
#[derive(Default)]
pub(crate) struct NewestToken {
    newest: AtomicU64,
}

impl NewestToken {
    /// Called before each poll: the token that is sent in that poll must be at least as new.
    pub(crate) fn refresh(&self, tokens: &Tokens, ledger: &Ledger) {
        let newest = tokens.peek().and_then(|token| number(token.access_token())).unwrap_or_default();
        self.newest.fetch_max(newest, Ordering::SeqCst);
        ledger.seen(newest);
    }
}

/// The number of the token that a request carried, in the extensions of its response.
#[derive(Clone, Copy)]
pub(crate) struct SentWith(pub(crate) u64);

pub(crate) struct Monitor<S> {
    inner: S,
    /// When it was first polled for readiness, and the clock's epoch then.
    ready_at: Option<(Instant, u64)>,
    run: Arc<Run>,
    ledger: Arc<Ledger>,
    token_requests: Arc<TokenRequests>,
}

impl<S> Monitor<S> {
    pub(crate) fn new(inner: S, context: &LoginContext, token_requests: Arc<TokenRequests>) -> Self {
        Self { inner, ready_at: None, run: context.run.clone(), ledger: context.ledger.clone(), token_requests }
    }

    fn check(&self, access: u64, newest_token: Option<&NewestToken>) {
        if self.ledger.has_expired(access) {
            self.run.broken(Promise::NoExpiredToken, format!("token {access}"));
        }
        if self.token_requests.is_overdue(access) {
            self.run.broken(Promise::RejectionsTriggerRefresh, format!("token {access} is still sent"));
        }
        let Some(newest_token) = newest_token else { return };
        let newest = newest_token.newest.load(Ordering::SeqCst);
        if access < newest {
            self.run.broken(Promise::NoOlderToken, format!("token {access}, when {newest} was available"));
        }
    }
}

impl<S, B, R> Service<Request<B>> for Monitor<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError> + Send,
    R: Send,
{
    type Response = Response<R>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.ready_at.get_or_insert_with(|| (Instant::now(), self.run.clock.epoch()));
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let ready_at = self.ready_at.take().unwrap_or_else(|| (Instant::now(), self.run.clock.epoch()));
        if request.uri().path() == "/token" {
            let token_request = self.token_requests.begin(ready_at);
            request.headers_mut().insert(REQUEST_NUMBER, HeaderValue::from(token_request.number));
            let response = self.inner.call(request);
            return Box::pin(async move {
                let response = response.await;
                token_request.completed(&response);
                response.map_err(Into::into)
            });
        }
        let access = access(request.headers()).unwrap_or_default();
        let sends = request.extensions().get::<Arc<Sends>>().cloned();
        if let Some(sends) = &sends {
            sends.sent(&self.run, request.headers());
        }
        self.check(access, request.extensions().get::<Arc<NewestToken>>().map(|newest_token| &**newest_token));
        let response = self.inner.call(request);
        Box::pin(async move {
            let mut response = response.await.map_err(Into::into)?;
            if let Some(sends) = sends {
                sends.answered(response.status(), response.headers());
            }
            response.extensions_mut().insert(SentWith(access));
            Ok(response)
        })
    }
}

impl<S: Clone> Clone for Monitor<S> {
    fn clone(&self) -> Self {
        let (run, ledger, token_requests) = (self.run.clone(), self.ledger.clone(), self.token_requests.clone());
        Self { inner: self.inner.clone(), ready_at: None, run, ledger, token_requests }
    }
}

fn access(headers: &HeaderMap) -> Option<u64> {
    number(headers.get(AUTHORIZATION)?.to_str().ok()?)
}
