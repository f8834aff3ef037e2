//! Defines the public constructors of errors, for grants outside this crate.

use std::time::Duration;

use http::StatusCode;

use super::BoxError;
use super::kind::ErrorKind;
use super::oauth::OAuthError;
use super::opaque::Error;

/// The maximum value of `Retry-After`. Longer waits are shortened to it.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

/// Errors of your own grants.
impl Error {
    /// Creates an error for a grant of your own. The kind decides when the layer makes the next attempt. The source is for logs.
    ///
    /// [Writing a grant](crate::docs::grants#kinds-of-errors) has a table of suitable kinds.
    ///
    /// ```
    /// use tower_oauth2::{Error, ErrorKind, Token};
    ///
    /// fn from_a_file(path: &str) -> Result<Token, Error> {
    ///     let text = std::fs::read_to_string(path).map_err(|source| Error::caused_by(ErrorKind::Transport, source))?;
    ///     Token::bearer(text.trim())
    /// }
    ///
    /// assert!(from_a_file("/nowhere/token").unwrap_err().is_transient());
    /// ```
    ///
    /// [`with_status`](Error::with_status), [`with_oauth`](Error::with_oauth) and [`with_retry_after`](Error::with_retry_after)
    /// add the details of a server's response:
    ///
    /// ```
    /// use std::time::Duration;
    /// use http::StatusCode;
    /// use tower_oauth2::{Error, ErrorKind, error::OAuthError};
    ///
    /// let error = Error::caused_by(ErrorKind::Overloaded, "too many token requests")
    ///     .with_status(StatusCode::TOO_MANY_REQUESTS)
    ///     .with_oauth(OAuthError::new("temporarily_unavailable"))
    ///     .with_retry_after(Duration::from_secs(30));
    /// assert_eq!(error.retry_after(), Some(Duration::from_secs(30)));
    /// ```
    ///
    /// # Security
    ///
    /// Code that prints a chain of errors prints the source too, so it must not contain a secret.
    pub fn caused_by(kind: ErrorKind, source: impl Into<BoxError>) -> Self {
        Self::new(kind, "").with_source(source)
    }

    /// Sets the HTTP status of the server's response, which [`Error::status`] returns. It does not change the kind.
    #[must_use]
    pub fn with_status(self, status: StatusCode) -> Self {
        self.modify(|inner| inner.status = Some(status))
    }

    /// Sets the error that the authorization server sent, which [`Error::oauth`] returns. It does not change the kind.
    #[must_use]
    pub fn with_oauth(self, oauth: OAuthError) -> Self {
        self.modify(|inner| inner.oauth = Some(oauth))
    }

    /// Sets the `Retry-After` of the server's response, which [`Error::retry_after`] returns. A wait of more than one hour is
    /// shortened to one hour.
    ///
    /// The layer makes no further attempt before that, within the limit of
    /// [`max_retry_after`](crate::OAuth2Layer::max_retry_after).
    #[must_use]
    pub fn with_retry_after(self, wait: Duration) -> Self {
        self.modify(|inner| inner.retry_after = Some(wait.min(MAX_RETRY_AFTER)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_of_more_than_an_hour_is_shortened() {
        for (given, kept) in [(0, 0), (30, 30), (3600, 3600), (3601, 3600), (u64::MAX, 3600)] {
            let error = Error::caused_by(ErrorKind::Overloaded, "busy").with_retry_after(Duration::from_secs(given));
            assert_eq!(error.retry_after(), Some(Duration::from_secs(kept)));
        }
    }
}
