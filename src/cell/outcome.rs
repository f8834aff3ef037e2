//! What a flight brings, as those who waited for it see it: a token, or why there is none.

use std::time::Duration;

use super::freshness::{self, Policy};
use crate::clock::{Deadline, Now};
use crate::error::Error;
use crate::token::Token;

/// A token in a cell, with what readers need of it.
#[derive(Clone, Debug)]
pub(crate) struct Current {
    pub(crate) token: Token,
    pub(crate) generation: u64,
    /// From here on a newer one is wanted, though this one serves; `None` is never.
    due: Option<Deadline>,
    /// From here on it is not sent any more; `None` is never.
    stale: Option<Deadline>,
    /// For a token that was stale when it came: how long it still serves those who waited for it.
    grace: Option<Deadline>,
    skew: Duration,
    gap: Duration,
}

/// How old a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Age {
    /// It serves.
    Fresh,
    /// It serves, and it is time for a newer one.
    Due,
    /// It is not sent any more.
    Stale,
}

/// How long an outcome may lie about before those who waited for it collect it. A service that is polled again only after
/// that asks anew.
const GRACE: Duration = Duration::from_secs(1);

impl Current {
    /// `jitter` (`0.0..1.0`) spreads the moment when it is due.
    pub(super) fn new(token: Token, generation: u64, now: Now, policy: &Policy, jitter: f64) -> Self {
        let token = match (token.expiry(), policy.default_lifetime) {
            (None, Some(lifetime)) => token.with_expiry(Some(Deadline::after(now, lifetime))),
            _ => token,
        };
        let lifetime = token.lifetime(now).unwrap_or_default();
        let (skew, gap) = (freshness::skew(policy, lifetime), freshness::gap(policy, lifetime));
        let stale = token.expiry().map(|expiry| expiry.earlier(skew));
        let ahead = freshness::ahead(policy, lifetime, jitter);
        let due = token.expiry().zip(ahead).map(|(expiry, ahead)| expiry.earlier(ahead));
        let grace = stale.filter(|stale| stale.passed(now)).map(|_| Deadline::after(now, GRACE));
        Self { token, generation, due, stale, grace, skew, gap }
    }

    pub(super) fn with_token(self, token: Token) -> Self {
        Self { token, ..self }
    }

    pub(crate) fn age(&self, now: impl FnOnce() -> Now) -> Age {
        // A token that never ends costs no look at the clock.
        let Some(stale) = self.stale else { return Age::Fresh };
        let now = now();
        if stale.passed(now) {
            Age::Stale
        } else if self.due.is_some_and(|due| due.passed(now)) {
            Age::Due
        } else {
            Age::Fresh
        }
    }

    pub(crate) fn is_usable(&self, now: impl FnOnce() -> Now) -> bool {
        self.age(now) != Age::Stale
    }

    /// How long it is still fresh; `None` is for ever.
    pub(super) fn fresh_for(&self, now: Now) -> Option<Duration> {
        let end = self.due.into_iter().chain(self.stale).reduce(Deadline::or_earlier);
        end.map(|end| end.remaining(now))
    }

    /// Whether it came stale, and only just: then it serves those who waited for it, and nobody loops.
    pub(crate) fn has_grace(&self, now: Now) -> bool {
        self.grace.is_some_and(|grace| !grace.passed(now))
    }

    /// Whether it was stale when it came.
    pub(crate) fn came_stale(&self) -> bool {
        self.grace.is_some()
    }

    pub(super) fn has_ended(&self, now: Now) -> bool {
        self.token.expiry().is_some_and(|expiry| expiry.passed(now))
    }

    /// The same, when no newer one could be had: it serves to its very end, for the skew is a caution that costs more now
    /// than it saves. The next try is not before `retry`; `None` is at the end.
    pub(super) fn holding_out(self, retry: Option<Deadline>, now: Now) -> Self {
        let (Some(expiry), Age::Due | Age::Stale) = (self.token.expiry(), self.age(|| now)) else {
            return self;
        };
        // The gap does not reach into the skew: there is no time left to be patient.
        let patient = Deadline::after(now, self.gap).or_earlier(expiry.earlier(self.skew));
        Self { due: retry.map(|retry| retry.or_later(patient)), stale: Some(expiry), ..self }
    }
}

/// Why there is no token.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    /// When the next caller may try again; `None` when only the user may.
    pub(super) retry: Option<Deadline>,
    /// How long those who waited for this outcome get it: as long as the back-off, and a moment if there is none.
    grace: Option<Deadline>,
    is_void: bool,
    /// Of which epoch it speaks: the user may have intervened since. `None` is of all.
    epoch: Option<u64>,
}

impl Failure {
    /// One that says nothing about the next try.
    pub(crate) fn passing(error: Error) -> Self {
        Self { error, retry: None, grace: None, is_void: false, epoch: None }
    }

    /// One that is old news at once: whoever waited for it asks anew.
    pub(super) fn void(error: Error, now: Now) -> Self {
        let at_once = Some(Deadline::after(now, Duration::ZERO));
        Self { retry: at_once, grace: at_once, is_void: true, ..Self::passing(error) }
    }

    pub(crate) fn is_void(&self) -> bool {
        self.is_void
    }

    pub(super) fn remembered(error: Error, wait: Duration, now: Now) -> Self {
        if error.waits_for_the_user() {
            return Self::passing(error);
        }
        let (retry, grace) = (Deadline::after(now, wait), Deadline::after(now, wait.max(GRACE / 10)));
        Self { retry: Some(retry), grace: Some(grace), ..Self::passing(error.with_retry_at(retry.wall())) }
    }

    pub(super) fn of(self, epoch: u64) -> Self {
        Self { epoch: Some(epoch), ..self }
    }

    pub(super) fn is_of(&self, epoch: u64) -> bool {
        self.epoch.is_none_or(|of| of == epoch)
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
