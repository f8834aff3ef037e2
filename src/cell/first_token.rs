//! Requests that are sent without a token, and the responses that demand the first one.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};

use super::attempt::Trigger;
use super::decisions::FirstTokenDecision;
use super::reentrancy::is_reentrant;
use super::token_cell::TokenCell;
use crate::authorize::AuthorizePolicy;
use crate::challenge::{Challenge, Demand};
use crate::clock;
use crate::extensions::TokenRejected;
use crate::grant::Reason;
use crate::observe::CallerSpan;
use crate::rejection::{challenge_of, is_rejection};
use crate::sync::lock;
use crate::transport::Transport;

impl TokenCell {
    /// Returns the generation of the last token if a request is sent without one: there is none now, not even one that has expired, and
    /// no response has demanded one from this request. `newer_than` is the generation of the demand.
    ///
    /// Inside the grant of this cell it returns `None`, so that a request there fails as it does without
    /// [`on_challenge`](crate::OAuth2Layer::on_challenge).
    pub(crate) fn generation_without_token(&self, policy: &AuthorizePolicy, newer_than: Option<u64>) -> Option<u64> {
        let may_send = policy.on_challenge && newer_than.is_none() && self.snapshot.load().is_none();
        if !may_send || is_reentrant(self.id()) {
            return None;
        }
        let locked = lock(&self.locked);
        locked.state.newest().is_none().then(|| locked.state.generation())
    }

    /// Handles a response to a request that was sent without a token after `generation`. If the response demands a token, it starts the
    /// refresh, and returns the mark, unless no token is obtained now.
    pub(crate) fn observe_without_token(
        self: &Arc<Self>,
        generation: u64,
        status: StatusCode,
        headers: &HeaderMap,
        transport: &Transport,
    ) -> Option<TokenRejected> {
        let scheme = self.scheme();
        if !is_rejection(status, headers, &scheme) || is_reentrant(self.id()) {
            return None;
        }
        let mut decision = lock(&self.locked).state.first_token_decision(generation, clock::now());
        if decision == FirstTokenDecision::Start {
            decision = self.start_first_token(generation, challenge_of(headers, &scheme), transport);
        }
        (decision != FirstTokenDecision::Pass).then(|| TokenRejected::challenge(generation))
    }

    fn start_first_token(
        self: &Arc<Self>,
        generation: u64,
        challenge: Option<Challenge>,
        transport: &Transport,
    ) -> FirstTokenDecision {
        let demand = challenge.as_ref().and_then(Demand::of_first);
        let trigger = Trigger { reason: Reason::Challenged, challenge, demand };
        // Cloning and dropping the transport and the span can run user code, so both happen without the lock.
        let mut start = Some((transport.clone(), CallerSpan::current(), trigger));
        let (decision, task) = self.update(|state, options, now, _| {
            // Another response may have started the refresh meanwhile.
            let decision = state.first_token_decision(generation, now);
            let start = if decision == FirstTokenDecision::Start { start.take() } else { None };
            let task =
                start.map(|(transport, caller, trigger)| self.new_task(state, options, trigger, transport, caller));
            (decision, task)
        });
        if let Some(task) = task {
            self.start_task(&task);
        }
        decision
    }
}
