//! Checks of token requests: never two at once, never unnecessary, never with a used refresh token.

use tower_oauth2::ErrorKind;

use crate::callers::{Caller, Kind, Stage};
use crate::coverage::Case;
use crate::server::{Credential, Issued, Mode};
use crate::time::Certainty;
use crate::world::{EndedRefresh, TokenRequest, World};

/// The layer's timeout of a token request, in nanoseconds, with the tolerance of the timer.
const TIMEOUT_RANGE: std::ops::RangeInclusive<i64> = 29_900_000_000..=30_005_000_000;

/// How long the callers of a refresh may use a token that expired before it arrived, in nanoseconds.
const GRACE: i64 = 1_000_000_000;

/// The response of the server.
pub(crate) enum Reply {
    Issued(Issued),
    InvalidGrant,
    Broken,
    Busy(Option<u64>),
}

impl World {
    /// Records a token request that reaches the server.
    pub(crate) fn token_request_begins(&mut self, credential: Credential) -> usize {
        let (id, now, mode) = (self.token_requests_begun, self.now(), self.server.mode);
        self.token_requests_begun += 1;
        self.note(format_args!("token request {id} starts with {credential:?}, and the server is {mode:?}"));
        let continues = self.continues.take();
        if continues.is_some() {
            self.cover(Case::SecondCall);
            if credential != Credential::Client {
                self.fault("a second token request with a refresh token");
            }
        } else {
            let asked = self.has_forced_refresh();
            let rejection_refresh = self.reference.needs_rejection_refresh();
            if !self.has_callers() && !rejection_refresh.may_be() {
                self.fault("a token request without a caller");
            }
            if rejection_refresh.is() {
                self.cover(Case::RefreshedAfterARejection);
            }
            match (asked, self.reference.usable(now), self.reference.due(now)) {
                (false, Certainty::Yes, _) => self.cover(Case::RefreshedAhead),
                (true, Certainty::Yes, Certainty::No) => self.cover(Case::RefreshedOnDemand),
                _ => {}
            }
            if let Err(why) = self.reference.begin(&credential, asked, now) {
                self.fault(why);
            }
        }
        let epoch = continues.unwrap_or(self.reference.epoch);
        let call = TokenRequest { epoch, credential, began: now.mono, mode, second: continues.is_some() };
        self.token_requests.insert(id, call);
        id
    }

    /// Answers a token request, which ends the refresh in the same moment.
    pub(crate) fn token_request_ends(&mut self, id: usize) -> Reply {
        let Some(call) = self.token_requests.remove(&id) else { return Reply::Broken };
        if self.now().mono - call.began > *TIMEOUT_RANGE.end() {
            self.fault(format_args!("token request {id} has taken too long"));
        }
        let reply = match call.mode {
            Mode::Down => Reply::Broken,
            Mode::Busy(retry_after) => Reply::Busy(retry_after),
            Mode::Up | Mode::Slow(_) => match self.server.process(&call.credential) {
                Ok(Some(issued)) => Reply::Issued(issued),
                Ok(None) => Reply::InvalidGrant,
                Err(why) => {
                    self.fault(why);
                    Reply::InvalidGrant
                }
            },
        };
        self.reference.has_ended(&call.credential);
        let is_refresh = call.credential != Credential::Client;
        match &reply {
            Reply::Issued(issued) => {
                self.note(format_args!("token request {id} returns {issued:?}"));
                if is_refresh {
                    self.reference.refresh_answered();
                }
                self.complete(&call, Ok(issued));
            }
            Reply::InvalidGrant => {
                self.note(format_args!("token request {id} is rejected"));
                self.reference.refresh_answered();
                if self.reference.has_other_credentials() {
                    self.continues = Some(call.epoch);
                } else {
                    self.complete(&TokenRequest { second: true, ..call }, Err((ErrorKind::LoginRequired, None)));
                }
            }
            Reply::Broken => self.complete(&call, Err((ErrorKind::Transport, None))),
            Reply::Busy(retry_after) => self.complete(&call, Err((ErrorKind::Overloaded, *retry_after))),
        }
        reply
    }

    /// Records a token request that the layer has cancelled, which is allowed only after the timeout.
    pub(crate) fn token_request_dropped(&mut self, id: usize) {
        let Some(call) = self.token_requests.remove(&id).filter(|_| !self.over) else { return };
        if !TIMEOUT_RANGE.contains(&(self.now().mono - call.began)) {
            self.fault(format_args!("token request {id} was cancelled before the timeout"));
        }
        self.reference.has_ended(&call.credential);
        self.cover(Case::TimedOut);
        self.complete(&call, Err((ErrorKind::Timeout, None)));
    }

    /// Returns whether the token is the result of a refresh that ended within the grace period.
    pub(crate) fn arrived_just_now(&self, access: &str) -> bool {
        let now = self.now().mono;
        self.ended_refreshes.iter().any(|ended_refreshes| {
            ended_refreshes.outcome.as_deref() == Ok(access) && ended_refreshes.at + GRACE >= now
        })
    }

    fn complete(&mut self, call: &TokenRequest, outcome: Result<&Issued, (ErrorKind, Option<u64>)>) {
        let now = self.now();
        if let Err((kind, _)) = outcome {
            self.note(format_args!("a refresh ends with {kind:?}"));
        }
        self.refreshes_ended += 1;
        self.ended_refreshes.retain(|ended_refreshes| ended_refreshes.at + GRACE >= now.mono);
        // After the user has set or forgotten a token, no caller waits for this refresh.
        let supersede = call.epoch != self.reference.epoch;
        let brought = outcome.map(|issued| issued.access.clone()).map_err(|(kind, _)| kind);
        self.ended_refreshes.push(EndedRefresh { at: now.mono, epoch: call.epoch, outcome: brought });
        if self.callers.iter().all(|caller| caller.stage != Stage::Waiting) && call.began < now.mono {
            self.cover(Case::NoCallerLeft);
        }
        if supersede {
            self.cover(Case::Superseded);
            return;
        }
        match outcome {
            Ok(issued) => self.reference.complete(issued, &call.credential, now),
            Err((kind, retry_after)) => {
                if call.second {
                    self.reference.drop_refresh_token();
                }
                let usable = self.reference.unusable();
                self.reference.complete_with_error(kind, retry_after, now);
                if usable.is() && !self.reference.unusable().may_be() {
                    self.cover(Case::WithheldAndBack);
                }
                if kind == ErrorKind::LoginRequired {
                    // A handle that has joined the refresh starts over, because a handle can start a login.
                    let asks_again = |caller: &Caller| caller.kind == Kind::Refresh && caller.stage == Stage::Waiting;
                    self.reference.fails_without_request |= self.callers.iter().any(asks_again);
                }
                if kind == ErrorKind::LoginRequired && self.reference.failure.is_none() {
                    // The error must not reach a caller.
                    self.restarted = self.start_over_unless_served();
                }
            }
        }
    }
}
