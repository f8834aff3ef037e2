//! What the gateway answers if a request was not forwarded.

use std::{fmt, time::SystemTime};

use axum::{
    http::{
        StatusCode,
        header::{RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use tower::BoxError;
use tower_oauth2::{Error, error::OAuthError};

/// Why a request was not forwarded. `Display` is for the log, and contains no token.
pub(crate) enum Failure {
    /// The caller has sent no token.
    NoToken,
    /// The caller has sent a token that is not valid, or not for the gateway.
    InvalidToken,
    /// The authorization server does not exchange the token of the caller, because it was revoked, for example.
    SubjectRejected(BoxError),
    /// The authorization server does not respond. The same request may succeed later.
    Unavailable { error: BoxError, retry_at: Option<SystemTime> },
    /// The API does not respond, or the gateway is not configured correctly.
    BadGateway(BoxError),
}

impl Failure {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::NoToken | Self::InvalidToken | Self::SubjectRejected(_) => StatusCode::UNAUTHORIZED,
            Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::BadGateway(_) => StatusCode::BAD_GATEWAY,
        }
    }
}

/// Errors of the layer are an `Error` in the box. All others are those of the HTTP client.
impl From<BoxError> for Failure {
    fn from(error: BoxError) -> Self {
        let Some(oauth) = error.downcast_ref::<Error>() else { return Self::BadGateway(error) };
        // RFC 8693 §2.2.2 demands `invalid_request` for a subject token that is not valid. Some servers send another code. Codes such as
        // `invalid_scope` and `invalid_client` mean that the gateway is not configured correctly.
        match oauth.oauth().map(OAuthError::error) {
            Some("invalid_request" | "invalid_grant" | "invalid_token") => Self::SubjectRejected(error),
            _ if oauth.is_transient() => Self::Unavailable { retry_at: oauth.retry_at(), error },
            _ => Self::BadGateway(error),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = self.status();
        match self {
            Self::NoToken => (status, [(WWW_AUTHENTICATE, "Bearer")]).into_response(),
            Self::InvalidToken | Self::SubjectRejected(_) => {
                (status, [(WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"")]).into_response()
            }
            Self::Unavailable { retry_at, .. } => {
                let wait = retry_at.and_then(|at| at.duration_since(SystemTime::now()).ok()).unwrap_or_default();
                (status, [(RETRY_AFTER, (wait.as_secs() + 1).to_string())]).into_response()
            }
            Self::BadGateway(_) => status.into_response(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoToken => f.write_str("no token"),
            Self::InvalidToken => f.write_str("the token is not valid here"),
            Self::SubjectRejected(error) | Self::Unavailable { error, .. } | Self::BadGateway(error) => error.fmt(f),
        }
    }
}
