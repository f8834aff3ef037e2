//! Invariants of the whole system, which are checked after each step, when nothing runs.

use tower_oauth2::ErrorKind;

use crate::callers::{Caller, Kind, Stage};
use crate::coverage::Case;
use crate::layers::Layered;
use crate::time::Certainty;
use crate::world::World;

impl World {
    /// Checks the results of the callers that have just started.
    pub(crate) fn check_expectations(&mut self, started: &[usize]) {
        let now = self.now();
        for &id in started {
            let caller = &self.callers[id];
            let (expected, started) = (caller.expected, caller.started);
            let kept = match caller.at_once {
                Some(Ok(())) => expected.served.may_be(),
                Some(Err(ErrorKind::NoTransport)) => expected.lacks_transport,
                Some(Err(kind)) => expected.fails == Some(kind) || caller.kept(now).any(|kept| kept == kind),
                None if caller.kind == Kind::ReadyService && caller.stage == Stage::Ready => true,
                None => expected.waits.may_be(),
            };
            // A rejection by the API meanwhile changes the expectation.
            if !kept && !caller.gated && started.rejection_count == self.rejection_count {
                let got = caller.at_once;
                self.fault(format_args!("caller {id} got {got:?}, and {expected:?} was expected"));
            }
            self.cover(match self.callers[id].at_once {
                Some(Ok(())) => Case::ServedAtOnce,
                Some(Err(_)) => Case::FailedAtOnce,
                None => Case::Waited,
            });
            if expected.call.is() && started.calls == self.token_requests_begun {
                self.fault(format_args!("the token request that caller {id} needs does not start"));
            }
        }
    }

    /// Checks that each waiting caller waits for something that happens.
    pub(crate) fn check_idle(&mut self, layered: &Layered) {
        let now = self.now();
        if let Some(token) = &mut self.reference.token {
            token.has_arrived(now);
        }
        if self.reference.needs_rejection_refresh().is() {
            self.fault("the token request that a rejection needs does not start");
        }
        self.reference.check_idle();
        // Callers that began to wait before the wall clock was stepped back wait for the refresh.
        let revived = self.clocks.stepped_back();
        for id in 0..self.callers.len() {
            let caller = &self.callers[id];
            if caller.stage != Stage::Waiting || self.gate.closed {
                continue;
            }
            let kind = caller.kind;
            // A retried request waits for a newer token than the rejected one.
            let needs_newer = caller.rejected.as_ref().is_some_and(|rejected| self.reference.is_newest(rejected));
            let may_wait = revived || needs_newer || matches!(kind, Kind::Refresh | Kind::Flush);
            if self.token_requests.is_empty() {
                self.fault(format_args!("caller {id} waits, and no token request is running"));
            } else if !may_wait && self.reference.usable(now).is() {
                self.fault(format_args!("caller {id} waits although there is a valid token"));
            }
        }
        self.shows_the_newest(layered);
    }

    /// Checks that the handle and its changes show the newest token that was not rejected.
    fn shows_the_newest(&mut self, layered: &Layered) {
        let held = self.reference.token.as_ref().map(|token| (token.access.clone(), token.refresh.clone()));
        let mut expected = match self.reference.unusable() {
            Certainty::Perhaps => return,
            Certainty::Yes => None,
            Certainty::No => held,
        };
        let mut shown = layered.shown();
        if self.token_requests.values().any(|call| call.second) {
            // The rejection of its refresh token is published when the refresh ends.
            for token in [&mut shown.0, &mut shown.1, &mut expected].into_iter().flatten() {
                token.1 = None;
            }
        }
        if shown.0 != expected || shown.1 != expected {
            self.fault(format_args!("the newest token is {shown:?}, expected {expected:?}"));
        }
    }

    /// Checks that no caller waits after the servers are available again and time has passed.
    pub(crate) fn has_ended(&mut self) {
        for id in 0..self.callers.len() {
            if matches!(self.callers[id].stage, Stage::Waiting | Stage::Sent) {
                self.fault(format_args!("caller {id} never ends"));
            }
        }
    }

    pub(crate) fn has_callers(&self) -> bool {
        let now = self.now().mono;
        let is_waiting =
            |caller: &Caller| caller.kind != Kind::Flush && (caller.stage == Stage::Waiting || caller.since.at == now);
        self.callers.iter().any(is_waiting)
    }

    /// Returns whether the user forced a token request.
    pub(crate) fn has_forced_refresh(&self) -> bool {
        let now = self.now().mono;
        let just = |caller: &Caller| caller.since.at == now || self.just_ended().next().is_some();
        self.callers.iter().any(|caller| caller.kind == Kind::Refresh && caller.stage == Stage::Waiting && just(caller))
    }
}
