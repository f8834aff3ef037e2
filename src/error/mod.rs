//! Errors: [`Error`] with its [`ErrorKind`], and the error response of an authorization server.

mod advice;
mod builders;
mod details;
mod display;
pub(crate) mod kind;
mod network;
mod oauth;
pub(crate) mod opaque;

pub(crate) use self::kind::ErrorKind;
pub use self::oauth::OAuthError;
pub(crate) use self::opaque::Error;

/// The type-erased error of a service. tower calls it `BoxError` too.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
