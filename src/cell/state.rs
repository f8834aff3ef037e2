//! The state of a cell and its transitions, without I/O, locks or clocks: time and jitter are arguments.

mod queries;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::attempt::Attempt;
use super::cached::{CachedError, CachedToken};
use super::challenge_series::ChallengeSeries;
use super::decisions::{Completion, OfferOutcome, RejectionOutcome};
use super::inputs::Inputs;
use super::rejection_backoff::RejectionBackoff;
use crate::clock::{Deadline, Now};
use crate::error::{Error, ErrorKind};
use crate::grant::{Intervention, Reason};
use crate::secret::Secret;
use crate::token::Token;

/// The token of a cell, and the refresh that obtains the next one. `F` is the handle of a refresh task, which the state only stores.
#[derive(Debug)]
pub(super) struct TokenState<F> {
    /// The newest token. It is kept after its expiry because of its refresh token.
    newest: Option<Arc<CachedToken>>,
    /// Why the newest token must not be sent.
    blocked: Option<Blocked>,
    /// The last `set` or `forget`, if no token was obtained since.
    intervention: Option<Intervention>,
    /// Whether a response has accepted the newest token.
    accepted: bool,
    /// Whether a response has rejected the newest token.
    rejected: bool,
    error: Option<CachedError>,
    failures_in_a_row: u32,
    /// The running refresh task.
    task: Option<F>,
    rejections: RejectionBackoff,
    pub(super) challenges: ChallengeSeries,
    /// The generation of the newest token. A rejection or a result of an older generation has no effect.
    generation: u64,
    /// The number of calls of `set` and `forget`. A refresh that started in an earlier epoch has no effect.
    epoch: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blocked {
    /// The application invalidated the token.
    Invalidated,
    /// An API rejected the token, and none has accepted it. It is sent again if no newer token can be obtained.
    Withheld,
}

impl<F: Clone> TokenState<F> {
    /// Creates an empty state. The generations of its tokens follow `generation`.
    pub(super) fn new(generation: u64) -> Self {
        Self {
            newest: None,
            blocked: None,
            intervention: None,
            accepted: false,
            rejected: false,
            error: None,
            failures_in_a_row: 0,
            task: None,
            rejections: RejectionBackoff::default(),
            challenges: ChallengeSeries::default(),
            generation,
            epoch: 0,
        }
    }

    /// Stores the task of a refresh that starts.
    pub(super) fn start(&mut self, task: F) {
        debug_assert!(self.task.is_none(), "two refresh tasks at once");
        self.task = Some(task);
    }

    /// Applies the result of a refresh task.
    ///
    /// If the task was cancelled by the watchdog, `is_running` is false. Its token is then used unless the cell has a newer one.
    pub(super) fn complete(
        &mut self,
        attempt: &Attempt,
        is_running: bool,
        result: Result<Token, Error>,
        now: Now,
        inputs: &Inputs<'_>,
    ) -> Completion {
        if self.is_superseded(attempt) {
            return Completion::Ignored(result);
        }
        if is_running {
            self.task = None;
        }
        match result {
            Ok(token) => self.succeed(attempt, is_running, token, now, inputs),
            Err(error) => {
                if error.spent_refresh_token() {
                    self.drop_refresh_token(attempt.previous.as_ref());
                }
                match is_running {
                    true => Completion::Applied(Err(self.fail(attempt, error, now, inputs))),
                    false => Completion::Ignored(Err(error)),
                }
            }
        }
    }

    fn succeed(
        &mut self,
        attempt: &Attempt,
        is_running: bool,
        token: Token,
        now: Now,
        inputs: &Inputs<'_>,
    ) -> Completion {
        // During the refresh, another process has saved a newer token. The waiters get that one.
        if is_running && let Some(newer) = self.current().filter(|current| current.token.is_newer_than(&token)).cloned()
        {
            self.reset_failures();
            return Completion::Applied(Ok(newer));
        }
        if !is_running && attempt.generation != self.generation {
            return Completion::Ignored(Ok(token));
        }
        let is_same = attempt.previous.as_ref().is_some_and(|previous| previous.is_same(&token));
        let mut token = self.new_token(token, now, inputs);
        if attempt.reason != Reason::Missing {
            token = token.with_min_interval(now);
        }
        if is_same {
            token = token.without_skew(now);
        }
        Completion::Applied(Ok(self.set_newest(token)))
    }

