//! The data of events: why a refresh starts, how it ends, and what a rejection causes.
#![cfg_attr(
    not(all(feature = "metrics", feature = "tracing")),
    allow(dead_code, reason = "logs and metrics use different parts of it")
)]

use crate::error::Error;
use crate::token::Token;

/// How a refresh has ended.
pub(crate) struct FinishedRefresh<'a> {
    /// Whether the result is discarded, because a token was set, or the token was forgotten, during the refresh.
    pub(crate) is_superseded: bool,
    /// The result for the waiters: a token and its generation, or an error.
    pub(crate) result: Result<(&'a Token, u64), &'a Error>,
    /// Whether the cell has a valid token after the refresh, from this refresh or another source.
    pub(crate) has_valid_token: bool,
}

/// The reason why a refresh was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefreshCause {
    /// There is no token.
    Missing,
    /// The token has expired.
    Expired,
    /// The token is due, and still valid.
    Proactive,
    /// A server has rejected the token.
    Rejected,
    /// A server demands more of the token, or a first one.
    Challenged,
    /// The token was invalidated through the handle.
    Invalidated,
    /// The refresh was requested through the handle.
    Forced,
}

/// The effect of a rejected token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RejectionEffect {
    /// The newest token was rejected. A refresh starts.
    Refresh,
    /// The rejected token is not the newest, or a refresh is already running.
    Superseded,
    /// The token stays in use: its predecessor was rejected too, and the back-off has not passed.
    Backoff,
}
