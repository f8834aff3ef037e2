//! `call` for requests without a fresh token, to another origin, or with their own `Authorization` header.

use std::sync::Arc;

use http::Request;
use tower_service::Service;

use super::oauth2::{OAuth2, Readiness};
use crate::authorize::{self, AuthorizePolicy};
use crate::cell::{Acquire, Freshness, TokenCell};
use crate::clock;
use crate::error::{Error, ErrorKind};
use crate::extensions::NewerThan;
use crate::future::{Attached, Attachment, PendingToken, ResponseFuture, SentWithoutToken, TokenWait};
use crate::route::TokenRoute;
use crate::transport::Transport;

/// A request that is not on the fast path: the inner service, the cell of its token, and where the token may be sent.
pub(crate) struct SlowCall<'a, S, M> {
    /// It is ready, unless `poll_ready` has failed.
    pub(crate) inner: &'a mut S,
    pub(crate) cell: &'a Arc<TokenCell>,
    pub(crate) policy: &'a Arc<AuthorizePolicy>,
    /// Returns the transport for token requests of this inner service.
    pub(crate) transport: M,
}

/// How a request continues.
enum Prepared {
    /// The request is sent with a token, or without one until a server demands it. The inner service is ready.
    Send(Attached),
    /// The request is sent without a token, which must not be sent there. The inner service is ready.
    SendWithoutToken,
    /// The request is not sent.
    Fail(Error),
    /// The request waits for the inner service, and for a token and its proof if it needs them.
    Defer(Option<TokenWait>),
}

impl<S, G, T> OAuth2<S, G, T> {
    /// Handles a request that is not on the fast path. Not inlined, so that the fast path stays short.
    #[inline(never)]
    pub(super) fn call_slow<B>(&mut self, request: Request<B>) -> ResponseFuture<S::Future, S, B>
    where
        S: Service<Request<B>> + Clone,
        T: TokenRoute<S, B>,
    {
        self.has_token = false;
        let (readiness, shared) = (std::mem::take(&mut self.readiness), &*self.shared);
        let transport = |inner: &S| shared.route.transport(inner);
        SlowCall { inner: &mut self.inner, cell: &shared.cell, policy: &shared.policy, transport }
            .send(request, readiness)
    }

    /// Handles a request with its own `Authorization` header. Removes the token, which the fast path has appended.
    #[cold]
    #[inline(never)]
    pub(super) fn call_with_authorization<B>(&mut self, mut request: Request<B>) -> ResponseFuture<S::Future, S, B>
    where
        S: Service<Request<B>> + Clone,
        T: TokenRoute<S, B>,
    {
        authorize::remove_last(&mut request);
        self.call_slow(request)
    }
}

impl<S: Clone, M: Fn(&S) -> Transport> SlowCall<'_, S, M> {
    /// Sends the request, or returns a future that waits for what the request needs.
    pub(crate) fn send<B>(mut self, mut request: Request<B>, readiness: Readiness) -> ResponseFuture<S::Future, S, B>
    where
        S: Service<Request<B>>,
    {
        let newer_than = self.newer_than(&request);
        match self.prepare(&mut request, newer_than, readiness) {
            Prepared::Send(attached) => ResponseFuture::attached(self.inner.call(request), attached),
            Prepared::SendWithoutToken => ResponseFuture::without_token(self.inner.call(request)),
            Prepared::Fail(error) => ResponseFuture::failed(error, &request),
            Prepared::Defer(wait) => {
                let pending = wait.map(|wait| {
                    let transport = (self.transport)(self.inner);
                    PendingToken::new(self.cell.clone(), self.policy.clone(), transport, newer_than, wait)
                });
                ResponseFuture::deferred(self.inner.clone(), request, pending)
            }
        }
    }

    /// Returns the generation of the token that a repeated request was rejected with, if it is a token of this cell.
    fn newer_than<B>(&self, request: &Request<B>) -> Option<u64> {
        let NewerThan(generation) = request.extensions().get()?;
        Some(*generation).filter(|generation| self.cell.is_own_generation(*generation))
    }

    fn prepare<B>(&mut self, request: &mut Request<B>, newer_than: Option<u64>, readiness: Readiness) -> Prepared {
        let (cell, policy) = (self.cell, self.policy);
        let inner_is_ready = match &readiness {
            // `poll_ready` was called inside the grant of this cell. The request fails, even if it would be sent without a token.
            Readiness::Failed(error) if error.error.kind() == ErrorKind::Recursion => {
                return Prepared::Fail(error.error.clone());
            }
            readiness => !matches!(readiness, Readiness::Failed(_)),
        };
        match policy.should_authorize(request) {
            Err(error) => {
                self.release_inner();
                return Prepared::Fail(error);
            }
            Ok(false) => return if inner_is_ready { Prepared::SendWithoutToken } else { Prepared::Defer(None) },
            Ok(true) => {}
        }
        // The newest token is attached. Since `poll_ready` it may have been refreshed, or may have expired.
        if inner_is_ready {
            let attachment = cell.with_valid(|token| {
                token.is_newer_than(newer_than).then(|| Attachment::new(request, token, policy, cell))
            });
            if let Some(attachment) = attachment.flatten() {
                return self.send_or_wait(attachment);
            }
        }
        if let Some(generation) = cell.generation_without_token(policy, newer_than) {
            return if inner_is_ready {
                let transport = (self.transport)(self.inner);
                Prepared::Send(Attached::Nothing(SentWithoutToken::new(cell, generation, transport)))
            } else {
                Prepared::Defer(Some(TokenWait::Nothing))
            };
        }
        match readiness {
            Readiness::ArrivedStale(token)
                if token.in_grace_period(clock::now())
                    && token.is_newer_than(newer_than)
                    && cell.is_current_generation(token.generation) =>
            {
                self.send_or_wait(Attachment::new(request, &token, policy, cell))
            }
            Readiness::Failed(error) if cell.still_applies(&error) && cell.freshness() == Freshness::Stale => {
                Prepared::Fail(error.error)
            }
            // Either the service was ready for a long time, for example in a `ReadyCache`, so that the token has expired or the back-off has
            // passed; or the request is a retry, and needs a newer token.
            _ => {
                self.release_inner();
                match cell.acquire(newer_than, || Some((self.transport)(self.inner))) {
                    Acquire::Failed(error) => Prepared::Fail(error.error),
                    acquired => Prepared::Defer(Some(acquired.into())),
                }
            }
        }
    }

    fn send_or_wait(&mut self, attachment: Result<Attachment, Error>) -> Prepared {
        let not_sent = match attachment {
            Ok(Attachment::Attached(attached)) => return Prepared::Send(attached),
            Ok(Attachment::Pending(proof)) => Prepared::Defer(Some(TokenWait::Proof(proof))),
            Err(error) => Prepared::Fail(error),
        };
        self.release_inner();
        not_sent
    }

    /// Releases the permit or queue slot of a ready inner service. Other requests may need it, for example the token request.
    fn release_inner(&mut self) {
        *self.inner = self.inner.clone();
    }
}
