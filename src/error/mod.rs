//! What went wrong: [`Error`] with its [`ErrorKind`], and what the authorization server said.

pub(crate) mod failure;
pub(crate) mod kind;
mod oauth;

pub(crate) use self::failure::Error;
pub(crate) use self::kind::ErrorKind;
pub use self::oauth::OAuthError;

/// What tower calls `BoxError`: the error of a service whose type is erased.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
