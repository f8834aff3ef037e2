//! Tokens that are bound to a key, and are sent with a proof only (RFC 9449 §7.1).

use std::sync::Arc;
use std::time::Duration;

use http::Request;

use super::reentrancy::{guarded, is_reentrant};
use super::token_cell::TokenCell;
use crate::authorize::AuthorizePolicy;
use crate::dpop::{Dpop, ProofRequest, Proving, ServerRole};
use crate::error::{Error, ErrorKind};
use crate::extensions::RetryNonce;
use crate::sync::lock;
use crate::token::Token;

/// The key that a token is bound to.
pub(crate) struct BoundKey<'a> {
    pub(crate) dpop: &'a Dpop,
    /// The hash of the token, which a proof names.
    ath: &'a str,
}

/// The maximum number of proofs that a signer makes for one request.
const MAX_PROOFS: u8 = 5;

/// Counts the proofs that a signer makes for one request. Without a limit, a request whose tokens expire faster than its proofs are made would
/// wait without end.
#[derive(Debug, Default)]
pub(crate) struct ProofCount(u8);

impl ProofCount {
    /// Counts one more proof.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Proof`] if there were too many.
    pub(crate) fn next(&mut self) -> Result<(), Error> {
        self.0 += 1;
        if self.0 <= MAX_PROOFS {
            return Ok(());
        }
        let why = "each time before the signer had made its DPoP proof, the token had expired or was replaced: \
            the token must be valid for longer than a signature takes";
        Err(Error::new(ErrorKind::Proof, why))
    }
}

impl TokenCell {
    /// Returns whether the grant has a key that its tokens are bound to.
    pub(crate) fn has_key(&self) -> bool {
        self.dpop.is_some()
    }

    /// Returns the key that the token is bound to; `None` for a Bearer token.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Proof`] for a token that is bound to another key than that of the grant. It is not sent.
    pub(crate) fn bound_key<'a>(&'a self, token: &'a Token) -> Result<Option<BoundKey<'a>>, Error> {
        let Some(ath) = token.ath() else { return Ok(None) };
        let bound = token.record().dpop_jkt.as_deref();
        let why = match &self.dpop {
            None => {
                "the token is bound to a DPoP key, and the grant has none: set it with `dpop`, or implement `Grant::dpop`"
            }
            Some(dpop) if bound.is_some_and(|bound| bound != dpop.thumbprint()) => {
                "the token is bound to another DPoP key than that of the grant: use the key that it was issued for, or log in again"
            }
            Some(dpop) => return Ok(Some(BoundKey { dpop, ath })),
        };
        Err(Error::new(ErrorKind::Proof, why))
    }

    /// Makes a proof for a request that carries the token. With a key in memory it is ready at once.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if the request has no authority, and the layer has not exactly one origin;
    /// [`ErrorKind::Recursion`] if the signer itself sends the request.
    pub(crate) fn prove<B>(
        self: &Arc<Self>,
        key: &BoundKey<'_>,
        request: &Request<B>,
        policy: &AuthorizePolicy,
    ) -> Result<Proving, Error> {
        if is_reentrant(self.id()) && !key.dpop.signs_in_memory() {
            return Err(Error::new(
                ErrorKind::Recursion,
                "the signer of the DPoP proof sends a request that needs a proof",
            ));
        }
        let htu = policy.htu(request.uri())?;
        let nonce = request.extensions().get().and_then(|RetryNonce(nonce)| nonce.get(&htu).cloned());
        let request = ProofRequest { role: ServerRole::Api, method: request.method(), htu, ath: Some(key.ath), nonce };
        Ok(match key.dpop.prove(request)? {
            Proving::Done(proof) => Proving::Done(proof),
            Proving::Signing(signing) => {
                let (cell, timeout) = (self.id(), self.token_timeout());
                let signing = Box::pin(Proving::Signing(signing).within(timeout));
                Proving::Signing(Box::pin(guarded(cell, move || signing)))
            }
        })
    }

    fn token_timeout(&self) -> Duration {
        lock(&self.locked).options.limits.timeout
    }
}
