//! What the answer to one question comes down to (RFC 8628 §3.5).

use crate::error::{Error, ErrorKind};

/// What a question brought that brought no token.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Pending,
    SlowDown,
    Denied,
    Expired,
    /// No answer at all.
    Nothing,
    /// The server's word that no token will come.
    Failure,
}

impl Heard {
    pub(super) fn of(error: &Error) -> Self {
        match (error.kind(), error.oauth().map(|oauth| oauth.error())) {
            (_, Some("authorization_pending")) => Self::Pending,
            (_, Some("slow_down")) => Self::SlowDown,
            (ErrorKind::Transport | ErrorKind::Timeout, _) => Self::Nothing,
            // A gateway in between, or a server that is out of order: nothing that it says about the login is believed.
            (ErrorKind::Overloaded, _) => Self::Pending,
            // Microsoft's name for it is the second one.
            (_, Some("access_denied" | "authorization_declined")) => Self::Denied,
            (_, Some("expired_token")) => Self::Expired,
            // Not the authorization server's word: an error page, or a page to sign in at a hotel.
            (ErrorKind::Malformed | ErrorKind::RequestRejected | ErrorKind::ClientRejected, None) => Self::Pending,
            _ => Self::Failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::OAuthError;

    #[test]
    fn only_the_servers_own_word_ends_a_login() {
        use ErrorKind::*;
        for (kind, code, heard) in [
            (RequestRejected, "authorization_pending", Heard::Pending),
            (RequestRejected, "slow_down", Heard::SlowDown),
            (RequestRejected, "access_denied", Heard::Denied),
            (RequestRejected, "authorization_declined", Heard::Denied),
            (RequestRejected, "expired_token", Heard::Expired),
            (RequestRejected, "invalid_request", Heard::Failure),
            (InvalidGrant, "invalid_grant", Heard::Failure),
            (ClientRejected, "invalid_client", Heard::Failure),
            (Redirected, "", Heard::Failure),
            (Recursion, "", Heard::Failure),
            // Some say 429 and what they mean.
            (Overloaded, "authorization_pending", Heard::Pending),
            (Overloaded, "slow_down", Heard::SlowDown),
            // An outage, with whatever it has to say.
            (Overloaded, "", Heard::Pending),
            (Overloaded, "access_denied", Heard::Pending),
            (Overloaded, "expired_token", Heard::Pending),
            (Overloaded, "invalid_grant", Heard::Pending),
            // A page for people, whatever its status.
            (Malformed, "", Heard::Pending),
            (RequestRejected, "", Heard::Pending),
            (ClientRejected, "", Heard::Pending),
            (Transport, "", Heard::Nothing),
            (Timeout, "", Heard::Nothing),
        ] {
            let error = Error::new(kind, "").with_oauth(OAuthError::heard(code, None, None, &[]));
            assert_eq!(Heard::of(&error), heard, "{kind:?} {code}");
        }
    }
}
