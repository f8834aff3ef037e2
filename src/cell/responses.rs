//! Handles responses that accept or reject the token.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};

use super::attempt::Trigger;
use super::decisions::RejectionOutcome;
use super::reentrancy::is_reentrant;
use super::registry::sequence_number;
use super::token_cell::TokenCell;
use crate::challenge::Challenge;
use crate::grant::Reason;
use crate::observe::{CallerSpan, Event, RejectionEffect};
use crate::rejection::{challenge_of, is_rejection};
use crate::sync::{Ordering, lock};
use crate::token::Token;

impl TokenCell {
    /// Handles a response to a request with the token of `generation`.
    ///
    /// If the response rejects the token, returns whether a retry may succeed: a newer token exists, or a refresh is running or starts with
    /// the next request. Otherwise returns `None`.
    pub(crate) fn observe_response(
        self: &Arc<Self>,
        generation: u64,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Option<bool> {
        // Only a 401 is checked for its schemes, so other responses do not take the lock.
        let scheme = (status == StatusCode::UNAUTHORIZED).then(|| self.scheme());
        if is_rejection(status, headers, scheme.as_deref().unwrap_or_default())
            || self.matches_reject_when(status, headers)
        {
            return Some(self.reject(generation, challenge_of(headers, &self.scheme())));
        }
        // A response with another status may come from a gateway or a firewall instead of the API. It accepts no token.
        if status.is_success() || matches!(status, StatusCode::SWITCHING_PROTOCOLS | StatusCode::NOT_MODIFIED) {
            self.accept(generation);
        }
        None
    }

    /// Returns whether every response must be reported to the cell, not only rejections.
    pub(crate) fn observes_responses(&self) -> bool {
        self.awaiting_acceptance.load(Ordering::Relaxed) || self.steps_up() || self.reject_when.load().is_some()
    }

    /// Records that a response has accepted the token of `generation`.
    fn accept(&self, generation: u64) {
        if self.awaiting_acceptance.load(Ordering::Relaxed) {
            let mut locked = lock(&self.locked);
            locked.state.accept(generation);
            self.publish(&locked.state);
        }
    }

    /// Returns whether the predicate of the application matches this response.
    fn matches_reject_when(&self, status: StatusCode, headers: &HeaderMap) -> bool {
        let predicate = self.reject_when.load_full();
        predicate.is_some_and(|predicate| predicate(status, headers))
    }

    /// Returns the scheme that tokens are sent with.
    pub(super) fn scheme(&self) -> Arc<str> {
        lock(&self.locked).options.scheme.clone()
    }

    /// Handles a rejection that the application reports. It has no effect unless the token is the newest.
    pub(super) fn reject_token(self: &Arc<Self>, token: &Token) {
        let generation = {
            let locked = lock(&self.locked);
            let newest = locked.state.newest().filter(|newest| newest.token.access_token() == token.access_token());
            newest.map(|newest| newest.generation)
        };
        if let Some(generation) = generation {
            self.reject(generation, None);
        }
    }

    /// Starts a refresh, unless it is too early. Returns `false` only in that case.
    fn reject(self: &Arc<Self>, generation: u64, challenge: Option<Challenge>) -> bool {
        // Many requests may be rejected with the same token. Only the first rejection changes the state and wakes the waiters.
        if !lock(&self.locked).state.is_current_generation(generation) {
            self.observer.record(&Event::TokenRejected(sequence_number(generation), RejectionEffect::Superseded));
            return true;
        }
        // Cloning and dropping the transport and the span can run user code, so both happen without the lock.
        let mut start = self.transports.newest().map(|transport| (transport, CallerSpan::current()));
        let trigger = Trigger { reason: Reason::Rejected, challenge, demand: None };
        let is_reentrant = is_reentrant(self.id());
        let (outcome, task) = self.update(|state, options, now, inputs| {
            let can_start = !is_reentrant && start.is_some();
            let outcome = state.reject(generation, can_start, now, inputs);
            let task = (outcome == RejectionOutcome::StartRefresh && can_start)
                .then(|| start.take())
                .flatten()
                // Without a transport, the next request starts the refresh.
                .map(|(transport, caller)| self.new_task(state, options, trigger, transport, caller));
            (outcome, task)
        });
        if let Some(task) = task {
            self.spawn_task(&task);
            // Without a runtime, the waiters poll the task. The first poll sends the token request.
            task.poll_work(1);
        }
        let effect = match outcome {
            RejectionOutcome::StartRefresh => RejectionEffect::Refresh,
            RejectionOutcome::NotCurrent | RejectionOutcome::AlreadyRefreshing => RejectionEffect::Superseded,
            RejectionOutcome::TooEarly => RejectionEffect::Backoff,
        };
        self.observer.record(&Event::TokenRejected(sequence_number(generation), effect));
        outcome != RejectionOutcome::TooEarly
    }
}
