//! The proof for one request, or the future of the signer that makes it (RFC 9449 §4.2).

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method};

use super::htu::Htu;
use super::nonces::{DpopNonce, ServerRole};
use crate::clock;
use crate::error::{Error, ErrorKind};

/// The request that a proof is made for.
#[derive(Debug)]
pub(crate) struct ProofRequest<'a> {
    pub(crate) role: ServerRole,
    pub(crate) method: &'a Method,
    pub(crate) htu: Htu,
    /// The hash of the access token that the request carries: see [`access_token_hash`](crate::token::access_token_hash).
    pub(crate) ath: Option<&'a str>,
    /// A nonce in place of the last one of this server, for a request that is sent again.
    pub(crate) nonce: Option<DpopNonce>,
}

/// The value of the header `DPoP`, and what it was made for.
#[derive(Debug)]
pub(crate) struct DpopProof {
    pub(crate) value: HeaderValue,
    pub(crate) htu: Htu,
    /// The nonce that it contains.
    pub(crate) nonce: Option<DpopNonce>,
}

/// A proof, or the future of a signer that makes it.
pub(crate) enum Proving {
    /// The key is in memory.
    #[cfg_attr(not(feature = "jwt"), allow(dead_code, reason = "only keys in memory sign at once"))]
    Done(DpopProof),
    Signing(SigningProof),
}

/// The future of a signer that makes a proof.
pub(crate) type SigningProof = Pin<Box<dyn Future<Output = Result<DpopProof, Error>> + Send>>;

impl Proving {
    /// Waits for the proof, for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Proof`] when the time has passed. The errors of the signer pass unchanged.
    pub(crate) async fn within(self, timeout: Duration) -> Result<DpopProof, Error> {
        match self {
            Self::Done(proof) => Ok(proof),
            Self::Signing(signing) => clock::within(timeout, signing).await.unwrap_or_else(|| {
                Err(Error::new(ErrorKind::Proof, format!("the signer made no DPoP proof within {timeout:?}")))
            }),
        }
    }
}

/// Returns a signed token as the value of a header. It is sensitive: until it expires, it can be sent again.
pub(super) fn header_value(token: impl Into<Bytes>) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_maybe_shared(token.into())
        .map_err(|_| Error::new(ErrorKind::Proof, "the signer returned a token that a header cannot contain"))?;
    value.set_sensitive(true);
    Ok(value)
}

impl fmt::Debug for Proving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done(_) => "Done",
            Self::Signing(_) => "Signing",
        })
    }
}
