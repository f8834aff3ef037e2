//! The proof of a request with a bound token (RFC 9449 §7, §9).

use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Request, Response};

use super::sent_token::{SentToken, marked};
use crate::authorize::insert_with_proof;
use crate::cell::{CachedToken, TokenCell};
use crate::clock::{self, Now};
use crate::dpop::{Dpop, DpopNonce, DpopProof, Htu, ServerNonce, ServerRole, SigningProof};
use crate::error::Error;
use crate::extensions::{RepeatedForChallenge, RetryNonce, TokenRejected};
use crate::rejection::{ProofDemand, maybe_rejected, proof_demand};

/// The proof that a request was sent with.
pub(crate) struct SentProof {
    sent: SentToken,
    dpop: Dpop,
    htu: Htu,
    /// The nonce that the proof contained.
    nonce: Option<DpopNonce>,
    /// Whether the request was repeated because of a challenge.
    is_repeated: bool,
}

impl SentProof {
    /// Attaches the token and its proof to a request.
    pub(super) fn attach<B>(
        request: &mut Request<B>,
        token: &CachedToken,
        proof: DpopProof,
        cell: &Arc<TokenCell>,
        dpop: &Dpop,
    ) -> Self {
        let DpopProof { value, htu, nonce } = proof;
        insert_with_proof(request, token.header(), value);
        if let Some(RetryNonce(nonce)) = request.extensions().get() {
            nonce.mark_sent();
        }
        let is_repeated = request.extensions().get::<RepeatedForChallenge>().is_some();
        Self { sent: SentToken::new(token, cell), dpop: dpop.clone(), htu, nonce, is_repeated }
    }

    /// Keeps the nonce of the response, reports the response to the cell, and marks it if a retry needs another token or this nonce.
    pub(super) fn report<R>(&self, response: Response<R>) -> Response<R> {
        let (status, headers) = (response.status(), response.headers());
        let nonce = self.dpop.keep_nonce(ServerRole::Api, &self.htu, headers);
        let rejected = match proof_demand(status, headers) {
            None if self.sent.is_observed() || maybe_rejected(&response) => {
                self.sent.observe(status, headers, self.is_repeated)
            }
            None => None,
            Some(ProofDemand::AnotherProof) => None,
            // The same nonce again would cause the same response again.
            Some(ProofDemand::Nonce) => nonce
                .filter(|nonce| Some(nonce) != self.nonce.as_ref())
                .map(|nonce| TokenRejected::nonce(ServerNonce::new(&self.htu, nonce))),
        };
        marked(response, rejected)
    }
}

/// How old a proof may be when its request is sent. Servers accept proofs of some seconds or minutes (RFC 9449 §11.1).
const MAX_AGE: Duration = Duration::from_secs(30);

/// A proof that a signer makes, while the request holds no permit of the inner service.
pub(crate) struct PendingProof {
    token: Arc<CachedToken>,
    /// `None` after the signer has returned.
    signing: Option<SigningProof>,
    signed: Option<(DpopProof, Now)>,
}

impl PendingProof {
    pub(super) fn new(token: Arc<CachedToken>, signing: SigningProof) -> Self {
        Self { token, signing: Some(signing), signed: None }
    }

    pub(super) fn token(&self) -> &Arc<CachedToken> {
        &self.token
    }

    /// Waits for the signer.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if let Some(signing) = &mut self.signing {
            let outcome = ready!(signing.as_mut().poll(cx));
            self.signing = None;
            self.signed = Some((outcome?, clock::now()));
        }
        Poll::Ready(Ok(()))
    }

    /// Returns whether the proof was made so long ago that a server may reject it.
    pub(super) fn is_old(&self) -> bool {
        self.signed.as_ref().is_none_or(|(_, signed)| clock::now().since(*signed) > MAX_AGE)
    }

    /// Returns the proof.
    pub(super) fn take(&mut self) -> Option<DpopProof> {
        self.signed.take().map(|(proof, _)| proof)
    }
}
