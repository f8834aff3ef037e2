//! Stands right under the layer, and sees what is sent at the moment when it is sent.

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
    attempt::Place,
    ledger::Ledger,
    promises::Promise,
    run::Run,
    token_calls::TokenCalls,
    token_server::{CALL, number},
};

/// What the client knew at its last step with a request, which goes along in the request's extensions.
#[derive(Default)]
pub(crate) struct Knowledge {
    newest: AtomicU64,
    refused: AtomicU64,
}

impl Knowledge {
    /// Before each step: what is sent in that step must be at least as new.
    pub(crate) fn refresh(&self, tokens: &Tokens, ledger: &Ledger) {
        let newest = tokens.peek().and_then(|token| number(token.access_token())).unwrap_or_default();
        self.newest.fetch_max(newest, Ordering::SeqCst);
        self.refused.fetch_max(ledger.seen(newest), Ordering::SeqCst);
    }
}

/// The number of the token that a request was sent with, in the extensions of its response.
#[derive(Clone, Copy)]
pub(crate) struct SentWith(pub(crate) u64);

pub(crate) struct Witness<S> {
    inner: S,
    /// When it was first asked whether it is ready, with a look at the clock.
    asked: Option<(Instant, u64)>,
    run: Arc<Run>,
    ledger: Arc<Ledger>,
    calls: Arc<TokenCalls>,
}

impl<S> Witness<S> {
    pub(crate) fn new(inner: S, place: &Place, calls: Arc<TokenCalls>) -> Self {
        Self { inner, asked: None, run: place.run.clone(), ledger: place.ledger.clone(), calls }
    }

    fn judge(&self, access: u64, knowledge: Option<&Knowledge>) {
        if self.ledger.has_expired(access) {
            self.run.broken(Promise::NoExpiredToken, format!("token {access}"));
        }
        let Some(knowledge) = knowledge else { return };
        let newest = knowledge.newest.load(Ordering::SeqCst);
        if access < newest {
            self.run.broken(Promise::NoOlderToken, format!("token {access}, and {newest} was there"));
        }
        if access <= knowledge.refused.load(Ordering::SeqCst) {
            self.run.broken(Promise::NoRefusedToken, format!("token {access}"));
        }
    }
}

impl<S, B, R> Service<Request<B>> for Witness<S>
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
        self.asked.get_or_insert_with(|| (Instant::now(), self.run.clock.look()));
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let asked = self.asked.take().unwrap_or_else(|| (Instant::now(), self.run.clock.look()));
        if request.uri().path() == "/token" {
            let call = self.calls.begin(asked);
            request.headers_mut().insert(CALL, HeaderValue::from(call.number));
            let answer = self.inner.call(request);
            return Box::pin(async move {
                let answer = answer.await;
                call.ended(&answer);
                answer.map_err(Into::into)
            });
        }
        let access = access(request.headers()).unwrap_or_default();
        self.judge(access, request.extensions().get::<Arc<Knowledge>>().map(|knowledge| &**knowledge));
        let answer = self.inner.call(request);
        Box::pin(async move {
            let mut answer = answer.await.map_err(Into::into)?;
            answer.extensions_mut().insert(SentWith(access));
            Ok(answer)
        })
    }
}

impl<S: Clone> Clone for Witness<S> {
    fn clone(&self) -> Self {
        let (run, ledger, calls) = (self.run.clone(), self.ledger.clone(), self.calls.clone());
        Self { inner: self.inner.clone(), asked: None, run, ledger, calls }
    }
}

fn access(headers: &HeaderMap) -> Option<u64> {
    number(headers.get(AUTHORIZATION)?.to_str().ok()?)
}
