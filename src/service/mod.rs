//! The service: it is ready when there is a token, and puts the token into each request.

mod careful;
mod readiness;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use tower_service::Service;

use self::readiness::Readiness;
use crate::attach::{self, Attach};
use crate::cell::{Cell, Pass, Tokens};
use crate::error::BoxError;
use crate::future::ResponseFuture;
use crate::route::{ThroughInner, TokenRoute};

/// A service whose requests carry a token; made by [`OAuth2Layer`](crate::OAuth2Layer).
///
/// It is ready when there is a token and the inner service is ready. A token that cannot be had is told by `call`, never
/// by `poll_ready`: to tower a service that fails there is dead for ever.
///
/// # Errors
///
/// The inner service's own pass through as they are. The layer's own are an [`Error`](crate::Error), to downcast to.
///
/// # Cancel safety
///
/// Dropped while it waits, it takes nothing from others: a token call runs to its end. See [readiness](crate::docs::readiness).
pub struct OAuth2<S, G, T = ThroughInner> {
    inner: S,
    cell: Arc<Cell>,
    attach: Arc<Attach>,
    route: T,
    readiness: Readiness,
    /// There was a token that serves, and what is left is the inner service. It stands beside `readiness`, which is idle then,
    /// so that a request with a fresh token has nothing to drop.
    is_fresh: bool,
    /// The token of the last request.
    pass: Pass,
    grant: PhantomData<fn() -> G>,
}

impl<S, G, T> OAuth2<S, G, T> {
    pub(crate) fn new(inner: S, cell: Arc<Cell>, attach: Arc<Attach>, route: T) -> Self {
        let pass = cell.no_pass();
        Self { inner, cell, attach, route, readiness: Readiness::Idle, is_fresh: false, pass, grant: PhantomData }
    }

    /// A handle to the token that all services of the layer share.
    pub fn tokens(&self) -> Tokens {
        Tokens::new(self.cell.clone(), self.attach.clone())
    }
}

impl<S, G, T, B, R> Service<Request<B>> for OAuth2<S, G, T>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    T: TokenRoute<S, B>,
{
    type Response = Response<R>;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future, S, B>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if !self.is_fresh {
            if matches!(self.readiness, Readiness::Idle) && self.pass.is_fresh() {
                self.is_fresh = true;
            } else if !ready!(self.poll_token::<B>(cx)) {
                return Poll::Ready(Ok(()));
            }
        }
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    // Always inlined, so that the request is moved once less. All but the plain case is out of line.
    #[inline(always)]
    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if !self.pass.is_fresh() || !self.is_fresh || !self.attach.plainly_wants(request.uri()) {
            return self.call_with_care(request);
        }
        if attach::append(&mut request, &self.pass.header) {
            return self.call_with_its_own(request);
        }
        self.is_fresh = false;
        let sent = Some(self.pass.sent);
        ResponseFuture::sending(self.inner.call(request), sent)
    }
}

/// The clone is not ready: readiness counts once.
impl<S: Clone, G, T: Clone> Clone for OAuth2<S, G, T> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.cell.clone(), self.attach.clone(), self.route.clone())
    }
}

impl<S: fmt::Debug, G, T> fmt::Debug for OAuth2<S, G, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuth2")
            .field("inner", &self.inner)
            .field("grant", &std::any::type_name::<G>())
            .field("tokens", &self.tokens())
            .finish_non_exhaustive()
    }
}
