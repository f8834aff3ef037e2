//! Proof key for code exchange (RFC 7636): what shows that the one who begins a login is the one who ends it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::random;
use crate::secret::Secret;

/// A verifier and its challenge, by the method `S256`: for one login, never for two (§4.1).
#[derive(Debug)]
pub(super) struct Pkce {
    verifier: Secret,
    challenge: String,
}

impl Pkce {
    /// A new one (§4.1, §7.1).
    pub(super) fn new() -> Result<Self, Error> {
        Ok(Self::of(&random::text()?))
    }

    fn of(verifier: &str) -> Self {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
        Self { verifier: Secret::new(verifier), challenge }
    }

    /// What is kept until the exchange, `code_verifier` (§4.5).
    pub(super) fn verifier(&self) -> &str {
        self.verifier.expose()
    }

    /// What is sent at the beginning, `code_challenge` (§4.3).
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
        let pkce = Pkce::of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(pkce.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn each_login_has_its_own() {
        let (one, other) = (Pkce::new().unwrap(), Pkce::new().unwrap());
        assert_ne!(one.verifier(), other.verifier());
    }

    #[test]
    fn the_verifier_is_not_printed() {
        let pkce = Pkce::new().unwrap();
        assert!(!format!("{pkce:?}").contains(pkce.verifier()));
    }
}
