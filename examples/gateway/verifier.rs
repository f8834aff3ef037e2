//! Verifies the tokens of callers.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use tower_oauth2::tenants::Subject;

use super::{GATEWAY, support::Registry};

/// Asks the authorization server about each token once, as with an introspection endpoint (RFC 7662), and keeps the answer.
///
/// A real gateway keeps answers for a short time only, and not without end. If tokens are JWTs, it checks their signature, issuer, audience
/// and expiry instead. In both cases it does not learn at once that a token was revoked.
pub(crate) struct Verifier {
    registry: Registry,
    verified: Mutex<HashMap<Subject, String>>,
}

impl Verifier {
    pub(crate) fn new(registry: Registry) -> Self {
        Self { registry, verified: Mutex::default() }
    }

    /// Returns the user of a valid token that was issued for the gateway.
    pub(crate) fn verify(&self, subject: &Subject, token: &str) -> Option<String> {
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(user) = verified.get(subject) {
            return Some(user.clone());
        }
        let user = self.registry.user_of(token).filter(|_| self.registry.has_audience(token, GATEWAY))?;
        verified.insert(subject.clone(), user.clone());
        Some(user)
    }
}