    /// Cancels a refresh task that makes no progress. Its waiters get the error.
    pub(super) fn cancel(&mut self, attempt: &Attempt, error: Error, now: Now, inputs: &Inputs<'_>) -> CachedError {
        self.task = None;
        self.fail(attempt, error, now, inputs)
    }

    fn fail(&mut self, attempt: &Attempt, error: Error, now: Now, inputs: &Inputs<'_>) -> CachedError {
        // The token stays in use for everything that does not need more, so the error is only for the requests that do.
        if let (Some(demand), Some(_)) = (&attempt.demand, &self.newest) {
            let failures = self.challenges.failures(demand, attempt.generation).saturating_add(1);
            let wait = inputs.timing.backoff(failures, inputs.jitter, error.retry_after());
            let error = CachedError::new(error, wait, now, self.epoch);
            self.challenges.record_failure(demand, attempt.generation, error.retry);
            return error;
        }
        self.rejections.record_failure(now, inputs.timing);
        if self.blocked == Some(Blocked::Withheld) {
            self.blocked = None;
        }
        let is_login_error = error.kind() == ErrorKind::LoginRequired || error.needs_user();
        if attempt.reason == Reason::Proactive && (is_login_error || error.kind() == ErrorKind::Store) {
            // A proactive refresh neither starts a login nor waits for the store. A refresh that callers wait for may do both, and may
            // succeed. So the error is hidden from callers.
            if !error.needs_user() && is_login_error {
                self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
            }
            let wait = inputs.timing.backoff(self.failures_in_a_row.max(1), inputs.jitter, None);
            let retry = (!error.needs_user()).then(|| Deadline::from_now(now, wait));
            self.extend_to_expiry(retry, now);
            return CachedError::hidden(error, now);
        }
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        let wait = inputs.timing.backoff(self.failures_in_a_row, inputs.jitter, error.retry_after());
        let error = CachedError::new(error, wait, now, self.epoch);
        self.extend_to_expiry(error.retry, now);
        self.error = Some(error.clone());
        error
    }

    /// Replaces the token by one of the application.
    pub(super) fn set(&mut self, token: Token, now: Now, inputs: &Inputs<'_>) {
        self.supersede_refresh();
        // A token that the application has loaded from the store is like any other stored token.
        let intervention = token.stored_as().is_none().then_some(Intervention::Set);
        self.adopt(token, now, inputs);
        self.intervention = intervention;
    }

    /// Offers a token that was saved in the store, by another process or by this one in the background.
    pub(super) fn offer(&mut self, token: Token, now: Now, inputs: &Inputs<'_>) -> OfferOutcome {
        // A stored login does not undo a `set` or `forget` of the application.
        if self.intervention.is_some() {
            return OfferOutcome::Ignored;
        }
        match &self.newest {
            None => OfferOutcome::Ignored,
            // If the newest token has no version, a grant that wraps the persisted grant made it, and only that grant replaces it.
            Some(newest) if !token.is_newer_than(&newest.token) => OfferOutcome::Ignored,
            Some(newest) if newest.is_same_stored(&token) => {
                if let Some(stored_as) = token.stored_as() {
                    self.map_newest(|token| token.with_stored_as(stored_as));
                }
                OfferOutcome::AlreadyNewest
            }
            // Only the refresh token is new. If the access token was invalidated or rejected, it must not be sent again.
            Some(newest) if newest.token.access_token() == token.access_token() => {
                let access_token_state = (self.blocked, self.accepted, self.rejected);
                self.adopt(token, now, inputs);
                (self.blocked, self.accepted, self.rejected) = access_token_state;
                OfferOutcome::Adopted
            }
            _ => {
                self.adopt(token, now, inputs);
                OfferOutcome::Adopted
            }
        }
    }

    /// Forgets the token and its refresh token.
    pub(super) fn forget(&mut self) {
        self.supersede_refresh();
        self.newest = None;
        self.blocked = None;
        self.intervention = Some(Intervention::Forgotten);
        self.reset_failures();
    }

    /// Forgets the token without the intention of a logout: a stored login is kept.
    #[cfg(feature = "tenants")]
    pub(super) fn discard(&mut self) {
        self.forget();
        self.intervention = None;
    }

