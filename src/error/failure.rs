//! The one error of this crate: opaque, cheap to clone, and free of secrets.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::StatusCode;

use super::BoxError;
use super::kind::ErrorKind;
use super::oauth::OAuthError;

/// Why a request could not be authorized, or a builder refused an argument.
///
/// It is cheap to clone: every request that waited for the same token call gets the same error. The service's error type
/// is `tower::BoxError`; downcast it to this type to tell the layer's own failures from the inner service's.
///
/// ```
/// use tower_oauth2::{Error, ErrorKind, Token};
///
/// let error: Error = Token::bearer("two words").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Configuration);
/// assert!(!error.is_transient());
/// assert!(error.to_string().contains("access_token"));
/// ```
///
/// # Security
///
/// It never holds a token, a secret, a code or a response body. `Display` prints one level; [`source`](StdError::source)
/// has the next one, which may be an error of the inner service.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    kind: ErrorKind,
    context: Cow<'static, str>,
    status: Option<StatusCode>,
    oauth: Option<OAuthError>,
    retry_after: Option<Duration>,
    retry_at: Option<SystemTime>,
    spent_refresh_token: bool,
    asked_in_vain: bool,
    curable: bool,
    source: Option<BoxError>,
}

// ===== impl Error =====

impl Error {
    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the same may work later with nothing changed: an outage, an overload, a time-out.
    pub fn is_transient(&self) -> bool {
        use ErrorKind::{Overloaded, Panicked, Store, Timeout, Transport};
        matches!(self.0.kind, Transport | Timeout | Overloaded | Store | Panicked)
    }

    /// How long the authorization server asked to be left alone (`Retry-After`), at most one hour. `None` when it did not say.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The HTTP status of the token endpoint's answer, where there was one.
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// When the layer will try again, for a failure that it remembers: until then every request gets this error at once,
    /// without a token call. `None` when no back-off applies: the failure is this request's own, or a person has to act.
    pub fn retry_at(&self) -> Option<SystemTime> {
        self.0.retry_at
    }

    /// What the authorization server said: `error`, `error_description` and `error_uri` ([RFC 6749 §5.2]).
    ///
    /// [RFC 6749 §5.2]: https://www.rfc-editor.org/rfc/rfc6749#section-5.2
    pub fn oauth(&self) -> Option<&OAuthError> {
        self.0.oauth.as_ref()
    }

    /// An error for a grant of your own: its kind decides what happens next, its cause is for people.
    ///
    /// ```
    /// use tower_oauth2::{Error, ErrorKind, Token};
    ///
    /// fn from_a_file(path: &str) -> Result<Token, Error> {
    ///     let text = std::fs::read_to_string(path).map_err(|cause| Error::caused_by(ErrorKind::Transport, cause))?;
    ///     Token::bearer(text.trim())
    /// }
    ///
    /// assert!(from_a_file("/nowhere/token").unwrap_err().is_transient());
    /// ```
    ///
    /// # Security
    ///
    /// The cause is printed by whoever walks the chain of errors: it must not hold a secret.
    pub fn caused_by(kind: ErrorKind, cause: impl Into<BoxError>) -> Self {
        Self::new(kind, "").because(cause)
    }

    /// An error of `kind`; `context` says what exactly, and never holds a secret.
    pub(crate) fn new(kind: ErrorKind, context: impl Into<Cow<'static, str>>) -> Self {
        Self(Arc::new(Inner {
            kind,
            context: context.into(),
            status: None,
            oauth: None,
            retry_after: None,
            retry_at: None,
            spent_refresh_token: false,
            asked_in_vain: false,
            curable: false,
            source: None,
        }))
    }

