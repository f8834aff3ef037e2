//! What a flight brings, as those who waited for it see it: a token, or why there is none.

use std::time::Duration;

use super::freshness::{self, Policy};
use crate::clock::{Deadline, Now};
use crate::error::Error;
use crate::token::Token;

/// A token in a cell, with what readers need of it.
#[derive(Debug)]
pub(crate) struct Current {
    pub(crate) token: Token,
    pub(crate) generation: u64,
    /// From here on it is not sent any more; `None` is never.
    stale: Option<Deadline>,
    /// For a token that was stale when it came: how long it still serves those who waited for it.
    grace: Option<Deadline>,
}

/// How long an outcome may lie about before those who waited for it collect it. A service that is polled again only after
/// that asks anew.
const GRACE: Duration = Duration::from_secs(1);

impl Current {
    pub(super) fn new(token: Token, generation: u64, now: Now, policy: &Policy) -> Self {
        let token = match (token.expiry(), policy.default_lifetime) {
            (None, Some(lifetime)) => token.with_expiry(Some(Deadline::after(now, lifetime))),
            _ => token,
        };
        let skew = freshness::skew(policy, token.lifetime(now).unwrap_or_default());
        let stale = token.expiry().map(|expiry| expiry.earlier(skew));
        let grace = stale.filter(|stale| stale.passed(now)).map(|_| Deadline::after(now, GRACE));
        Self { token, generation, stale, grace }
    }

    pub(crate) fn is_fresh(&self, now: impl FnOnce() -> Now) -> bool {
        self.stale.is_none_or(|stale| !stale.passed(now()))
    }

    /// Whether it came stale, and only just: then it serves those who waited for it, and nobody loops.
    pub(crate) fn has_grace(&self, now: Now) -> bool {
        self.grace.is_some_and(|grace| !grace.passed(now))
    }
}

/// Why there is no token.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    /// When the next caller may try again; `None` when only the user may.
    retry: Option<Deadline>,
    /// How long those who waited for this outcome get it: as long as the back-off, and a moment if there is none.
    grace: Option<Deadline>,
}

impl Failure {
    /// One that says nothing about the next try.
    pub(crate) fn passing(error: Error) -> Self {
        Self { error, retry: None, grace: None }
    }

    pub(super) fn remembered(error: Error, wait: Duration, now: Now) -> Self {
        if error.waits_for_the_user() {
            return Self::passing(error);
        }
        let (retry, grace) = (Deadline::after(now, wait), Deadline::after(now, wait.max(GRACE / 10)));
        Self { error, retry: Some(retry), grace: Some(grace) }
    }

    /// Whether the next caller may try again.
    pub(super) fn may_retry(&self, now: Now) -> bool {
        self.retry.is_some_and(|retry| retry.passed(now))
    }

    /// Whether it is old news to one who waited for it: then they may try again.
    pub(crate) fn is_old(&self, now: Now) -> bool {
        self.grace.is_some_and(|grace| grace.passed(now))
    }
}
