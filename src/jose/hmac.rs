//! Signing with the client's secret (`client_secret_jwt`).

use ring::hmac;

use super::{Algorithm, Draft, Signed, Signer};
use crate::error::Error;

/// A client secret that signs by HMAC.
pub(crate) struct HmacKey {
    algorithm: Algorithm,
    key: hmac::Key,
}

impl HmacKey {
    /// Makes a key for HS256, HS384 or HS512.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if the secret is shorter than the hash (RFC 7518 §3.2), or if the
    /// algorithm is not HMAC.
    pub(crate) fn new(secret: &[u8], algorithm: Algorithm) -> Result<Self, Error> {
        let (hash, min) = match algorithm {
            Algorithm::Hs256 => (hmac::HMAC_SHA256, 32),
            Algorithm::Hs384 => (hmac::HMAC_SHA384, 48),
            Algorithm::Hs512 => (hmac::HMAC_SHA512, 64),
            _ => return Err(Error::argument("algorithm", "a secret signs by HS256, HS384 or HS512")),
        };
        if secret.len() < min {
            return Err(Error::argument(
                "client",
                format!(
                    "{algorithm} needs a secret of at least {min} bytes (RFC 7518 §3.2); this one has {}",
                    secret.len()
                ),
            ));
        }
        Ok(Self { algorithm, key: hmac::Key::new(hash, secret) })
    }

    pub(super) fn tag(&self, bytes: &[u8]) -> Vec<u8> {
        hmac::sign(&self.key, bytes).as_ref().to_vec()
    }
}

impl Signer for HmacKey {
    async fn sign(&self, draft: Draft) -> Result<Signed, Error> {
        let input = draft.header(self.algorithm, None)?;
        let tag = self.tag(input.bytes());
        Ok(input.signed(&tag))
    }
}
