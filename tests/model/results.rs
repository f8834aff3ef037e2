//! Invariants of each caller, which are checked when a request is sent and when a caller ends.

use tower_oauth2::ErrorKind;

use crate::callers::{Kind, Stage};
use crate::coverage::Case;
use crate::time::{Certainty, Deadline};
use crate::world::{EndedRefresh, World};

/// The result of a caller.
#[derive(Debug)]
pub(crate) enum End {
    Response(u16),
    Token(String),
    Ready,
    Flushed,
    Failed(ErrorKind),
}

impl World {
    /// Checks a request that the API receives.
    pub(crate) fn is_sent(&mut self, id: usize, access: &str) {
        self.note(format_args!("caller {id} is sent with {access}"));
        if self.callers[id].sent > 0 {
            self.cover(Case::SentAgain);
            self.may_be_sent_again(id, access);
        }
        if self.callers[id].stage != Stage::Waiting {
            self.fault(format_args!("caller {id} is sent twice"));
        }
        self.is_served(id, access);
        let caller = &mut self.callers[id];
        (caller.stage, caller.sent) = (Stage::Sent, caller.sent + 1);
    }

    /// Returns whether the API accepts the request.
    pub(crate) fn is_answered(&mut self, id: usize, access: &str) -> bool {
        let (now, since) = (self.now(), self.mark());
        let is_in_use = self.reference.is_refreshed_in_use();
        let accepted = self.server.accepts(access).unwrap_or_else(|why| {
            self.fault(why);
            false
        });
        if accepted {
            if is_in_use && self.reference.is_newest(access) {
                self.cover(Case::AcceptedWhileRefreshed);
            }
            self.reference.accept(access);
            self.callers[id].accepted = true;
            return true;
        }
        self.rejection_count += 1;
        let may_get_newer = self.reference.reject(access, now);
        self.note(format_args!("caller {id}: {access} is rejected; a newer one: {may_get_newer:?}"));
        if may_get_newer == Certainty::No {
            self.cover(Case::RejectedAndKept);
        }
        if self.reference.is_in_series() && self.reference.needs_rejection_refresh().is() {
            self.cover(Case::SeriesContinues);
        }
        if self.callers[id].kind == Kind::Retried && self.callers[id].sent == 1 {
            // The retried request starts a refresh immediately if there is no valid token.
            self.reference.starts(self.reference.usable(now).not().and(Certainty::Perhaps));
        }
        let gated = self.gate.closed;
        let caller = &mut self.callers[id];
        if caller.kind == Kind::Retried && caller.sent == 1 {
            (caller.may_get_newer, caller.rejected) = (may_get_newer, Some(access.to_owned()));
            (caller.stage, caller.since, caller.gated) = (Stage::Waiting, since, gated);
        }
        false
    }

    /// Checks the result of a caller.
    pub(crate) fn ends(&mut self, id: usize, end: End) {
        self.note(format_args!("caller {id} ends: {end:?}"));
        let now = self.now();
        let stage = if matches!(end, End::Ready) { Stage::Ready } else { Stage::Done };
        match end {
            End::Response(status) => {
                let caller = &self.callers[id];
                if status == 401 && caller.sent == 1 && caller.may_get_newer.is() {
                    self.fault(format_args!("caller {id} was not sent again"));
                }
            }
            End::Flushed => {
                if !self.token_requests.is_empty() {
                    self.fault(format_args!("caller {id} has flushed while a token request is running"));
                }
                self.callers[id].at_once = Some(Ok(()));
            }
            End::Token(access) => self.is_served(id, &access),
            End::Ready => {
                let failing = self.reference.failure.filter(|_| !self.reference.usable(now).is());
                let failing = failing.map(|failure| (failure.kind, failure.retry));
                let ended_refreshes =
                    self.just_ended().filter_map(|ended_refreshes| ended_refreshes.outcome.clone().err());
                let kept = ended_refreshes.map(|kind| (kind, Deadline::NEVER)).chain(failing).collect();
                self.callers[id].kept = kept;
                self.is_in_time(id);
                self.callers[id].since.epoch = self.reference.epoch;
            }
            End::Failed(kind) => self.has_failed(id, kind),
        }
        self.callers[id].stage = stage;
    }