    /// The argument `name` of a builder is wrong.
    pub(crate) fn argument(name: &str, why: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Configuration, format!("`{name}`: {why}"))
    }

    pub(crate) fn malformed(what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Malformed, what)
    }

    pub(crate) fn because(self, source: impl Into<BoxError>) -> Self {
        let source = source.into();
        self.change(|inner| inner.source = Some(source))
    }

    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        self.change(|inner| inner.status = Some(status))
    }

    pub(crate) fn with_oauth(self, oauth: Option<OAuthError>) -> Self {
        self.change(|inner| inner.oauth = oauth)
    }

    /// Says what the server answered, as `answer` does.
    pub(crate) fn citing(self, answer: &Self) -> Self {
        let (status, oauth) = (answer.status(), answer.oauth().cloned());
        self.change(|inner| (inner.status, inner.oauth) = (status, oauth))
    }

    pub(crate) fn with_retry_after(self, wait: Option<Duration>) -> Self {
        self.change(|inner| inner.retry_after = wait)
    }

    pub(crate) fn with_retry_at(self, at: SystemTime) -> Self {
        self.change(|inner| inner.retry_at = Some(at))
    }

    /// Says that the refresh token which was sent is dead, whatever else went wrong afterwards.
    pub(crate) fn with_spent_refresh_token(self) -> Self {
        self.change(|inner| inner.spent_refresh_token = true)
    }

    /// This error came after `refused`: what that says about the refresh token still holds.
    pub(crate) fn after(self, refused: &Self) -> Self {
        if refused.spent_refresh_token() { self.with_spent_refresh_token() } else { self }
    }

    pub(crate) fn spent_refresh_token(&self) -> bool {
        self.0.spent_refresh_token
    }

    /// Says that a person was asked to log in, and it came to nothing: no request asks them again.
    pub(crate) fn asked_in_vain(self) -> Self {
        self.change(|inner| inner.asked_in_vain = true)
    }

    /// Says that a login which is needed may be made by somebody else, in the store that both use.
    pub(crate) fn curable(self) -> Self {
        if self.kind() == ErrorKind::LoginNeeded { self.change(|inner| inner.curable = true) } else { self }
    }

    /// Whether only the user can change it: no request tries again by itself.
    pub(crate) fn waits_for_the_user(&self) -> bool {
        self.0.asked_in_vain
            || match self.0.kind {
                ErrorKind::LoginNeeded => !self.0.curable,
                kind => matches!(kind, ErrorKind::Denied | ErrorKind::LoginExpired),
            }
    }

    /// As a tonic client understands it: it looks for a `Status` among the causes, and takes what it does not find for
    /// `UNKNOWN`. What was the cause comes after it.
    #[cfg(feature = "tonic")]
    pub(crate) fn for_grpc(self) -> Self {
        let code = if self.is_transient() { tonic::Code::Unavailable } else { tonic::Code::Unauthenticated };
        let mut status = tonic::Status::new(code, self.to_string());
        if self.0.source.is_some() {
            status.set_source(Arc::new(self.clone()));
        }
        self.because(status)
    }

    /// What was said about the failure, without the kind.
    pub(crate) fn context(&self) -> &str {
        &self.0.context
    }

    fn change(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        match Arc::get_mut(&mut self.0) {
            Some(inner) => change(inner),
            // Shared already: the copy points to the original, which keeps the cause.
            None => {
                let mut inner = Inner {
                    kind: self.0.kind,
                    context: self.0.context.clone(),
                    status: self.0.status,
                    oauth: self.0.oauth.clone(),
                    retry_after: self.0.retry_after,
                    retry_at: self.0.retry_at,
                    spent_refresh_token: self.0.spent_refresh_token,
                    asked_in_vain: self.0.asked_in_vain,
                    curable: self.0.curable,
                    source: self.0.source.is_some().then(|| Box::new(self.clone()) as BoxError),
                };
                change(&mut inner);
                self = Self(Arc::new(inner));
            }
        }
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.kind.says())?;
        if !self.0.context.is_empty() {
            write!(f, ": {}", self.0.context)?;
        }
        match (self.0.status, &self.0.oauth) {
            (Some(status), Some(oauth)) => write!(f, " (status {}, {oauth})", status.as_u16()),
            (Some(status), None) => write!(f, " (status {})", status.as_u16()),
            (None, Some(oauth)) => write!(f, " ({oauth})"),
            (None, None) => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("context", &self.0.context)
            .field("status", &self.0.status)
            .field("oauth", &self.0.oauth)
            .field("retry_after", &self.0.retry_after)
            .field("retry_at", &self.0.retry_at)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
