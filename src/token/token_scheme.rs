//! How a token is sent, and which types of token an endpoint may issue.

use super::access_token_hash::access_token_hash;

/// The scheme of the header that carries a token.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum TokenScheme {
    /// `Bearer`, or the scheme that the layer is configured with.
    Bearer,
    /// `DPoP`, with a proof whose `ath` is this hash (RFC 9449 §7.1).
    Dpop { ath: String },
}

impl TokenScheme {
    pub(super) fn dpop(access_token: &str) -> Self {
        Self::Dpop { ath: access_token_hash(access_token) }
    }

    /// Returns the scheme of the header, for a layer that is configured with `bearer`.
    pub(super) fn name<'a>(&self, bearer: &'a str) -> &'a str {
        match self {
            Self::Bearer => bearer,
            Self::Dpop { .. } => "DPoP",
        }
    }
}

/// The types of token that the response to a token request may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IssuedTypes {
    /// The request had no DPoP proof.
    Bearer,
    /// The request had a DPoP proof (RFC 9449 §5).
    Dpop,
    /// The request had a DPoP proof, and the application accepts a token that is not bound to the key.
    DpopOrBearer,
}
