//! What must hold for each who asks: looked at when a request is sent, and when somebody is answered.

use tower_oauth2::ErrorKind;

use crate::asks::{Kind, Stage};
use crate::seen::Seen;
use crate::time::{Deadline, Sure};
use crate::world::{Landed, World};

/// How an ask ended.
#[derive(Debug)]
pub(crate) enum End {
    Response(u16),
    Token(String),
    Ready,
    Failed(ErrorKind),
}

impl World {
    /// The API gets a request.
    pub(crate) fn is_sent(&mut self, id: usize, access: &str) {
        self.note(format_args!("ask {id} is sent with {access}"));
        if self.asks[id].sent > 0 {
            self.saw(Seen::SentAgain);
        }
        if self.asks[id].stage != Stage::Waiting {
            self.fault(format_args!("ask {id} is sent twice"));
        }
        self.is_served(id, access);
        let ask = &mut self.asks[id];
        (ask.stage, ask.sent) = (Stage::Sent, ask.sent + 1);
    }

    /// The API answers it: whether it accepts.
    pub(crate) fn is_answered(&mut self, id: usize, access: &str) -> bool {
        let (now, since) = (self.now(), self.mark());
        let accepted = self.server.accepts(access).unwrap_or_else(|why| {
            self.fault(why);
            false
        });
        if accepted {
            self.reference.accept(access);
            self.asks[id].accepted = true;
            return true;
        }
        self.note(format_args!("ask {id}: {access} is refused"));
        self.refusals += 1;
        self.reference.refuse(access, now);
        let newest = self.reference.is_newest(access);
        if newest && self.reference.rejected == Sure::No {
            self.saw(Seen::RefusedAndKept);
        }
        let gated = self.gate.closed;
        let ask = &mut self.asks[id];
        if ask.kind == Kind::Persistent && ask.sent == 1 {
            ask.may_do_better = if newest { self.reference.rejected } else { Sure::Yes };
            (ask.stage, ask.since, ask.gated) = (Stage::Waiting, since, gated);
        }
        false
    }

    /// An ask has come to its end.
    pub(crate) fn ends(&mut self, id: usize, end: End) {
        self.note(format_args!("ask {id} ends: {end:?}"));
        let now = self.now();
        let stage = if matches!(end, End::Ready) { Stage::Ready } else { Stage::Done };
        match end {
            End::Response(status) => {
                let ask = &self.asks[id];
                if status == 401 && ask.sent == 1 && ask.may_do_better.is() {
                    self.fault(format_args!("ask {id} was not sent again"));
                }
            }
            End::Token(access) => self.is_served(id, &access),
            End::Ready => {
                let failing = self.reference.failure.filter(|_| !self.reference.usable(now).is());
                let failing = failing.map(|failure| (failure.kind, failure.retry));
                let landed = self.just_landed().filter_map(|landed| landed.outcome.clone().err());
                let kept = landed.map(|kind| (kind, Deadline::NEVER)).chain(failing).collect();
                self.asks[id].kept = kept;
                self.is_in_time(id);
                self.asks[id].since.epoch = self.reference.epoch;
            }
            End::Failed(kind) => self.has_failed(id, kind),
        }
        self.asks[id].stage = stage;
    }

    /// The token is always the newest, and one that serves; or what the flight has brought that one waited for.
    fn is_served(&mut self, id: usize, access: &str) {
        let now = self.now();
        let awaited = self.has_waited_for(id, access);
        if !awaited && !self.reference.is_newest(access) {
            self.fault(format_args!("ask {id} got {access}, which is not the newest"));
        } else if !awaited && !self.reference.usable(now).may_be() {
            self.fault(format_args!("ask {id} got {access}, which does not serve any more"));
        }
        match (self.reference.usable(now), self.reference.is_cautious(now)) {
            (Sure::No, _) if awaited => self.saw(Seen::ExpiredOnArrival),
            (Sure::Yes, Sure::No) => self.saw(Seen::HeldOut),
            _ => {}
        }
        if self.asks[id].asked.landings == self.landings {
            self.asks[id].at_once = Some(Ok(()));
        }
        self.is_in_time(id);
    }

    /// Whether it waited for the very flight that brought this, and collects it in time.
    fn has_waited_for(&self, id: usize, access: &str) -> bool {
        let (ask, now) = (&self.asks[id], self.now().mono);
        let brought =
            |landed: &&Landed| landed.outcome.as_deref() == Ok(access) || landed.instead.as_deref() == Some(access);
        let patient = ask.gated || ask.kind == Kind::Readied;
        let mut flights = self.landed.iter().filter(brought);
        flights.any(|landed| landed.at == now && landed.epoch >= ask.since.epoch || patient)
    }

    /// An error is the one of the flight that one waited for, or one that is remembered.
    fn has_failed(&mut self, id: usize, kind: ErrorKind) {
        let now = self.now();
        let ask = &self.asks[id];
        let is_request = !matches!(ask.kind, Kind::Get | Kind::Refresh);
        let let_go = self.just_landed().any(|landed| landed.epoch < self.reference.epoch);
        let kept = ask.kept(now).any(|kept| kept == kind);
        let known = kept
            || self.reference.failure.is_some_and(|failure| failure.kind == kind)
            || self.just_landed().any(|landed| landed.outcome == Err(kind))
            // Nobody needs to be called to know that.
            || (kind == ErrorKind::LoginNeeded && self.reference.credential().is_none())
            || (kind == ErrorKind::NoTransport && !is_request && !self.reference.connected);
        let serves = self.reference.usable(now).is() && ask.kind != Kind::Refresh && !let_go && !kept;
        if ask.asked.landings == self.landings {
            self.asks[id].at_once = Some(Err(kind));
        }
        if kind == ErrorKind::LoginNeeded {
            self.saw(Seen::LoginNeeded);
        }
        if !known {
            self.fault(format_args!("ask {id} failed with {kind:?}, and nothing has"));
        }
        if serves {
            self.fault(format_args!("ask {id} failed, and there is a token that serves"));
        }
        self.is_in_time(id);
    }

    /// Nobody waits for anything but a flight, or the API's service.
    fn is_in_time(&mut self, id: usize) {
        let ask = &self.asks[id];
        let in_time = ask.since.at == self.now().mono || self.just_landed().next().is_some() || ask.gated;
        if !in_time {
            self.fault(format_args!("ask {id} has waited for nothing"));
        }
    }
}
