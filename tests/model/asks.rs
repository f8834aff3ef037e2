//! Those who ask for the token, and what they were promised when they did.

use tower_oauth2::ErrorKind;

use crate::answers::Answer;
use crate::seen::Seen;
use crate::time::{Deadline, Moment, Sure};
use crate::world::World;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A request.
    Request,
    /// A request that is sent again when its token is refused.
    Persistent,
    /// A request to a service that has been ready for a while.
    Readied,
    /// `Tokens::get`.
    Get,
    /// `Tokens::refresh`.
    Refresh,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// For the token, or for the API's service to be ready.
    Waiting,
    /// A service that is ready, and not called yet.
    Ready,
    /// The API has the request.
    Sent,
    Done,
}

pub(crate) struct Ask {
    pub(crate) kind: Kind,
    pub(crate) stage: Stage,
    /// When it asked, and what it was promised.
    pub(crate) asked: Mark,
    pub(crate) promised: Answer,
    /// When it last asked: again, if its token was refused.
    pub(crate) since: Mark,
    /// What it got with nothing having landed since it asked.
    pub(crate) at_once: Option<Result<(), ErrorKind>>,
    /// Whether the API's service was not ready meanwhile.
    pub(crate) gated: bool,
    /// How often it was sent.
    pub(crate) sent: usize,
    /// Whether the API accepted it.
    pub(crate) accepted: bool,
    /// Whether its refused token has a successor, or may have one now.
    pub(crate) may_do_better: Sure,
    /// The failures of which its service may have kept one to tell, and until when.
    pub(crate) kept: Vec<(ErrorKind, Deadline)>,
}

/// How far all had come at some moment.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    pub(crate) at: i64,
    pub(crate) epoch: usize,
    pub(crate) landings: usize,
    pub(crate) refusals: usize,
    pub(crate) calls: usize,
}

impl World {
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            at: self.now().mono,
            epoch: self.reference.epoch,
            landings: self.landings,
            refusals: self.refusals,
            calls: self.calls_begun,
        }
    }

    /// Somebody asks from now on.
    pub(crate) fn ask(&mut self, kind: Kind) -> usize {
        let since = self.mark();
        let now = self.now();
        let promised = match kind {
            Kind::Refresh => self.reference.ask_for_a_new_one(now),
            _ => self.reference.ask(now, kind == Kind::Get),
        };
        let id = self.asks.len();
        self.note(format_args!("ask {id}, {kind:?}: {promised:?}"));
        self.asks.push(Ask {
            kind,
            stage: Stage::Waiting,
            asked: since,
            promised,
            since,
            at_once: None,
            gated: self.gate.closed,
            sent: 0,
            accepted: false,
            may_do_better: Sure::No,
            kept: Vec::new(),
        });
        id
    }

    /// The service that became ready is called.
    pub(crate) fn ask_is_called(&mut self, id: usize) {
        let (since, now) = (self.mark(), self.now());
        let mut promised = self.reference.ask(now, false);
        // A service that is ready does not look ahead.
        promised.call = Sure::No;
        if self.reference.token.as_ref().is_some_and(|token| self.came_just_now(&token.access)) {
            // It may be what the service has waited for.
            promised.served = promised.served.max(Sure::Perhaps);
        }
        if self.asks[id].since.epoch != since.epoch {
            // What the user has set or forgotten since is news to its service.
            self.asks[id].kept.clear();
        }
        if self.asks[id].kept(now).next().is_some() {
            promised.waits = promised.waits.min(Sure::Perhaps);
        }
        self.note(format_args!("ask {id} is called: {promised:?}"));
        if promised.waits.is() {
            self.saw(Seen::ReadyInVain);
        }
        let gated = self.gate.closed;
        let ask = &mut self.asks[id];
        (ask.stage, ask.asked, ask.since, ask.gated) = (Stage::Waiting, since, since, gated);
        (ask.promised, ask.at_once) = (promised, None);
    }
}

impl Ask {
    /// What its service may have kept to tell.
    pub(crate) fn kept(&self, now: Moment) -> impl Iterator<Item = ErrorKind> {
        self.kept.iter().filter(move |(_, until)| !until.passed(now).is()).map(|(kind, _)| *kind)
    }
}
