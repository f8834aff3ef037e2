//! The arguments that can be an issuer.

use super::issuer::Issuer;
use crate::error::Error;

/// A type that can be an issuer identifier: `&str`, `String`, `&String`, [`Issuer`] and `&Issuer`.
///
/// `Url` is none of them, because parsing adds a slash to an address without a path, and issuers are compared exactly
/// ([RFC 8414 §3.3](https://www.rfc-editor.org/rfc/rfc8414#section-3.3)).
pub trait IntoIssuer: sealed::ParseIssuer {}

impl<T: sealed::ParseIssuer> IntoIssuer for T {}

/// Converts an argument.
///
/// # Errors
///
/// Those of [`Issuer::new`].
pub(in crate::endpoint) fn issuer(issuer: impl IntoIssuer) -> Result<Issuer, Error> {
    issuer.into_issuer()
}

mod sealed {
    use super::{Error, Issuer};

    pub trait ParseIssuer {
        fn into_issuer(self) -> Result<Issuer, Error>;
    }

    impl ParseIssuer for &str {
        fn into_issuer(self) -> Result<Issuer, Error> {
            Issuer::new(self)
        }
    }

    impl ParseIssuer for String {
        fn into_issuer(self) -> Result<Issuer, Error> {
            Issuer::new(self)
        }
    }

    impl ParseIssuer for &String {
        fn into_issuer(self) -> Result<Issuer, Error> {
            Issuer::new(self.as_str())
        }
    }

    impl ParseIssuer for Issuer {
        fn into_issuer(self) -> Result<Issuer, Error> {
            Ok(self)
        }
    }

    impl ParseIssuer for &Issuer {
        fn into_issuer(self) -> Result<Issuer, Error> {
            Ok(self.clone())
        }
    }
}
