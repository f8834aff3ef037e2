//! The token: parsed from a token response, and stored as JSON.

mod bearer_token;
mod parse;
mod serialize;
mod stored_as;

pub use self::bearer_token::Token;
pub(crate) use self::parse::{from_response, ignore_zero_lifetime, seconds};
pub(crate) use self::stored_as::StoredAs;
