//! The error type of this crate: opaque, cheap to clone, and free of secrets.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::StatusCode;

use super::BoxError;
use super::kind::ErrorKind;
use super::oauth::OAuthError;
use crate::text::printable;

/// The maximum length of texts that may contain an argument or a part of a response, in characters.
pub(super) const MAX_CONTEXT: usize = 1024;

/// The error of a request that could not be authorized, or of an invalid argument.
///
/// It is cheap to clone: every request that waited for the same refresh gets the same error. The error type of the service
/// is `tower::BoxError`. Downcast it to this type to distinguish errors of the layer from errors of the inner service.
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
/// `Display` prints one sentence for people. `Debug` adds the causes and a [`hint`](Error::hint) for programmers, in one line, so
/// a `main` that returns the error prints what to do:
///
/// ```
/// # use tower_oauth2::{Error, ErrorKind};
/// let error = Error::caused_by(ErrorKind::Transport, "connection refused");
/// assert_eq!(
///     format!("Error: {error:?}"),
///     "Error: the authorization server could not be reached: connection refused \
///      [Transport: no server listens at this host and port, or a firewall rejects the connection; check both]"
/// );
/// ```
///
/// # Security
///
/// An error never contains a token, a secret, a code or a response body. Of an endpoint's URL it contains the host and the path.
/// Texts of the authorization server are sanitized and truncated. The [`source`](StdError::source) may be an error of the inner
/// service or of a store, whose texts this crate does not control.
#[derive(Clone)]
pub struct Error(Arc<ErrorImpl>);

pub(super) struct ErrorImpl {
    kind: ErrorKind,
    pub(super) context: Cow<'static, str>,
    /// The host and the path of the endpoint that failed.
    pub(super) endpoint: Option<String>,
    pub(super) status: Option<StatusCode>,
    pub(super) oauth: Option<OAuthError>,
    pub(super) retry_after: Option<Duration>,
    pub(super) retry_at: Option<SystemTime>,
    pub(super) spent_refresh_token: bool,
    pub(super) login_failed: bool,
    pub(super) recoverable_without_login: bool,
    pub(super) permanent: bool,
    pub(super) before_request: bool,
    pub(super) source: Option<BoxError>,
}

// ===== impl Error =====

impl Error {
    /// Returns the kind of the error.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns whether the same operation may succeed later without a change: after an outage, an overload or a timeout.
    pub fn is_transient(&self) -> bool {
        use ErrorKind::{Overloaded, Panicked, Proof, Store, Timeout, Transport};
        matches!(self.0.kind, Transport | Timeout | Overloaded | Store | Panicked | Proof) && !self.0.permanent
    }

    /// Returns the `Retry-After` of the authorization server, at most one hour. `None` if the response has none.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Returns the HTTP status of the token endpoint's response. `None` if there was no response.
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// Returns the host and the path of the endpoint that the failed request was sent to, such as `auth.example.com/token`. `None`
    /// for an error without a request.
    pub fn endpoint(&self) -> Option<&str> {
        self.0.endpoint.as_deref()
    }

    /// Returns when the layer makes the next attempt. Until then, every request gets this error at once, without a token request.
    /// `None` if no back-off applies: the error concerns a single request, or a person has to act.
    pub fn retry_at(&self) -> Option<SystemTime> {
        self.0.retry_at
    }

    /// Returns the error response of the authorization server: `error`, `error_description` and `error_uri` ([RFC 6749 §5.2]).
    ///
    /// [RFC 6749 §5.2]: https://www.rfc-editor.org/rfc/rfc6749#section-5.2
    pub fn oauth(&self) -> Option<&OAuthError> {
        self.0.oauth.as_ref()
    }

    /// Creates an error of `kind`. `context` describes it, and must not contain a secret.
    pub(crate) fn new(kind: ErrorKind, context: impl Into<Cow<'static, str>>) -> Self {
        Self(Arc::new(ErrorImpl {
            kind,
            context: match context.into() {
                Cow::Owned(context) => printable(&context, MAX_CONTEXT).into(),
                fixed => fixed,
            },
            endpoint: None,
            status: None,
            oauth: None,
            retry_after: None,
            retry_at: None,
            spent_refresh_token: false,
            login_failed: false,
            recoverable_without_login: false,
            permanent: false,
            before_request: false,
            source: None,
        }))
    }

    /// Returns the text that describes the error, without the sentence of its kind.
    pub(crate) fn context(&self) -> &str {
        &self.0.context
    }

    /// Returns whether the server has rejected the refresh token that was sent, so that it cannot be used again.
    pub(crate) fn spent_refresh_token(&self) -> bool {
        self.0.spent_refresh_token
    }

    /// Returns whether the proof of a request could not be obtained, so that the request was not sent. The error may be one of another layer, or of
    /// another server. It says nothing about the refresh token, the code or the login that the request is for.
    pub(crate) fn is_before_request(&self) -> bool {
        self.0.before_request
    }

    /// Returns whether a person has to act before another attempt. Requests do not start one.
    pub(crate) fn needs_user(&self) -> bool {
        self.0.login_failed
            || match self.0.kind {
                _ if self.0.before_request => false,
                ErrorKind::LoginRequired => !self.0.recoverable_without_login,
                kind => matches!(kind, ErrorKind::Denied | ErrorKind::LoginExpired),
            }
    }

    /// Changes a field. If the error is shared, the copy has the original as its source.
    pub(super) fn modify(mut self, modify: impl FnOnce(&mut ErrorImpl)) -> Self {
        match Arc::get_mut(&mut self.0) {
            Some(inner) => modify(inner),
            None => {
                let mut inner = ErrorImpl {
                    kind: self.0.kind,
                    context: self.0.context.clone(),
                    endpoint: self.0.endpoint.clone(),
                    status: self.0.status,
                    oauth: self.0.oauth.clone(),
                    retry_after: self.0.retry_after,
                    retry_at: self.0.retry_at,
                    spent_refresh_token: self.0.spent_refresh_token,
                    login_failed: self.0.login_failed,
                    recoverable_without_login: self.0.recoverable_without_login,
                    permanent: self.0.permanent,
                    before_request: self.0.before_request,
                    source: self.0.source.is_some().then(|| Box::new(self.clone()) as BoxError),
                };
                modify(&mut inner);
                self = Self(Arc::new(inner));
            }
        }
        self
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
