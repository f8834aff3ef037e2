//! What a protected resource requires of the requests for its tokens, whatever the grant (RFC 8707, RFC 9728).

use crate::dpop::Dpop;

/// The parameters of token requests that a protected resource decides.
#[derive(Clone, Debug)]
pub(in crate::grant) struct ResourceNeeds {
    /// The identifier, as it is written in the metadata.
    pub(in crate::grant) resource: String,
    /// Added to the scope of the grant.
    pub(in crate::grant) scope: Option<String>,
    /// The scope of a request that would have none.
    pub(in crate::grant) default_scope: Option<String>,
    /// The key that proves the requests to the API, and so the one that the token must be bound to.
    pub(in crate::grant) dpop: Option<Dpop>,
}
