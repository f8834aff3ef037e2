//! What a store keeps for a key.

use serde::{Deserialize, Serialize};

use crate::token::Token;

/// A token at rest, with the number that tells it from the one before.
///
/// As JSON it is the token's own (RFC 6749 §5.1 plus `expires_at`), under `token`, and the generation beside it:
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
/// Serialized, the tokens are in the clear.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Entry {
    /// Counts the tokens that were saved under this key: a greater one is newer. Zero came from elsewhere.
    pub generation: u64,
    /// The token.
    pub token: Token,
}

impl Entry {
    /// The token of this generation.
    pub fn new(token: Token, generation: u64) -> Self {
        Self { generation, token }
    }
}
