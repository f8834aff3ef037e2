//! A request that waits for a token, or for the inner service.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::Request;
use tower_service::Service;

use super::attachment::{Attached, Attachment};
use super::protocol::for_protocol;
use super::sent_proof::{PendingProof, SentProof};
use super::sent_without_token::SentWithoutToken;
use crate::authorize::AuthorizePolicy;
use crate::cell::{Acquire, BoundedWait, CachedError, CachedToken, ProofCount, TokenCell, Waited};
use crate::dpop::DpopProof;
use crate::error::{BoxError, Error};
use crate::transport::Transport;

/// A request that was not sent yet.
pub(super) struct Deferred<S, B> {
    /// `None` if the request needs no token.
    pub(super) pending: Option<PendingToken>,
    pub(super) service: S,
    pub(super) request: Option<Request<B>>,
}

/// A token that a request waits for, or the proof for it.
pub(crate) struct PendingToken {
    cell: Arc<TokenCell>,
    policy: Arc<AuthorizePolicy>,
    /// The transport of the service that the request was called on.
    transport: Transport,
    newer_than: Option<u64>,
    state: TokenWait,
    /// Whether a proof was made once more, because the inner service was not ready for a long time.
    has_proven_again: bool,
    proofs: ProofCount,
}

/// What a request waits for.
pub(crate) enum TokenWait {
    Token(Arc<CachedToken>),
    Failed(CachedError),
    Waiting(BoundedWait),
    Proof(PendingProof),
    /// No token, until a server demands one.
    Nothing,
}

impl PendingToken {
    pub(crate) fn new(
        cell: Arc<TokenCell>,
        policy: Arc<AuthorizePolicy>,
        transport: Transport,
        newer_than: Option<u64>,
        state: TokenWait,
    ) -> Self {
        Self { cell, policy, transport, newer_than, state, has_proven_again: false, proofs: ProofCount::default() }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            self.state = match &mut self.state {
                TokenWait::Token(_) | TokenWait::Nothing => return Poll::Ready(Ok(())),
                TokenWait::Failed(error) => return Poll::Ready(Err(error.error.clone())),
                TokenWait::Proof(pending) => return pending.poll(cx),
                TokenWait::Waiting(waiting) => match ready!(waiting.poll(cx)) {
                    Waited::Token(token) => TokenWait::Token(token),
                    Waited::Failed(error) => TokenWait::Failed(error),
                    Waited::Superseded => match self.cell.generation_without_token(&self.policy, self.newer_than) {
                        Some(_) => TokenWait::Nothing,
                        None => match self.cell.acquire(self.newer_than, || Some(self.transport.clone())) {
                            Acquire::Wait(wait_future) => {
                                waiting.restart(wait_future);
                                continue;
                            }
                            acquired => acquired.into(),
                        },
                    },
                },
            };
        }
    }

    /// Attaches the newest token, unless the request is sent without one. Returns `None` if the request has to wait again: the token has expired meanwhile, or a signer makes a
    /// proof for it.
    ///
    /// # Errors
    ///
    /// If the token must not be sent, or no proof can be made for this request.
    fn attach<B>(&mut self, request: &mut Request<B>) -> Result<Option<Attached>, Error> {
        let token = match &self.state {
            TokenWait::Token(token) => Some(token),
            TokenWait::Proof(pending) => Some(pending.token()),
            TokenWait::Nothing => None,
            TokenWait::Failed(_) | TokenWait::Waiting(_) => return Ok(None),
        };
        if let Some(token) = token.filter(|token| self.cell.may_send(token)).cloned() {
            return match (self.take_proof(), self.cell.bound_key(&token.token)?) {
                (Some(proof), Some(key)) => {
                    Ok(Some(Attached::Proof(SentProof::attach(request, &token, proof, &self.cell, key.dpop))))
                }
                _ => self.attach_token(request, &token),
            };
        }
        if let Some(generation) = self.cell.generation_without_token(&self.policy, self.newer_than) {
            let sent = SentWithoutToken::new(&self.cell, generation, self.transport.clone());
            return Ok(Some(Attached::Nothing(sent)));
        }
        self.state = self.cell.acquire(self.newer_than, || Some(self.transport.clone())).into();
        match &self.state {
            TokenWait::Token(token) => {
                let token = token.clone();
                self.attach_token(request, &token)
            }
            TokenWait::Failed(_) | TokenWait::Waiting(_) | TokenWait::Proof(_) | TokenWait::Nothing => Ok(None),
        }
    }

    /// Returns the proof of the signer, unless it is so old that another one is made. That is done only once, so that a request whose inner
    /// service is always slow is sent nevertheless.
    fn take_proof(&mut self) -> Option<DpopProof> {
        let TokenWait::Proof(pending) = &mut self.state else { return None };
        if pending.is_old() && !std::mem::replace(&mut self.has_proven_again, true) {
            return None;
        }
        pending.take()
    }

    fn attach_token<B>(
        &mut self,
        request: &mut Request<B>,
        token: &Arc<CachedToken>,
    ) -> Result<Option<Attached>, Error> {
        match Attachment::new(request, token, &self.policy, &self.cell)? {
            Attachment::Attached(attached) => Ok(Some(attached)),
            Attachment::Pending(pending) => {
                self.proofs.next()?;
                self.state = TokenWait::Proof(pending);
                Ok(None)
            }
        }
    }
}

impl From<Acquire> for TokenWait {
    fn from(acquired: Acquire) -> Self {
        match acquired {
            Acquire::Token(token) => Self::Token(token),
            Acquire::Failed(error) => Self::Failed(error),
            Acquire::Wait(wait_future) => Self::Waiting(BoundedWait::new(wait_future)),
        }
    }
}

/// The future that the inner service returned, and what the request carries.
pub(super) type Started<F> = (F, Option<Attached>);

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
                return Poll::Ready(Err(for_protocol(error, request).into()));
            }
            ready!(self.service.poll_ready(cx)).map_err(Into::into)?;
            let sent = match &mut self.pending {
                Some(pending) => pending.attach(request).map(|attached| attached.map(Some)),
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
            // The token has expired while the inner service was polled, or a signer makes its proof. Release the permit of the inner service,
            // because other requests may need it, for example the token request.
            self.service = self.service.clone();
        }
    }
}
