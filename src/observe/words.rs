//! The words by which causes and kinds are known outside: they are searched for, so they do not change.

use super::{Cause, Landing, Logbook};
use crate::error::ErrorKind;

impl Cause {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Expired => "expired",
            Self::Ahead => "ahead",
            Self::Refused => "refused",
            Self::Invalidated => "invalidated",
            Self::Asked => "asked",
        }
    }
}

/// The name of the variant, in the manner of a label.
pub(super) fn kind(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Configuration => "configuration",
        ErrorKind::Cleartext => "cleartext",
        ErrorKind::ForeignOrigin => "foreign_origin",
        ErrorKind::NoTransport => "no_transport",
        ErrorKind::Recursion => "recursion",
        ErrorKind::Transport => "transport",
        ErrorKind::Timeout => "timeout",
        ErrorKind::Overloaded => "overloaded",
        ErrorKind::ClientRejected => "client_rejected",
        ErrorKind::RequestRejected => "request_rejected",
        ErrorKind::InvalidGrant => "invalid_grant",
        ErrorKind::LoginNeeded => "login_needed",
        ErrorKind::Denied => "denied",
        ErrorKind::LoginExpired => "login_expired",
        ErrorKind::Loopback => "loopback",
        ErrorKind::Malformed => "malformed",
        ErrorKind::Redirected => "redirected",
        ErrorKind::Store => "store",
        ErrorKind::Panicked => "panicked",
    }
}

/// How a flight has ended: with what it got from a server, with what the grant had at hand, or with an error.
pub(super) fn outcome(log: &Logbook, landing: &Landing<'_>) -> &'static str {
    match landing.outcome {
        _ if landing.is_overtaken => "overtaken",
        Err(error) => kind(error.kind()),
        Ok(_) if log.has_called() => "ok",
        Ok(_) => "at_hand",
    }
}
