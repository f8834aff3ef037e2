//! A header that is the same for each token, and is encoded once.

use serde_json::Value;

use super::{Algorithm, Members};

/// A header that does not depend on the signer: that of a DPoP proof, which names the key itself (RFC 9449 §4.2). It is encoded once.
pub(crate) struct FixedHeader {
    algorithm: Algorithm,
    members: Members,
    encoded: String,
}

impl FixedHeader {
    pub(crate) fn new(typ: &str, algorithm: Algorithm, jwk: Value) -> Self {
        let mut members = Members::default();
        members.set("typ", typ);
        members.set("alg", algorithm.as_str());
        members.set("jwk", jwk);
        Self { algorithm, encoded: members.encode(), members }
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(super) fn members(&self) -> &Members {
        &self.members
    }

    /// Returns the header in base64url.
    pub(crate) fn encoded(&self) -> &str {
        &self.encoded
    }
}
