//! Proof key for code exchange (RFC 7636): proves that the client that completes a login is the one that started it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::random;
use crate::secret::Secret;

/// A verifier and the challenge that is derived from it with the method `S256`. Each login has its own (§4.1).
#[derive(Debug)]
pub(super) struct Pkce {
    verifier: Secret,
    challenge: String,
}

impl Pkce {
    /// Generates a random verifier (§4.1, §7.1).
    pub(super) fn new() -> Result<Self, Error> {
        Ok(Self::from_verifier(&random::text()?))
    }

    fn from_verifier(verifier: &str) -> Self {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
        Self { verifier: Secret::new(verifier), challenge }
    }

    /// Returns the `code_verifier` of the exchange (§4.5).
    pub(super) fn verifier(&self) -> &str {
        self.verifier.expose()
    }

    /// Returns the `code_challenge` of the authorization request (§4.3).
    pub(super) fn challenge(&self) -> &str {
        &self.challenge
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636 Appendix B.
    #[test]
    fn the_vector_of_the_rfc() {
        let pkce = Pkce::from_verifier("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(pkce.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn each_login_has_its_own_verifier() {
        let (one, other) = (Pkce::new().unwrap(), Pkce::new().unwrap());
        assert_ne!(one.verifier(), other.verifier());
    }

    #[test]
    fn the_verifier_is_not_printed() {
        let pkce = Pkce::new().unwrap();
        assert!(!format!("{pkce:?}").contains(pkce.verifier()));
    }
}
