//! Defines the results of lookups and transitions.

use std::sync::Arc;

use super::cached::{CachedError, CachedToken, Outcome};
use crate::error::Error;
use crate::token::Token;

/// The result of looking up the token. `F` is the handle of a refresh task.
#[derive(Debug)]
pub(super) enum Lookup<F> {
    /// A token to send.
    Valid(Arc<CachedToken>),
    /// No token, but a running refresh task.
    Refreshing(F),
    /// No token, and the back-off after the last attempt has not passed.
    Failed(CachedError),
    /// No token, no refresh task and no back-off.
    Missing,
}

/// Whether to refresh a token that can still be sent.
#[derive(Debug)]
pub(super) enum RefreshDecision<F> {
    /// The token is not due, or the back-off has not passed.
    Skip,
    /// A refresh task is running.
    Running(F),
    Start,
}

/// The consequence of a response that demands a token, of a request that was sent without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FirstTokenDecision {
    /// The response passes: the back-off has not passed, or the application has forgotten a token since the request was sent.
    Pass,
    /// The repeated request gets the token that exists, or waits for the running refresh task.
    Wait,
    Start,
}

/// Describes what the result of a refresh task has changed.
#[derive(Debug)]
pub(super) enum Completion {
    /// The outcome for the waiters.
    Applied(Outcome),
    /// The result has no effect. The caller drops it after releasing the lock, because it can own user code.
    Ignored(#[expect(dead_code, reason = "only dropped")] Result<Token, Error>),
}

/// The consequence of a rejected token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RejectionOutcome {
    /// The caller must start a refresh.
    StartRefresh,
    /// The rejected token is not the current one: it was replaced, invalidated or withheld before.
    NotCurrent,
    /// A refresh task is running already.
    AlreadyRefreshing,
    /// The token stays in use, because it is too early for another refresh.
    TooEarly,
}

/// The effect of a token that was saved in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OfferOutcome {
    /// The token is the newest token now.
    Adopted,
    /// The token was the newest token already.
    AlreadyNewest,
    /// The token was ignored: the cell has a newer one, or the application has set or forgotten a token.
    Ignored,
}
