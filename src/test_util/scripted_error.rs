//! Errors as a server or a network would have caused them.

use std::time::{Duration, SystemTime};

use http::StatusCode;

use crate::error::{BoxError, Error, ErrorKind, OAuthError};

/// An [`Error`] of any kind, with what a server says along with it: for [`ScriptedGrant::fail`](super::ScriptedGrant::fail), or
/// for code that is to be tested with the error alone.
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
/// Nothing is added that was not said: a kind alone has no status, no code and no cause, and what does not go together in
/// life, such as a status of 200 and [`ErrorKind::Timeout`], is for the test to avoid.
#[derive(Clone, Debug)]
pub struct ScriptedError(Error);

impl ScriptedError {
    /// An error of this kind.
    pub fn new(kind: ErrorKind) -> Self {
        Self(Error::new(kind, ""))
    }

    /// The HTTP status of the answer: see [`Error::status`].
    #[must_use]
    pub fn status(self, status: StatusCode) -> Self {
        Self(self.0.with_status(status))
    }

    /// What the server said, a code and perhaps an explanation: see [`Error::oauth`]. It is cut and cleaned as the texts of a
    /// server are; an empty code is none.
    #[must_use]
    pub fn oauth<'a>(self, error: &str, description: impl Into<Option<&'a str>>) -> Self {
        Self(self.0.with_oauth(OAuthError::heard(error, description.into(), None, &[])))
    }

    /// How long the server asked to be left alone, which the layer obeys: see [`Error::retry_after`]. More than an hour is cut
    /// to that.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        Self(self.0.with_retry_after(Some(wait.min(Duration::from_secs(60 * 60)))))
    }

    /// When the layer will try again: see [`Error::retry_at`]. For an error that is tested alone; the layer says so itself of
    /// one that comes from a grant.
    #[must_use]
    pub fn retry_at(self, at: SystemTime) -> Self {
        Self(self.0.with_retry_at(at))
    }

    /// The error below it: see [`source`](std::error::Error::source).
    #[must_use]
    pub fn because(self, cause: impl Into<BoxError>) -> Self {
        Self(self.0.because(cause))
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
