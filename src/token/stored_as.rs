//! Defines the version of a token in a store.

/// The version, the login and the age that a token has in a store. It is not part of the JSON of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoredAs {
    /// The version under which the token was stored. If it could not be saved: the newest version that was known before, or zero.
    pub(crate) version: u64,
    /// Identifies the login that the token belongs to. Zero means unknown.
    pub(crate) login: u64,
    /// The number of logouts in this process when the refresh that obtained the token started. A later logout has ended its login.
    pub(crate) logouts_before: u64,
}