    /// Checks that the token is the newest and valid, or the result of the refresh that the caller waited for.
    fn is_served(&mut self, id: usize, access: &str) {
        let now = self.now();
        let awaited = self.has_waited_for(id, access);
        if !awaited && !self.reference.is_newest(access) {
            self.fault(format_args!("caller {id} got {access}, which is not the newest"));
        } else if !awaited && !self.reference.usable(now).may_be() {
            self.fault(format_args!("caller {id} got {access}, which is no longer valid"));
        }
        match (self.reference.usable(now), self.reference.is_before_skew(now)) {
            (Certainty::No, _) if awaited => self.cover(Case::ExpiredOnArrival),
            (Certainty::Yes, Certainty::No) => self.cover(Case::ExtendedToExpiry),
            _ => {}
        }
        if self.callers[id].started.refreshes_ended == self.refreshes_ended {
            self.callers[id].at_once = Some(Ok(()));
        }
        self.is_in_time(id);
    }

    /// Returns whether the caller waited for the refresh that returned this token, and uses it in time.
    fn has_waited_for(&self, id: usize, access: &str) -> bool {
        let (caller, now) = (&self.callers[id], self.now().mono);
        let brought = |ended_refreshes: &&EndedRefresh| ended_refreshes.outcome.as_deref() == Ok(access);
        let late_allowed = caller.gated || caller.kind == Kind::ReadyService;
        if caller.given.as_deref() == Some(access) && (caller.since.at == now || late_allowed) {
            return true;
        }
        let mut results = self.ended_refreshes.iter().filter(brought);
        results.any(|ended_refreshes| {
            ended_refreshes.at == now && ended_refreshes.epoch >= caller.since.epoch || late_allowed
        })
    }

    /// Checks that a request is retried once, with a newer token, or with the same one if a newer one requires a login.
    fn may_be_sent_again(&mut self, id: usize, access: &str) {
        let caller = &self.callers[id];
        let login_required =
            self.just_ended().any(|ended_refreshes| ended_refreshes.outcome == Err(ErrorKind::LoginRequired));
        let login_required = login_required || self.reference.credential().is_none();
        if caller.sent > 1 || caller.may_get_newer == Certainty::No {
            self.fault(format_args!("caller {id} is sent again without need"));
        } else if caller.rejected.as_deref() == Some(access) && !caller.gated && !login_required {
            self.fault(format_args!("caller {id} is sent again with {access}, which was rejected"));
        }
    }

    /// Checks that an error is the result of the refresh that the caller waited for, or a cached one.
    fn has_failed(&mut self, id: usize, kind: ErrorKind) {
        let now = self.now();
        let caller = &self.callers[id];
        let is_request = !matches!(caller.kind, Kind::Get | Kind::Refresh);
        let needs_newer = caller.rejected.as_ref().is_some_and(|rejected| self.reference.is_newest(rejected));
        let kept = caller.kept(now).any(|kept| kept == kind);
        let known = kept
            || self.reference.failure.is_some_and(|failure| failure.kind == kind)
            || self.just_ended().any(|ended_refreshes| ended_refreshes.outcome == Err(kind))
            // This error is known without a token request.
            || (kind == ErrorKind::LoginRequired && self.reference.credential().is_none())
            || (kind == ErrorKind::NoTransport && !is_request && !self.reference.connected);
        let serves = self.reference.usable(now).is() && caller.kind != Kind::Refresh && !needs_newer && !kept;
        if caller.started.refreshes_ended == self.refreshes_ended {
            self.callers[id].at_once = Some(Err(kind));
        }
        if kind == ErrorKind::LoginRequired {
            self.cover(Case::LoginRequired);
        }
        if !known {
            self.fault(format_args!("caller {id} failed with {kind:?}, which no refresh returned"));
        }
        if serves {
            self.fault(format_args!("caller {id} failed although there is a valid token"));
        }
        self.is_in_time(id);
    }

    /// Checks that the caller waited only for a refresh or for the API's service.
    fn is_in_time(&mut self, id: usize) {
        let caller = &self.callers[id];
        let in_time = caller.since.at == self.now().mono || self.just_ended().next().is_some() || caller.gated;
        if !in_time {
            self.fault(format_args!("caller {id} has waited without a reason"));
        }
    }
}
