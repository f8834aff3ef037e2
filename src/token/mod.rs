//! The token: parsed from a token response, and stored as JSON.

mod access_token_hash;
mod bearer_token;
mod id_token;
mod parse;
mod registration_record;
mod request_record;
mod serialize;
mod stored_as;
mod token_record;
mod token_scheme;

pub(crate) use self::access_token_hash::access_token_hash;
pub use self::bearer_token::Token;
pub(crate) use self::parse::{from_response, ignore_zero_lifetime, seconds};
#[cfg(feature = "loopback")]
pub(crate) use self::registration_record::{RegisteredMethod, RegistrationRecord};
pub(crate) use self::request_record::RequestRecord;
pub(crate) use self::stored_as::StoredAs;
pub(crate) use self::token_record::TokenRecord;
pub(crate) use self::token_scheme::IssuedTypes;
