//! A request that waits for a token, or for the inner service.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::Request;
use tower_service::Service;

use super::protocol::for_protocol;
use super::sent_token::SentToken;
use crate::authorize::AuthorizePolicy;
use crate::cell::{Acquire, BoundedWait, CachedError, CachedToken, TokenCell, Waited};
use crate::clock;
use crate::error::{BoxError, Error};
use crate::transport::Transport;

/// A request that was not sent yet.
pub(super) struct Deferred<S, B> {
    /// `None` if the request needs no token.
    pub(super) pending: Option<PendingToken>,
    pub(super) service: S,
    pub(super) request: Option<Request<B>>,
}

/// A token that a request waits for.
pub(crate) struct PendingToken {
    cell: Arc<TokenCell>,
    policy: Arc<AuthorizePolicy>,
    /// The transport of the service that the request was called on.
    transport: Transport,
    newer_than: Option<u64>,
    state: TokenWait,
}

enum TokenWait {
    Token(Arc<CachedToken>),
    Failed(CachedError),
    Waiting(BoundedWait),
}

impl PendingToken {
    pub(crate) fn new(
        cell: Arc<TokenCell>,
        policy: Arc<AuthorizePolicy>,
        transport: Transport,
        newer_than: Option<u64>,
        acquired: Acquire,
    ) -> Self {
        Self { cell, policy, transport, newer_than, state: TokenWait::new(acquired) }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CachedError>> {
        loop {
            self.state = match &mut self.state {
                TokenWait::Token(_) => return Poll::Ready(Ok(())),
                TokenWait::Failed(error) => return Poll::Ready(Err(error.clone())),
                TokenWait::Waiting(waiting) => match ready!(waiting.poll(cx)) {
                    Waited::Token(token) => TokenWait::Token(token),
                    Waited::Failed(error) => TokenWait::Failed(error),
                    Waited::Superseded => match self.cell.acquire(self.newer_than, || Some(self.transport.clone())) {
                        Acquire::Wait(wait_future) => {
                            waiting.restart(wait_future);
                            continue;
                        }
                        acquired => TokenWait::new(acquired),
                    },
                },
            };
        }
    }

    fn acquire(&self) -> TokenWait {
        TokenWait::new(self.cell.acquire(self.newer_than, || Some(self.transport.clone())))
    }

    /// Attaches the newest token. Returns `None` if it has expired meanwhile. Then the request waits for another token.
    ///
    /// # Errors
    ///
    /// If the token must not be sent.
    fn attach<B>(&mut self, request: &mut Request<B>) -> Result<Option<SentToken>, Error> {
        let TokenWait::Token(token) = &self.state else { return Ok(None) };
        // A token that was stale when it arrived is used for this request, because the next one may be stale, too.
        let may_use = token.is_valid(clock::now) || token.arrived_stale();
        if may_use && self.cell.is_current_generation(token.generation) {
            return SentToken::attach(request, token, &self.policy, &self.cell).map(Some);
        }
        self.state = self.acquire();
        match &self.state {
            TokenWait::Token(token) => SentToken::attach(request, token, &self.policy, &self.cell).map(Some),
            TokenWait::Failed(_) | TokenWait::Waiting(_) => Ok(None),
        }
    }
}

impl TokenWait {
    fn new(acquired: Acquire) -> Self {
        match acquired {
            Acquire::Token(token) => Self::Token(token),
            Acquire::Failed(error) => Self::Failed(error),
            Acquire::Wait(wait_future) => Self::Waiting(BoundedWait::new(wait_future)),
        }
    }
}

/// The future that the inner service returned, and the token of the request.
pub(super) type Started<F> = (F, Option<SentToken>);

impl<S, B> Deferred<S, B> {
    /// Sends the request when the token and the inner service are ready. Returns `None` if the request was sent before.
    pub(super) fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Started<S::Future>>, BoxError>>
    where
        S: Service<Request<B>> + Clone,
        S::Error: Into<BoxError>,
    {
        let Some(request) = &mut self.request else { return Poll::Ready(Ok(None)) };
        loop {
            if let Some(pending) = &mut self.pending
                && let Err(error) = ready!(pending.poll(cx))
            {
                return Poll::Ready(Err(for_protocol(error.error, request).into()));
            }
            ready!(self.service.poll_ready(cx)).map_err(Into::into)?;
            let sent = match &mut self.pending {
                Some(pending) => pending.attach(request).map(|sent| sent.map(Some)),
                None => Ok(Some(None)),
            };
            let sent = match sent {
                Ok(sent) => sent,
                Err(error) => {
                    self.service = self.service.clone();
                    return Poll::Ready(Err(for_protocol(error, request).into()));
                }
            };
            if let Some(sent) = sent {
                let service = &mut self.service;
                return Poll::Ready(Ok(self.request.take().map(|request| (service.call(request), sent))));
            }
            // The token has expired while the inner service was polled. Release the permit of the inner service, because other requests may
            // need it, for example the token request.
            self.service = self.service.clone();
        }
    }
}
