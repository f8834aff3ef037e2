//! What is worth telling.
#![cfg_attr(
    not(all(feature = "metrics", feature = "tracing")),
    allow(dead_code, reason = "each of those who listen makes something else of it")
)]

use http::Uri;

use super::Logbook;
use crate::clock::Now;
use crate::error::Error;
use crate::token::Token;

/// What happened to a cell.
pub(crate) enum Event<'a> {
    /// A flight begins.
    Departs(&'a Logbook),
    /// It makes its first call.
    Calls(&'a Logbook, &'a Uri),
    /// It has ended.
    Lands(&'a Logbook, &'a Landing<'a>),
    /// This is the token from now on, if it is one.
    Holds(Option<&'a Token>),
    /// The user has brought a token.
    Set,
    /// The user wants nothing of the token kept.
    Forgotten,
    /// The user does not want the access token used again.
    Invalidated,
    /// A sibling has got a token, and it was taken.
    Heard,
    /// The token store has failed.
    StoreFailed(&'a Error),
    /// A server has refused the token of this generation.
    Refused(u64, Verdict),
    /// A caller got this error at once, with nothing to wait for.
    TurnedAway(&'a Error),
    /// A caller begins to wait for a flight.
    Waits,
    /// One who began to wait at this time does so no more: there is an outcome, or they have left.
    Waited(Now),
}

/// How a flight has ended.
pub(crate) struct Landing<'a> {
    /// Whether what it brought does not count: the user has set a token since, or forgotten one.
    pub(crate) is_overtaken: bool,
    /// What those get who waited for it: a token and its generation, or why there is none.
    pub(crate) outcome: Result<(&'a Token, u64), &'a Error>,
    /// Whether there is a token that serves, whoever brought it.
    pub(crate) serves: bool,
}

/// Why a flight is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// There was no token.
    First,
    /// The token has ended.
    Expired,
    /// The token will end, and still serves.
    Ahead,
    /// A server has refused the token.
    Refused,
    /// The user has invalidated the token.
    Invalidated,
    /// The user asked for a new one.
    Asked,
}

/// What a refusal does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The token was the newest, and is not sent again.
    GivenUp,
    /// There is, or will be, a newer one.
    Outdated,
    /// The token is sent again: its predecessor was refused too, and it is too early for another.
    Kept,
}
