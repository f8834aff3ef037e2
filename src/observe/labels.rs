//! Defines the values of labels and fields. Queries and alerts depend on them, so they must not change.

use super::event_data::{FinishedRefresh, RefreshCause};
use crate::error::ErrorKind;

impl RefreshCause {
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Expired => "expired",
            Self::Proactive => "proactive",
            Self::Rejected => "rejected",
            Self::Challenged => "challenged",
            Self::Invalidated => "invalidated",
            Self::Forced => "forced",
        }
    }
}

/// Returns the name of the variant in snake case.
pub(super) fn kind(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Configuration => "configuration",
        ErrorKind::Cleartext => "cleartext",
        ErrorKind::OriginDenied => "origin_denied",
        ErrorKind::NoTransport => "no_transport",
        ErrorKind::Recursion => "recursion",
        ErrorKind::Transport => "transport",
        ErrorKind::Timeout => "timeout",
        ErrorKind::Overloaded => "overloaded",
        ErrorKind::ClientRejected => "client_rejected",
        ErrorKind::RequestRejected => "request_rejected",
        ErrorKind::NotOAuth => "not_oauth",
        ErrorKind::InvalidGrant => "invalid_grant",
        ErrorKind::LoginRequired => "login_required",
        ErrorKind::Denied => "denied",
        ErrorKind::LoginExpired => "login_expired",
        ErrorKind::Loopback => "loopback",
        ErrorKind::Malformed => "malformed",
        ErrorKind::Redirected => "redirected",
        ErrorKind::Store => "store",
        ErrorKind::Panicked => "panicked",
        ErrorKind::Proof => "proof",
    }
}

/// Returns how a refresh ended: with a token from a server, with a token that needed no request, or with an error.
pub(super) fn outcome(has_sent_request: bool, refresh: &FinishedRefresh<'_>) -> &'static str {
    match refresh.result {
        _ if refresh.is_superseded => "superseded",
        Err(error) => kind(error.kind()),
        Ok(_) if has_sent_request => "ok",
        Ok(_) => "local",
    }
}
