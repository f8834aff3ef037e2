//! Classifies the responses to polls without a token (RFC 8628 §3.5).

use crate::error::{Error, ErrorKind};

/// The result of a poll that returned no token.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PollResponse {
    Pending,
    SlowDown,
    Denied,
    Expired,
    /// The server could not be reached, or did not respond in time.
    NoResponse,
    /// The server responded that it will not issue a token.
    Failed,
}

impl PollResponse {
    pub(super) fn from_error(error: &Error) -> Self {
        if error.is_before_request() {
            // The client's own proof is missing for now. Only an error that does not pass with time ends the login of the user.
            let ends = matches!(error.kind(), ErrorKind::Configuration | ErrorKind::Recursion);
            return if ends { Self::Failed } else { Self::NoResponse };
        }
        match (error.kind(), error.oauth().map(|oauth| oauth.error())) {
            (_, Some("authorization_pending")) => Self::Pending,
            (_, Some("slow_down")) => Self::SlowDown,
            (ErrorKind::Transport | ErrorKind::Timeout, _) => Self::NoResponse,
            // A gateway or a failing server. Its other error codes do not count.
            (ErrorKind::Overloaded, _) => Self::Pending,
            // Microsoft uses the second code. The third one is of RFC 9470 §5.
            (_, Some("access_denied" | "authorization_declined" | "unmet_authentication_requirements")) => Self::Denied,
            (_, Some("expired_token")) => Self::Expired,
            // Not the authorization server: an error page, or the login page of a network.
            (ErrorKind::NotOAuth, _) => Self::Pending,
            (ErrorKind::Malformed | ErrorKind::RequestRejected | ErrorKind::ClientRejected, None) => Self::Pending,
            _ => Self::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::OAuthError;

    #[test]
    fn only_an_error_of_the_server_ends_a_login() {
        use ErrorKind::*;
        for (kind, code, expected) in [
            (RequestRejected, "authorization_pending", PollResponse::Pending),
            (RequestRejected, "slow_down", PollResponse::SlowDown),
            (RequestRejected, "access_denied", PollResponse::Denied),
            (RequestRejected, "authorization_declined", PollResponse::Denied),
            (RequestRejected, "unmet_authentication_requirements", PollResponse::Denied),
            (RequestRejected, "expired_token", PollResponse::Expired),
            (RequestRejected, "invalid_request", PollResponse::Failed),
            (InvalidGrant, "invalid_grant", PollResponse::Failed),
            (ClientRejected, "invalid_client", PollResponse::Failed),
            (Redirected, "", PollResponse::Failed),
            (Recursion, "", PollResponse::Failed),
            // Some servers send these codes with 429.
            (Overloaded, "authorization_pending", PollResponse::Pending),
            (Overloaded, "slow_down", PollResponse::SlowDown),
            // An outage, with any code.
            (Overloaded, "", PollResponse::Pending),
            (Overloaded, "access_denied", PollResponse::Pending),
            (Overloaded, "expired_token", PollResponse::Pending),
            (Overloaded, "invalid_grant", PollResponse::Pending),
            // An HTML page, with any status.
            (Malformed, "", PollResponse::Pending),
            (NotOAuth, "", PollResponse::Pending),
            (RequestRejected, "", PollResponse::Pending),
            (ClientRejected, "", PollResponse::Pending),
            (Transport, "", PollResponse::NoResponse),
            (Timeout, "", PollResponse::NoResponse),
        ] {
            let error = Error::new(kind, "").with_oauth_response(OAuthError::from_response(code, None, None, &[]));
            assert_eq!(PollResponse::from_error(&error), expected, "{kind:?} {code}");
        }
    }
}
