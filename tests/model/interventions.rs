//! Interventions of the user, who sets, forgets or rejects a token, and their effect on waiting callers.

use crate::callers::{Kind, Stage};
use crate::coverage::Case;
use crate::expectation::Expectation;
use crate::server::Issued;
use crate::time::Moment;
use crate::world::World;

impl World {
    /// Sets a token. Returns the callers that waited for one.
    pub(crate) fn set(&mut self, issued: &Issued, now: Moment) -> Vec<usize> {
        let waiting = self.continue_with(&issued.access);
        if !waiting.is_empty() {
            self.cover(Case::SetMeanwhile);
        }
        self.reference.set(issued, now);
        waiting
    }

    /// Forgets the token. Returns the callers that waited for one.
    pub(crate) fn forget(&mut self) -> Vec<usize> {
        let waiting = self.waiting_for_a_token();
        self.reference.forget();
        let waiting = self.start_over(waiting);
        if !waiting.is_empty() {
            self.cover(Case::ForgottenMeanwhile);
        }
        waiting
    }

    /// Reports a rejection.
    pub(crate) fn reject(&mut self, access: &str) {
        let now = self.now();
        if !self.reference.is_newest(access) {
            self.cover(Case::OldTokenRejected);
        }
        self.reference.reject(access, now);
    }

    /// Lets callers start over, because their refresh was superseded. Returns the callers.
    pub(crate) fn start_over(&mut self, waiting: Vec<usize>) -> Vec<usize> {
        for &id in &waiting {
            let (since, now, kind) = (self.mark(), self.now(), self.callers[id].kind);
            let mut expected = self.expect(kind, now);
            // The services of other callers may be dropped before a waiting handle starts over.
            expected.lacks_transport |= matches!(kind, Kind::Get | Kind::Refresh) && !self.has_token_service;
            self.note(format_args!("caller {id} starts over: {expected:?}"));
            let caller = &mut self.callers[id];
            (caller.started, caller.since, caller.expected, caller.at_once) = (since, since, expected, None);
        }
        waiting
    }

    /// Like [`start_over`](Self::start_over), for the callers that cannot use the current token.
    pub(crate) fn start_over_unless_served(&mut self) -> Vec<usize> {
        let serves = self.reference.usable(self.now()).may_be();
        let mut waiting = self.waiting_for_a_token();
        waiting.retain(|id| !serves || self.callers[*id].kind == Kind::Refresh);
        self.start_over(waiting)
    }

    /// Gives the token that the user sets to all waiting callers. Returns the callers.
    pub(crate) fn continue_with(&mut self, access: &str) -> Vec<usize> {
        let waiting = self.waiting_for_a_token();
        for &id in &waiting {
            let since = self.mark();
            let caller = &mut self.callers[id];
            (caller.started, caller.since, caller.expected, caller.at_once) =
                (since, since, Expectation::served(), None);
            caller.given = Some(access.to_owned());
        }
        waiting
    }

    /// Returns the callers that wait for a refresh and not for the API's service, as far as that is known.
    pub(crate) fn waiting_for_a_token(&self) -> Vec<usize> {
        let waits = |id: &usize| {
            let caller = &self.callers[*id];
            let for_a_refresh = caller.expected.waits.is()
                && caller.since.refreshes_ended == self.refreshes_ended
                && self.reference.refreshing;
            caller.stage == Stage::Waiting && caller.kind != Kind::Flush && (!caller.gated || for_a_refresh)
        };
        (0..self.callers.len()).filter(waits).collect()
    }
}
