//! Implements `poll_ready` and `call`: the fast path of a request with a fresh token.

use std::task::{Context, Poll, ready};

use http::{Request, Response};
use tower_service::Service;

use super::oauth2::{OAuth2, Readiness};
use crate::authorize;
use crate::error::BoxError;
use crate::future::ResponseFuture;
use crate::route::TokenRoute;

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
        if !self.has_token {
            // The fast path requires that the transport for handles is registered. A header is kept only after that.
            let fresh = self.shared.fresh.get();
            let is_fresh = fresh == self.header.generation || (fresh != 0 && self.shared.transport.is_registered());
            if is_fresh && matches!(self.readiness, Readiness::Idle) {
                self.has_token = true;
            } else if !ready!(self.poll_token::<B>(cx)) {
                return Poll::Ready(Ok(()));
            }
        }
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    // Always inlined, which saves a move of the request. All other cases are in functions that are not inlined.
    #[inline(always)]
    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let shared = &*self.shared;
        let generation = shared.fresh.get();
        if !self.has_token || !shared.fast_policy.should_authorize(request.uri()) {
            return self.call_slow(request);
        }
        let has_own_authorization = match &self.header.value {
            Some(header) if self.header.generation == generation => Some(authorize::append(&mut request, header)),
            _ => self.header.find(generation, |header| authorize::append(&mut request, header)),
        };
        match has_own_authorization {
            Some(false) => {}
            Some(true) => return self.call_with_authorization(request),
            None => return self.call_slow(request),
        }
        self.has_token = false;
        ResponseFuture::sent(self.inner.call(request), generation)
    }
}
