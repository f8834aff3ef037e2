//! Handles challenges that demand another token than the one that was sent (RFC 6750 §3.1, RFC 9470).

use std::sync::Arc;

use http::{HeaderMap, StatusCode};

use super::acquire::{Acquire, failed};
use super::attempt::Trigger;
use super::challenge_series::{ChallengeOutcome, ChallengedToken};
use super::decisions::Lookup;
use super::reentrancy::is_reentrant;
use super::token_cell::{LockedState, TokenCell};
use crate::challenge::{Challenge, Demand};
use crate::clock;
use crate::error::{Error, ErrorKind};
use crate::extensions::TokenRejected;
use crate::grant::Reason;
use crate::observe::CallerSpan;
use crate::sync::{Ordering, lock};

impl TokenCell {
    /// Makes challenges start a refresh from now on.
    pub(crate) fn enable_step_up(&self) {
        let locked = lock(&self.locked);
        self.steps_up.store(true, Ordering::Relaxed);
        // Requests with a fresh token must not use the fast path any more.
        self.publish(&locked.state);
    }

    pub(super) fn steps_up(&self) -> bool {
        self.steps_up.load(Ordering::Relaxed)
    }

    /// Handles a response to a request with the token of `generation`. Returns `None` unless it demands another token. Its mark is `None` if
    /// no such token is obtained now; otherwise a refresh runs, or a newer token is there.
    ///
    /// `is_repeated` is whether the request was repeated because of an earlier challenge.
    pub(crate) fn observe_challenge(
        self: &Arc<Self>,
        generation: u64,
        status: StatusCode,
        headers: &HeaderMap,
        is_repeated: bool,
    ) -> Option<Option<TokenRejected>> {
        if !self.steps_up() {
            return None;
        }
        let may_demand = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        let challenges = if may_demand { Challenge::parse(headers) } else { Vec::new() };
        let Some((demand, challenge)) = Demand::read(status, &challenges) else {
            if is_repeated && status.is_success() {
                lock(&self.locked).state.challenges.record_success();
            }
            // Such a response is no rejection either.
            return Demand::is_unreadable(status, &challenges).then_some(None);
        };
        let is_awaited = match self.decide(generation, &demand, is_repeated) {
            ChallengeOutcome::Pass => false,
            ChallengeOutcome::Wait => true,
            ChallengeOutcome::Start(demand) => {
                let challenge = Some(challenge.clone());
                self.start_challenge(generation, demand, challenge)
            }
        };
        Some(is_awaited.then(|| TokenRejected::challenge(generation)))
    }

    fn decide(&self, generation: u64, demand: &Demand, is_repeated: bool) -> ChallengeOutcome {
        let is_reentrant = is_reentrant(self.id());
        let mut locked = lock(&self.locked);
        let LockedState { state, .. } = &mut *locked;
        let Some(newest) = state.newest().cloned() else { return ChallengeOutcome::Pass };
        // A repeated request goes out with the newer token.
        if newest.generation > generation {
            return ChallengeOutcome::Wait;
        }
        if is_reentrant || !state.is_current_generation(generation) {
            return ChallengeOutcome::Pass;
        }
        let running = state.running_task().cloned();
        let running = running.as_ref().map(|task| task.attempt().demand.as_ref());
        let challenged = ChallengedToken { token: &newest.token, generation, is_repeated, running };
        let outcome = state.challenges.decide(demand, &challenged, clock::now());
        drop(locked);
        outcome
    }

    /// Starts a refresh for a demand of the token of `generation`. If another one has started meanwhile, the demand waits for its end. If there is
    /// a newer token meanwhile, nothing starts. Returns `false` if no token is obtained for it.
    fn start_challenge(self: &Arc<Self>, generation: u64, demand: Demand, challenge: Option<Challenge>) -> bool {
        // Cloning and dropping the transport and the span can run user code, so both happen without the lock.
        let Some(transport) = self.transports.newest() else { return false };
        let mut start = Some((transport, CallerSpan::current(), challenge));
        let (is_awaited, task) = self.update(|state, options, now, _| {
            // Another challenge may have started a refresh meanwhile, which may have ended.
            if !state.is_current_generation(generation) {
                return (true, None);
            }
            if state.challenges.has_failed(&demand, generation, now) {
                return (false, None);
            }
            if let Some(running) = state.running_task().cloned() {
                let asked = running.attempt().demand.as_ref();
                if !asked.is_some_and(|asked| asked.includes(&demand)) {
                    state.challenges.wait(demand);
                }
                return (true, None);
            }
            let task = start.take().map(|(transport, caller, challenge)| {
                let trigger = Trigger { reason: Reason::Challenged, challenge, demand: Some(demand) };
                self.new_task(state, options, trigger, transport, caller)
            });
            (true, task)
        });
        if let Some(task) = task {
            self.start_task(&task);
        }
        is_awaited
    }

    /// Returns what a call of the user asks for.
    pub(super) fn step_up_trigger(&self, challenge: &Challenge) -> Result<Trigger, Error> {
        let demand = Demand::of_any(challenge).ok_or_else(|| {
            Error::argument(
                "challenge",
                "demands neither a scope nor a login nor claims that can be read, so no other token helps; handle the response without `Tokens::step_up`",
            )
        })?;
        lock(&self.locked).state.challenges.lift_guards();
        Ok(Trigger { reason: Reason::Forced, challenge: Some(challenge.clone()), demand: Some(demand) })
    }

    /// Returns the token if it was requested with all of the demand, or a future that waits for a refresh: the running one, or one that
    /// starts now.
    pub(super) fn force_step_up(self: &Arc<Self>, trigger: &Trigger) -> Acquire {
        let found = lock(&self.locked).state.lookup(clock::now());
        if let (Lookup::Valid(token), Some(demand)) = (found, &trigger.demand)
            && token.token.satisfies(demand, clock::now())
        {
            return Acquire::Token(token);
        }
        if is_reentrant(self.id()) {
            return failed(ErrorKind::Recursion);
        }
        self.start_refresh(trigger.clone(), None, None)
    }

    /// Starts the refresh for the challenges that arrived during one that did not ask for what they demand.
    pub(super) fn start_waiting_challenge(self: &Arc<Self>) {
        let waiting = {
            let mut locked = lock(&self.locked);
            let state = &mut locked.state;
            let newest = state.current().cloned().filter(|_| state.running_task().is_none());
            newest.and_then(|newest| {
                let demand = state.challenges.take_waiting(&newest.token, clock::now())?;
                Some((newest.generation, demand))
            })
        };
        if let Some((generation, demand)) = waiting {
            let challenge = Some(demand.to_challenge());
            self.start_challenge(generation, demand, challenge);
        }
    }
}
