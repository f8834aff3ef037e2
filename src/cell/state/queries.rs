//! Reads the state without changing it.

use std::sync::Arc;

use super::{Blocked, TokenState};
use crate::cell::attempt::{Attempt, Trigger};
use crate::cell::cached::{CachedError, CachedToken, Freshness};
use crate::cell::decisions::{FirstTokenDecision, Lookup, RefreshDecision};
use crate::clock::Now;
use crate::grant::Reason;
use crate::observe::RefreshCause;

impl<F: Clone> TokenState<F> {
    pub(in crate::cell) fn lookup(&self, now: Now) -> Lookup<F> {
        if let Some(token) = self.current().filter(|token| token.is_valid(|| now)) {
            return Lookup::Valid(token.clone());
        }
        match (self.current(), self.backoff_error(now), &self.task) {
            // During the back-off no other token can be obtained. So this one is sent until its real expiry, without the clock skew.
            (Some(token), Some(_), _) if !token.is_expired(now) => Lookup::Valid(token.clone()),
            (_, _, Some(task)) => Lookup::Refreshing(task.clone()),
            (_, Some(error), None) => Lookup::Failed(error.clone()),
            (_, None, None) => Lookup::Missing,
        }
    }

    /// Decides whether to refresh the token before it expires.
    pub(in crate::cell) fn refresh_decision(&self, now: Now) -> RefreshDecision<F> {
        match (self.current().map(|token| token.freshness(|| now)), &self.task) {
            (Some(Freshness::Due), Some(task)) => RefreshDecision::Running(task.clone()),
            (Some(Freshness::Due), None) if self.backoff_error(now).is_none() => RefreshDecision::Start,
            _ => RefreshDecision::Skip,
        }
    }

    /// Returns the generation of the newest token, or of the last one if it was forgotten.
    pub(in crate::cell) fn generation(&self) -> u64 {
        self.generation
    }

    /// Decides about a response that demands a token, of a request that was sent without one after `generation`.
    pub(in crate::cell) fn first_token_decision(&self, generation: u64, now: Now) -> FirstTokenDecision {
        if self.newest.is_some() || self.task.is_some() {
            FirstTokenDecision::Wait
        } else if generation != self.generation || self.backoff_error(now).is_some() {
            FirstTokenDecision::Pass
        } else {
            FirstTokenDecision::Start
        }
    }

    /// Returns the newest token, even if it must not be sent.
    pub(in crate::cell) fn newest(&self) -> Option<&Arc<CachedToken>> {
        self.newest.as_ref()
    }

    /// Returns the newest token, unless it was invalidated or is withheld. It may be stale.
    pub(in crate::cell) fn current(&self) -> Option<&Arc<CachedToken>> {
        self.newest.as_ref().filter(|_| self.blocked.is_none())
    }

    /// Returns whether the token of `generation` is the current one.
    pub(in crate::cell) fn is_current_generation(&self, generation: u64) -> bool {
        self.current().is_some_and(|token| token.generation == generation)
    }

    /// Returns the current token if it is newer than `generation`, was stale when it arrived, and is in its grace period.
    pub(in crate::cell) fn stale_on_arrival(&self, generation: u64, now: Now) -> Option<&Arc<CachedToken>> {
        self.current().filter(|token| token.generation > generation && token.in_grace_period(now))
    }

    /// Returns whether this is the current token, a response has accepted it, and none has rejected it.
    pub(in crate::cell) fn is_accepted(&self, token: &Arc<CachedToken>) -> bool {
        self.accepted && !self.rejected && self.current().is_some_and(|current| Arc::ptr_eq(current, token))
    }

    /// Returns whether no response has accepted the newest token yet.
    pub(in crate::cell) fn is_awaiting_acceptance(&self) -> bool {
        !self.accepted
    }

    /// Returns whether an earlier error is still valid for its caller.
    pub(in crate::cell) fn still_applies(&self, error: &CachedError, now: Now) -> bool {
        error.is_from_epoch(self.epoch) && !error.is_outdated(now)
    }

    /// Returns the error of the last attempt while its back-off lasts.
    pub(in crate::cell) fn backoff_error(&self, now: Now) -> Option<&CachedError> {
        self.error.as_ref().filter(|error| !error.may_retry(now))
    }

    /// Returns the running refresh task.
    pub(in crate::cell) fn running_task(&self) -> Option<&F> {
        self.task.as_ref()
    }

    /// Returns the error of the last attempt, even after its back-off.
    pub(in crate::cell) fn error(&self) -> Option<&CachedError> {
        self.error.as_ref()
    }

    /// Returns the inputs of a refresh that starts now.
    pub(in crate::cell) fn new_attempt(&self, trigger: impl Into<Trigger>) -> Attempt {
        let Trigger { reason, challenge, demand } = trigger.into();
        // A rejection that could not start a refresh withholds the token. The request that finds no token starts that refresh.
        let is_withheld = reason == Reason::Missing && self.blocked == Some(Blocked::Withheld);
        Attempt {
            previous: self.newest.as_ref().map(|newest| newest.token.clone()),
            reason: if is_withheld { Reason::Rejected } else { reason },
            challenge,
            demand,
            intervention: self.intervention,
            generation: self.generation,
            epoch: self.epoch,
        }
    }

    /// Returns the cause of the next refresh for logs and metrics.
    pub(in crate::cell) fn cause(&self, reason: Reason) -> RefreshCause {
        match (reason, &self.newest) {
            (Reason::Forced, _) => RefreshCause::Forced,
            (Reason::Proactive, _) => RefreshCause::Proactive,
            (Reason::Rejected, _) => RefreshCause::Rejected,
            (Reason::Challenged, _) => RefreshCause::Challenged,
            (_, None) => RefreshCause::Missing,
            (_, Some(_)) if self.blocked.is_none() => RefreshCause::Expired,
            // A withheld token has the reason `Rejected`, so this one was invalidated.
            (_, Some(_)) => RefreshCause::Invalidated,
        }
    }

    /// Returns whether the application has set or forgotten a token since the attempt started.
    pub(in crate::cell) fn is_superseded(&self, attempt: &Attempt) -> bool {
        attempt.epoch != self.epoch
    }
}
