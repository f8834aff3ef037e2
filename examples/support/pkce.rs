use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use super::{answer::Refusal, form::Form};

/// What a client has committed itself to when it began: only who began can finish (RFC 7636).
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Challenge(String);

impl Challenge {
    /// The challenge of a request, if it has one. `S256` only: `plain` protects against nobody who sees the request.
    pub(crate) fn of(form: &Form) -> Result<Option<Self>, Refusal> {
        match (form.get("code_challenge")?, form.get("code_challenge_method")?) {
            (None, None) => Ok(None),
            (Some(challenge), Some("S256")) if challenge.len() == 43 => Ok(Some(Self(challenge.to_owned()))),
            _ => Err(Refusal::invalid_request()),
        }
    }

    /// Whether this is what the challenge was made of.
    pub(crate) fn is_met_by(&self, verifier: &str) -> bool {
        let well_formed = (43..=128).contains(&verifier.len());
        well_formed && self.0 == URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
    }
}
