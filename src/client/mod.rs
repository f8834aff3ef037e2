//! The client: its id, and how it authenticates at the token endpoint (RFC 6749 §2.3).

mod assertion;
mod authentication;
mod basic;
mod signing_client;

pub(crate) use self::authentication::Authenticated;
pub use self::authentication::Client;
