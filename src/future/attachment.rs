//! Attaches a token to a request, with a proof if the token is bound to a key.

use std::sync::Arc;

use http::Request;

use super::sent_proof::{PendingProof, SentProof};
use super::sent_token::SentToken;
use super::sent_without_token::SentWithoutToken;
use crate::authorize::AuthorizePolicy;
use crate::cell::{CachedToken, TokenCell};
use crate::dpop::Proving;
use crate::error::Error;
use crate::extensions::RepeatedForChallenge;

/// What a request carries.
pub(crate) enum Attached {
    /// A Bearer token.
    Token(SentToken),
    /// A Bearer token. The request is repeated because of a challenge.
    RepeatedToken(SentToken),
    /// A bound token with a proof.
    Proof(SentProof),
    /// No token, until a server demands one.
    Nothing(SentWithoutToken),
}

/// The result of attaching a token.
pub(crate) enum Attachment {
    Attached(Attached),
    /// The request is unchanged. It waits for a signer.
    Pending(PendingProof),
}

impl Attachment {
    /// Attaches the token to a request, with a proof if the token is bound to a key.
    ///
    /// # Errors
    ///
    /// If the token must not be sent, or no proof can be made for this request.
    pub(crate) fn new<B>(
        request: &mut Request<B>,
        token: &Arc<CachedToken>,
        policy: &AuthorizePolicy,
        cell: &Arc<TokenCell>,
    ) -> Result<Self, Error> {
        let Some(key) = cell.bound_key(&token.token)? else {
            policy.insert(request, token.header());
            token.keep_header();
            let sent = SentToken::new(token, cell);
            let is_repeated = request.extensions().get::<RepeatedForChallenge>().is_some();
            return Ok(Self::Attached(if is_repeated { Attached::RepeatedToken(sent) } else { Attached::Token(sent) }));
        };
        Ok(match cell.prove(&key, request, policy)? {
            Proving::Done(proof) => {
                Self::Attached(Attached::Proof(SentProof::attach(request, token, proof, cell, key.dpop)))
            }
            Proving::Signing(signing) => Self::Pending(PendingProof::new(token.clone(), signing)),
        })
    }
}
