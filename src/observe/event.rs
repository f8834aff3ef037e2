//! Defines the events of a token cell.
#![cfg_attr(
    not(all(feature = "metrics", feature = "tracing")),
    allow(dead_code, reason = "logs and metrics use different parts of it")
)]

#[cfg(any(feature = "metrics", feature = "tracing"))]
use super::event_data::FinishedRefresh;
use super::event_data::RejectionEffect;
#[cfg(any(feature = "metrics", feature = "tracing"))]
use super::record::RefreshRecord;
use crate::clock::Now;
use crate::error::Error;
use crate::token::Token;

/// An event of a token cell, which is recorded in logs and metrics.
pub(crate) enum Event<'a> {
    /// A refresh has started.
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    RefreshStarted(&'a RefreshRecord),
    /// A refresh has finished.
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    RefreshFinished(&'a RefreshRecord, &'a FinishedRefresh<'a>),
    /// A refresh made no progress for too long. Its waiters got this error.
    RefreshStalled(&'a Error),
    /// The cell now has this token, or none.
    TokenChanged(Option<&'a Token>),
    /// A token was set through the handle.
    TokenSet,
    /// The token was forgotten through the handle.
    TokenForgotten,
    /// The access token was invalidated through the handle.
    TokenInvalidated,
    /// The cell uses a token that another process has obtained.
    TokenAdopted,
    /// A server has rejected the token of this generation.
    TokenRejected(u64, RejectionEffect),
    /// An operation of the token store failed during a refresh. The text is the cause, if it is known.
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    StoreFailed(&'a RefreshRecord, Option<&'a str>),
    /// A refresh waits until the token store can be reached again. The text is the cause, if it is known.
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    WaitingForStore(&'a RefreshRecord, Option<&'a str>),
    /// A refresh waits for the lock of the token store, which another process holds.
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    WaitingForLock(&'a RefreshRecord),
    /// A caller got this error at once, without waiting.
    FailedFast(&'a Error),
    /// A caller starts to wait for a token.
    WaitStarted,
    /// A caller has stopped waiting, because there is a result or because the caller was dropped. It has waited since this time.
    WaitFinished(Now),
}
