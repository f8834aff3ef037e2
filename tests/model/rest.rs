//! What must hold for all of them together: looked at after each step, when nothing moves any more.

use crate::asks::{Ask, Kind, Stage};
use crate::layers::Layered;
use crate::seen::Seen;
use crate::time::Sure;
use crate::world::World;

impl World {
    /// Those who have just asked got what they were promised.
    pub(crate) fn keeps_promises(&mut self, asked: &[usize]) {
        let now = self.now();
        for &id in asked {
            let ask = &self.asks[id];
            let (promised, asked) = (ask.promised, ask.asked);
            let kept = match ask.at_once {
                Some(Ok(())) => promised.served.may_be(),
                Some(Err(kind)) => promised.fails == Some(kind) || ask.kept(now).any(|kept| kept == kind),
                None if ask.kind == Kind::Readied && ask.stage == Stage::Ready => true,
                None => promised.waits.may_be(),
            };
            // When the API has refused the token meanwhile, there is another promise.
            if !kept && !ask.gated && asked.refusals == self.refusals {
                let got = ask.at_once;
                self.fault(format_args!("ask {id} got {got:?}, and {promised:?} was promised"));
            }
            self.saw(match self.asks[id].at_once {
                Some(Ok(())) => Seen::ServedAtOnce,
                Some(Err(_)) => Seen::FailedAtOnce,
                None => Seen::Waited,
            });
            if promised.call.is() && asked.calls == self.calls_begun {
                self.fault(format_args!("nobody begins the call that ask {id} needs"));
            }
        }
    }

    /// Whoever waits has something to wait for.
    pub(crate) fn is_at_rest(&mut self, layered: &Layered) {
        let now = self.now();
        if let Some(token) = &mut self.reference.token {
            token.has_arrived(now);
        }
        // Those who waited for a flight that was let go, or since before a token came back to life, wait for the flight.
        let let_go = self.calls.values().any(|call| call.epoch < self.reference.epoch) || self.clocks.stepped_back();
        for id in 0..self.asks.len() {
            let ask = &self.asks[id];
            if ask.stage != Stage::Waiting || self.gate.closed {
                continue;
            }
            let kind = ask.kind;
            if self.calls.is_empty() {
                self.fault(format_args!("ask {id} waits, and nobody makes a call"));
            } else if kind != Kind::Refresh && !let_go && self.reference.usable(now).is() {
                self.fault(format_args!("ask {id} waits, and there is a token that serves"));
            }
        }
        self.shows_the_newest(layered);
    }

    /// The handle shows the newest token that was not rejected, and so do its changes.
    fn shows_the_newest(&mut self, layered: &Layered) {
        let held = self.reference.token.as_ref().map(|token| (token.access.clone(), token.refresh.clone()));
        let mut expected = match self.reference.rejected {
            Sure::Perhaps => return,
            Sure::Yes => None,
            Sure::No => held,
        };
        let mut shown = layered.shown();
        if self.calls.values().any(|call| call.second) {
            // Whether its refresh token was refused is told when the flight ends.
            for token in [&mut shown.0, &mut shown.1, &mut expected].into_iter().flatten() {
                token.1 = None;
            }
        }
        if shown.0 != expected || shown.1 != expected {
            self.fault(format_args!("the newest token is {shown:?}, and should be {expected:?}"));
        }
    }

    /// When all works again and time has passed, nobody waits any more.
    pub(crate) fn has_ended(&mut self) {
        for id in 0..self.asks.len() {
            if matches!(self.asks[id].stage, Stage::Waiting | Stage::Sent) {
                self.fault(format_args!("ask {id} never ends"));
            }
        }
    }

    pub(crate) fn somebody_asks(&self) -> bool {
        let now = self.now().mono;
        self.asks.iter().any(|ask| ask.stage == Stage::Waiting || ask.since.at == now)
    }

    /// Whether a call is by the user's own wish.
    pub(crate) fn somebody_asks_for_a_new_one(&self) -> bool {
        let now = self.now().mono;
        let just = |ask: &Ask| ask.since.at == now || self.just_landed().next().is_some();
        self.asks.iter().any(|ask| ask.kind == Kind::Refresh && ask.stage == Stage::Waiting && just(ask))
    }
}
