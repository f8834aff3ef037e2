//! What is watched about token calls: never two at once, never without need, never the same refresh token again.

use tower_oauth2::ErrorKind;

use crate::asks::Stage;
use crate::seen::Seen;
use crate::server::{Credential, Issued, Mode};
use crate::time::Sure;
use crate::world::{Call, Landed, World};

/// The layer's deadline of a token call, in nanoseconds, and what the timer may add to it.
const DEADLINE: std::ops::RangeInclusive<i64> = 29_900_000_000..=30_005_000_000;

/// How long a token that came expired may lie about before those who waited for it collect it, in nanoseconds.
const GRACE: i64 = 1_000_000_000;

/// What the server says in the end.
pub(crate) enum Reply {
    Issued(Issued),
    InvalidGrant,
    Broken,
    Busy(Option<u64>),
}

impl World {
    /// A token call reaches the server.
    pub(crate) fn call_begins(&mut self, credential: Credential) -> usize {
        let (id, now, mode) = (self.calls_begun, self.now(), self.server.mode);
        self.calls_begun += 1;
        self.note(format_args!("call {id} begins with {credential:?}, and the server is {mode:?}"));
        let goes_on = self.goes_on.take();
        if goes_on.is_some() {
            self.saw(Seen::SecondCall);
            if credential != Credential::Client {
                self.fault("a refresh token is followed by another");
            }
        } else {
            let asked = self.somebody_asks_for_a_new_one();
            if !self.somebody_asks() {
                self.fault("a token call, and nobody asks");
            }
            match (asked, self.reference.usable(now), self.reference.due(now)) {
                (false, Sure::Yes, _) => self.saw(Seen::RenewedAhead),
                (true, Sure::Yes, Sure::No) => self.saw(Seen::RenewedOnDemand),
                _ => {}
            }
            if let Err(why) = self.reference.begin(&credential, asked, now) {
                self.fault(why);
            }
        }
        let epoch = goes_on.unwrap_or(self.reference.epoch);
        let call = Call { epoch, credential, began: now.mono, mode, second: goes_on.is_some() };
        self.calls.insert(id, call);
        id
    }

    /// The server answers it, and the flight lands in the same moment.
    pub(crate) fn call_ends(&mut self, id: usize) -> Reply {
        let Some(call) = self.calls.remove(&id) else { return Reply::Broken };
        if self.now().mono - call.began > *DEADLINE.end() {
            self.fault(format_args!("call {id} has taken too long"));
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
                self.note(format_args!("call {id} brings {issued:?}"));
                if is_refresh {
                    self.reference.heard_of_a_refresh();
                }
                self.land(&call, Ok(issued));
            }
            Reply::InvalidGrant => {
                self.note(format_args!("call {id} is refused"));
                self.reference.heard_of_a_refresh();
                if self.reference.can_do_without() {
                    self.goes_on = Some(call.epoch);
                } else {
                    self.land(&Call { second: true, ..call }, Err((ErrorKind::LoginNeeded, None)));
                }
            }
            Reply::Broken => self.land(&call, Err((ErrorKind::Transport, None))),
            Reply::Busy(retry_after) => self.land(&call, Err((ErrorKind::Overloaded, *retry_after))),
        }
        reply
    }

    /// Whoever made it went away before there was an answer: the layer, and only when its time was over.
    pub(crate) fn call_is_dropped(&mut self, id: usize) {
        let Some(call) = self.calls.remove(&id).filter(|_| !self.over) else { return };
        if !DEADLINE.contains(&(self.now().mono - call.began)) {
            self.fault(format_args!("call {id} was cut short"));
        }
        self.reference.has_ended(&call.credential);
        self.saw(Seen::TimedOut);
        self.land(&call, Err((ErrorKind::Timeout, None)));
    }

    /// Whether a flight has brought it that has landed less than the grace ago.
    pub(crate) fn came_just_now(&self, access: &str) -> bool {
        let now = self.now().mono;
        self.landed.iter().any(|landed| landed.outcome.as_deref() == Ok(access) && landed.at + GRACE >= now)
    }

    fn land(&mut self, call: &Call, outcome: Result<&Issued, (ErrorKind, Option<u64>)>) {
        let now = self.now();
        if let Err((kind, _)) = outcome {
            self.note(format_args!("a flight ends with {kind:?}"));
        }
        self.landings += 1;
        self.landed.retain(|landed| landed.at + GRACE >= now.mono);
        // What the user has set in the middle of a flight, or what came after that, is what those get who waited for it.
        let let_go = call.epoch != self.reference.epoch;
        let newest = self.reference.token.as_ref().map(|token| token.access.clone());
        let instead =
            newest.filter(|newest| let_go && (self.reference.usable(now).may_be() || self.came_just_now(newest)));
        let brought = outcome.map(|issued| issued.access.clone()).map_err(|(kind, _)| kind);
        self.landed.push(Landed { at: now.mono, epoch: call.epoch, outcome: brought, instead });
        if self.asks.iter().all(|ask| ask.stage != Stage::Waiting) && call.began < now.mono {
            self.saw(Seen::Unattended);
        }
        if let_go {
            self.saw(Seen::LetGo);
            return;
        }
        match outcome {
            Ok(issued) => self.reference.land(issued, &call.credential, now),
            Err((kind, retry_after)) => {
                if call.second {
                    self.reference.drop_refresh_token();
                }
                self.reference.land_failed(kind, retry_after, now);
            }
        }
    }
}
