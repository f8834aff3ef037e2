//! Classifies an error response by its status and its body (RFC 6749 §5.2).

use http::StatusCode;

use crate::error::ErrorKind;

/// Returns whether the error code is only the name of the status.
///
/// Web frameworks respond with `{"status": 404, "error": "Not Found"}` if no such route exists. That is not an OAuth error.
pub(super) fn repeats_status(code: &str, status: StatusCode) -> bool {
    let is_failure = status.is_client_error() || status.is_server_error();
    is_failure && status.canonical_reason().is_some_and(|reason| code.replace('_', " ").eq_ignore_ascii_case(reason))
}

/// The content that an error response has.
#[derive(Clone, Copy)]
pub(super) enum ErrorBody<'a> {
    /// The code of an OAuth error.
    Code(&'a str),
    /// An OAuth error whose code repeats a secret.
    Redacted,
    /// An HTML or XML page.
    Page,
    /// Any other content.
    Other,
}

impl ErrorBody<'_> {
    /// Classifies a body without an OAuth error.
    ///
    /// A client that accepts only JSON receives a page from a proxy or a firewall rather than from an authorization server.
    pub(super) fn without_oauth_error(body: &[u8]) -> Self {
        if body.trim_ascii_start().starts_with(b"<") { Self::Page } else { Self::Other }
    }
}

/// Returns whether the server, or a gateway before it, cannot process requests for now.
pub(super) fn is_overloaded(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500..=599)
}

/// Returns the kind of the error.
///
/// The status of an overloaded server takes precedence over its error code. Some gateways respond with 503 and `invalid_grant`, and
/// that must not end a login.
pub(super) fn error_kind(status: StatusCode, body: ErrorBody<'_>, authenticates: bool) -> ErrorKind {
    use ErrorBody::{Code, Other, Page, Redacted};
    match (status.as_u16(), body) {
        _ if is_overloaded(status) => ErrorKind::Overloaded,
        (_, Code("server_error" | "temporarily_unavailable")) => ErrorKind::Overloaded,
        (_, Code("invalid_client" | "unauthorized_client")) => ErrorKind::ClientRejected,
        (_, Code("invalid_grant")) => ErrorKind::InvalidGrant,
        (401, Redacted | Other) if authenticates => ErrorKind::ClientRejected,
        // A client that sends no credential cannot have a wrong one, so the server rejects the request.
        (_, Code(_) | Redacted) | (401, Other) => ErrorKind::RequestRejected,
        (_, Page | Other) => ErrorKind::NotOAuth,
    }
}
