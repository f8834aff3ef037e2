use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use super::{form::Form, response::OAuthError};

/// A code challenge: only the client that started the login can complete it (RFC 7636).
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Challenge(String);

impl Challenge {
    /// Returns the challenge of a request, if any. Only `S256`: `plain` does not protect against a reader of the request.
    pub(crate) fn of(form: &Form) -> Result<Option<Self>, OAuthError> {
        match (form.get("code_challenge")?, form.get("code_challenge_method")?) {
            (None, None) => Ok(None),
            (Some(challenge), Some("S256")) if challenge.len() == 43 => Ok(Some(Self(challenge.to_owned()))),
            _ => Err(OAuthError::invalid_request()),
        }
    }

    /// Whether the challenge was derived from this verifier.
    pub(crate) fn matches(&self, verifier: &str) -> bool {
        let well_formed = (43..=128).contains(&verifier.len());
        well_formed && self.0 == URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
    }
}