    /// Invalidates the access token. Its refresh token is kept.
    pub(super) fn invalidate(&mut self) {
        if self.newest.is_some() {
            self.blocked = Some(Blocked::Invalidated);
        }
    }

    /// Applies changed options to the newest token.
    pub(super) fn reconfigure(&mut self, inputs: &Inputs<'_>) {
        // Headers are cached by generation, and another scheme makes another header.
        if self.newest.as_ref().is_some_and(|newest| !newest.has_scheme(inputs.scheme)) {
            self.generation += 1;
        }
        let generation = self.generation;
        self.map_newest(|token| token.with_options(generation, inputs));
    }

    /// Records that a response has rejected the token of `generation`. `can_start` is false if the caller cannot start a refresh.
    pub(super) fn reject(
        &mut self,
        generation: u64,
        can_start: bool,
        now: Now,
        inputs: &Inputs<'_>,
    ) -> RejectionOutcome {
        if !self.is_current_generation(generation) {
            return RejectionOutcome::NotCurrent;
        }
        self.rejected = true;
        let may_refresh = self.rejections.record_rejection(now, inputs.timing);
        let outcome = match &self.task {
            Some(_) => RejectionOutcome::AlreadyRefreshing,
            None if may_refresh && self.backoff_error(now).is_none() => {
                self.rejections.record_refresh_start(now, inputs.timing, inputs.jitter);
                RejectionOutcome::StartRefresh
            }
            None => RejectionOutcome::TooEarly,
        };
        // A token that was accepted before stays in use during the refresh. If the caller cannot start the refresh, the token is withheld,
        // so that the next request starts it.
        let must_start_later = outcome == RejectionOutcome::StartRefresh && !can_start;
        if must_start_later || (outcome != RejectionOutcome::TooEarly && !self.accepted) {
            self.blocked = Some(Blocked::Withheld);
        }
        outcome
    }

    /// Records that a response has accepted the token of `generation`.
    pub(super) fn accept(&mut self, generation: u64) {
        if generation == self.generation {
            self.accepted = true;
        }
    }

    /// Detaches the running refresh task. It continues, but its result has no effect.
    fn supersede_refresh(&mut self) {
        self.rejections = RejectionBackoff::default();
        self.challenges.reset();
        self.epoch += 1;
        self.task = None;
    }

    fn adopt(&mut self, token: Token, now: Now, inputs: &Inputs<'_>) {
        let token = self.new_token(token, now, inputs);
        self.set_newest(token);
    }

    fn new_token(&mut self, token: Token, now: Now, inputs: &Inputs<'_>) -> CachedToken {
        self.generation += 1;
        self.rejections.record_token(now, inputs.timing);
        CachedToken::new(token, self.generation, now, inputs)
    }

    fn set_newest(&mut self, token: CachedToken) -> Arc<CachedToken> {
        let token = Arc::new(token);
        (self.blocked, self.accepted, self.rejected, self.intervention) = (None, false, false, None);
        self.reset_failures();
        self.newest = Some(token.clone());
        token
    }

    fn reset_failures(&mut self) {
        self.error = None;
        self.failures_in_a_row = 0;
    }

    /// Drops the refresh token that the server has rejected, if it is still the one that was sent.
    fn drop_refresh_token(&mut self, sent: Option<&Token>) {
        let sent = sent.and_then(Token::refresh_token);
        if self.newest.as_ref().is_some_and(|newest| newest.token.refresh_token() == sent) {
            self.map_newest(CachedToken::without_refresh_token);
        }
    }

    /// Stores a new refresh token that the server sent in a response without a usable access token.
    ///
    /// `replacement` returns the new refresh token if the server has replaced the given one.
    pub(super) fn rotate(&mut self, replacement: impl FnOnce(Option<&str>) -> Option<Secret>) {
        let sent = self.newest.as_ref().map(|newest| newest.token.refresh_token());
        if let Some(new) = sent.and_then(replacement) {
            self.map_newest(|token| token.with_refresh_token(new.expose()));
        }
    }

    fn extend_to_expiry(&mut self, retry: Option<Deadline>, now: Now) {
        self.map_newest(|token| token.extend_to_expiry(retry, now));
    }

    fn map_newest(&mut self, change: impl FnOnce(CachedToken) -> CachedToken) {
        self.newest = self.newest.take().map(|token| Arc::new(change(Arc::unwrap_or_clone(token))));
    }
}
