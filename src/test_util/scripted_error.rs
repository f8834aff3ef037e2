//! Errors with the details that a server or a network would cause.

use std::time::{Duration, SystemTime};

use http::StatusCode;

use crate::error::{BoxError, Error, ErrorKind, OAuthError};

/// An [`Error`] of any kind, with the details of a server's response: for [`ScriptedGrant::fail`](super::ScriptedGrant::fail), or
/// for a test that needs only the error.
///
/// ```
/// use std::time::Duration;
/// use http::StatusCode;
/// use tower_oauth2::{Error, ErrorKind, test_util::ScriptedError};
///
/// let error: Error = ScriptedError::new(ErrorKind::Overloaded)
///     .status(StatusCode::SERVICE_UNAVAILABLE)
///     .retry_after(Duration::from_secs(7))
///     .oauth("temporarily_unavailable", "back at noon")
///     .into();
/// assert!(error.is_transient());
/// assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
/// assert_eq!(error.oauth().unwrap().description(), Some("back at noon"));
/// ```
///
/// An error has only the details that the test sets: a kind alone has no status, no code and no cause. Combinations that do not
/// occur, such as a status of 200 with [`ErrorKind::Timeout`], are not prevented.
#[derive(Clone, Debug)]
pub struct ScriptedError(Error);

impl ScriptedError {
    /// Creates an error of this kind.
    pub fn new(kind: ErrorKind) -> Self {
        Self(Error::new(kind, ""))
    }

    /// Sets the HTTP status of the response: see [`Error::status`].
    #[must_use]
    pub fn status(self, status: StatusCode) -> Self {
        Self(self.0.with_status(status))
    }

    /// Sets the OAuth error of the response, a code and an optional description: see [`Error::oauth`]. The texts are truncated and
    /// cleaned like those of a server. An empty code sets no OAuth error.
    #[must_use]
    pub fn oauth<'a>(self, error: &str, description: impl Into<Option<&'a str>>) -> Self {
        Self(self.0.with_oauth_response(OAuthError::from_response(error, description.into(), None, &[])))
    }

    /// Sets the `Retry-After` of the response, which the layer obeys: see [`Error::retry_after`]. The maximum is one hour.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        Self(self.0.with_retry_after(wait))
    }

    /// Sets the time of the next attempt: see [`Error::retry_at`]. It is for tests that need only the error, because the layer sets it
    /// in the errors of a grant.
    #[must_use]
    pub fn retry_at(self, at: SystemTime) -> Self {
        Self(self.0.with_retry_at(at))
    }

    /// Sets the source: see [`source`](std::error::Error::source).
    #[must_use]
    pub fn source(self, source: impl Into<BoxError>) -> Self {
        Self(self.0.with_source(source))
    }
}

impl From<ErrorKind> for ScriptedError {
    fn from(kind: ErrorKind) -> Self {
        Self::new(kind)
    }
}

impl From<Error> for ScriptedError {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<ScriptedError> for Error {
    fn from(error: ScriptedError) -> Self {
        error.0
    }
}
