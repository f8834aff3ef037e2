//! Constructors and setters of errors for this crate. The public ones are in `builders`.

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime};

use http::Uri;

use super::BoxError;
use super::kind::ErrorKind;
use super::oauth::OAuthError;
use super::opaque::{Error, MAX_CONTEXT};
use crate::text::printable;

impl Error {
    /// Creates the error of an invalid argument. `name` is the argument of a builder.
    pub(crate) fn argument(name: &str, why: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Configuration, format!("`{name}`: {why}"))
    }

    /// Creates the error of a response that cannot be used.
    pub(crate) fn malformed(context: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Malformed, context)
    }

    /// Adds a text to the description of the error.
    pub(crate) fn with_context(self, more: String) -> Self {
        let context = match self.context() {
            "" => more,
            context => format!("{context}; {more}"),
        };
        self.modify(|inner| inner.context = printable(&context, MAX_CONTEXT).into())
    }

    pub(crate) fn with_source(self, source: impl Into<BoxError>) -> Self {
        let source = source.into();
        self.modify(|inner| inner.source = Some(source))
    }

    /// Sets the OAuth error of a response, if the response has one.
    pub(crate) fn with_oauth_response(self, oauth: Option<OAuthError>) -> Self {
        self.modify(|inner| inner.oauth = oauth)
    }

    /// Copies the endpoint, the status and the OAuth error from `other`.
    pub(crate) fn with_response_of(self, other: &Self) -> Self {
        let (endpoint, status, oauth) = (other.endpoint().map(str::to_owned), other.status(), other.oauth().cloned());
        self.modify(|inner| (inner.endpoint, inner.status, inner.oauth) = (endpoint, status, oauth))
    }

    /// Sets the endpoint of the failed request, unless it is set already. The query is left out, because it may contain a key.
    pub(crate) fn with_endpoint(self, uri: &Uri) -> Self {
        if self.endpoint().is_some() {
            return self;
        }
        let port = uri.port().map(|port| format!(":{port}")).unwrap_or_default();
        let endpoint = format!("{}{port}{}", uri.host().unwrap_or_default(), uri.path());
        self.modify(|inner| inner.endpoint = Some(printable(&endpoint, MAX_CONTEXT)))
    }

    /// Sets the `Retry-After` of a response, if the response has a valid one.
    pub(crate) fn with_retry_after_header(self, wait: Option<Duration>) -> Self {
        self.modify(|inner| inner.retry_after = wait)
    }

    pub(crate) fn with_retry_at(self, at: SystemTime) -> Self {
        self.modify(|inner| inner.retry_at = Some(at))
    }

    /// Marks the refresh token that was sent as unusable, regardless of later errors.
    pub(crate) fn with_spent_refresh_token(self) -> Self {
        self.modify(|inner| inner.spent_refresh_token = true)
    }

    /// Removes the mark, because the cell now has another refresh token.
    pub(crate) fn without_spent_refresh_token(self) -> Self {
        self.modify(|inner| inner.spent_refresh_token = false)
    }

    /// Marks the refresh token as unusable if `other`, an earlier error of the same refresh, does.
    pub(crate) fn with_spent_refresh_token_of(self, other: &Self) -> Self {
        if other.spent_refresh_token() { self.with_spent_refresh_token() } else { self }
    }

    /// Marks the error of a login that a person has not completed. Requests do not start another login.
    pub(crate) fn with_failed_login(self) -> Self {
        self.modify(|inner| inner.login_failed = true)
    }

    /// Marks a required login that may become unnecessary: another process that shares the store logs in, or the server accepts
    /// the refresh token later.
    pub(crate) fn recoverable_without_login(self) -> Self {
        if self.kind() == ErrorKind::LoginRequired {
            self.modify(|inner| inner.recoverable_without_login = true)
        } else {
            self
        }
    }

    /// Marks the error of a proof that could not be obtained: see [`is_before_request`](Self::is_before_request).
    pub(crate) fn before_request(self) -> Self {
        self.modify(|inner| {
            inner.before_request = true;
            inner.spent_refresh_token = false;
            inner.login_failed = false;
        })
    }

    /// Marks an error that does not pass with time.
    pub(crate) fn permanent(self) -> Self {
        self.modify(|inner| inner.permanent = true)
    }

    /// Adds a `tonic::Status` as the source, with the former source below it. A tonic client searches the sources for a `Status`, and
    /// reports `UNKNOWN` if it finds none.
    #[cfg(feature = "tonic")]
    pub(crate) fn for_grpc(self) -> Self {
        use std::error::Error as _;

        let code = if self.is_transient() { tonic::Code::Unavailable } else { tonic::Code::Unauthenticated };
        let mut status = tonic::Status::new(code, self.to_string());
        if self.source().is_some() {
            status.set_source(std::sync::Arc::new(self.clone()));
        }
        self.with_source(status)
    }
}
