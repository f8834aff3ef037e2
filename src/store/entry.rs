//! The stored form of a token.

use serde::{Deserialize, Serialize};

use crate::token::Token;

/// A stored token with its version, which orders the tokens of one key.
///
/// Its JSON form has the token (RFC 6749 §5.1 plus `expires_at`) as the member `token`, next to the other members:
///
/// ```
/// use tower_oauth2::{Token, store::Entry};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let entry = Entry::new(Token::bearer("abc")?, 3);
/// let json = r#"{"generation":3,"token":{"access_token":"abc","token_type":"Bearer"}}"#;
/// assert_eq!(serde_json::to_string(&entry)?, json);
/// # Ok(())
/// # }
/// ```
///
/// # Security
///
/// The serialized form contains the tokens in the clear.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Entry {
    /// The version of the token. Of two tokens under one key, the token with the greater version is newer. Zero is the version of a
    /// token that was not saved by this crate.
    ///
    /// A refresh increments the version by one. A new login takes its version from the clock, so that it is greater than the version
    /// of each entry that was cleared before.
    pub generation: u64,
    /// Identifies the login: a random number that all tokens of one series of refreshes share. Zero is unknown.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub login: u64,
    /// The stored token.
    pub token: Token,
    #[serde(skip)]
    is_refresh: bool,
}

impl Entry {
    /// Creates an entry whose token was not refreshed from a stored token.
    pub fn new(token: Token, generation: u64) -> Self {
        Self { generation, login: 0, token, is_refresh: false }
    }

    /// Returns the version: [`generation`](Self::generation) is its public name. Inside the crate, a generation is the number of a token in
    /// a cell.
    pub(crate) fn version(&self) -> u64 {
        self.generation
    }

    /// Returns whether the token was refreshed from the stored token. If the store has no entry any more, the user has logged out during
    /// the refresh, and [`save`](super::TokenStore::save) returns an error.
    ///
    /// This flag is not stored.
    pub fn is_refresh(&self) -> bool {
        self.is_refresh
    }

    /// Returns whether this entry must not replace the stored entry. An equal entry may: it can be a retried save.
    pub(super) fn is_outdated_by(&self, stored: &Self) -> bool {
        let is_other = self.login != stored.login || !self.token.is_same_stored(&stored.token);
        self.generation < stored.generation || (self.generation == stored.generation && is_other)
    }

    pub(crate) fn with_login(self, login: u64) -> Self {
        Self { login, ..self }
    }

    pub(crate) fn into_refresh(self) -> Self {
        Self { is_refresh: true, ..self }
    }
}

/// Two entries are equal if their stored forms are equal.
impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.generation, self.login) == (other.generation, other.login) && self.token == other.token
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}
