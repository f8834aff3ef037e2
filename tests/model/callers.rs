//! The callers that use the token, and the results that the reference expects for them.

use tower_oauth2::ErrorKind;

use crate::coverage::Case;
use crate::expectation::Expectation;
use crate::time::{Certainty, Deadline, Moment};
use crate::world::World;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A request.
    Request,
    /// A request that is retried if its token is rejected.
    Retried,
    /// A request to a service that has been ready for some time.
    ReadyService,
    /// `Tokens::get`.
    Get,
    /// `Tokens::refresh`.
    Refresh,
    /// `Tokens::flush`.
    Flush,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Waits for the token, or for the API's service to be ready.
    Waiting,
    /// A service that is ready and has not been called.
    Ready,
    /// The request was sent to the API.
    Sent,
    Done,
}

pub(crate) struct Caller {
    pub(crate) kind: Kind,
    pub(crate) stage: Stage,
    /// When the caller started, and the result that was expected then.
    pub(crate) started: Mark,
    pub(crate) expected: Expectation,
    /// When the caller last asked for a token: again after a rejection.
    pub(crate) since: Mark,
    /// The result, if no refresh has ended since the caller started.
    pub(crate) at_once: Option<Result<(), ErrorKind>>,
    /// Whether the API's service was not ready meanwhile.
    pub(crate) gated: bool,
    /// The token that the user set while the caller waited.
    pub(crate) given: Option<String>,
    /// The token of the rejected request.
    pub(crate) rejected: Option<String>,
    /// How often the request was sent.
    pub(crate) sent: usize,
    /// Whether the API accepted it.
    pub(crate) accepted: bool,
    /// Whether a newer token than the rejected one exists, or can be obtained now.
    pub(crate) may_get_newer: Certainty,
    /// The errors that the service may have cached, each with the end of the cache.
    pub(crate) kept: Vec<(ErrorKind, Deadline)>,
}

/// The counters at one moment.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    pub(crate) at: i64,
    pub(crate) epoch: usize,
    pub(crate) refreshes_ended: usize,
    pub(crate) rejection_count: usize,
    pub(crate) calls: usize,
}

impl World {
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            at: self.now().mono,
            epoch: self.reference.epoch,
            refreshes_ended: self.refreshes_ended,
            rejection_count: self.rejection_count,
            calls: self.token_requests_begun,
        }
    }

    /// Starts a caller.
    pub(crate) fn start(&mut self, kind: Kind) -> usize {
        let since = self.mark();
        let now = self.now();
        let expected = self.expect(kind, now);
        let id = self.callers.len();
        self.note(format_args!("caller {id}, {kind:?}: {expected:?}"));
        self.callers.push(Caller {
            kind,
            stage: Stage::Waiting,
            started: since,
            expected,
            since,
            at_once: None,
            gated: self.gate.closed,
            given: None,
            rejected: None,
            sent: 0,
            accepted: false,
            may_get_newer: Certainty::No,
            kept: Vec::new(),
        });
        id
    }

    pub(crate) fn expect(&mut self, kind: Kind, now: Moment) -> Expectation {
        let expected = match kind {
            Kind::Flush => return Expectation::flush(!self.token_requests.is_empty()),
            Kind::Refresh => self.reference.force_refresh(now),
            _ => self.reference.get(now, kind == Kind::Get),
        };
        self.reference.starts(expected.call);
        expected
    }

    /// Records the call of a service that was ready.
    pub(crate) fn ready_service_called(&mut self, id: usize) {
        let (since, now) = (self.mark(), self.now());
        let mut expected = self.reference.get(now, false);
        // A service that is ready does not start a proactive refresh.
        expected.call = Certainty::No;
        let given = &self.callers[id].given;
        let is_given = |access: &String| self.arrived_just_now(access) || given.as_ref() == Some(access);
        if self.reference.token.as_ref().is_some_and(|token| is_given(&token.access)) {
            // It can be the token that the service has waited for.
            expected.served = expected.served.max(Certainty::Perhaps);
        }
        if self.callers[id].since.epoch != since.epoch {
            // The service checks the cell again after the user has set or forgotten a token.
            self.callers[id].kept.clear();
        }
        if self.callers[id].kept(now).next().is_some() {
            expected.waits = expected.waits.min(Certainty::Perhaps);
        }
        self.note(format_args!("caller {id} is called: {expected:?}"));
        self.reference.starts(expected.waits.and(Certainty::perhaps_if(!self.reference.refreshing)));
        if expected.waits.is() {
            self.cover(Case::ExpiredBeforeCall);
        }
        let gated = self.gate.closed;
        let caller = &mut self.callers[id];
        (caller.stage, caller.started, caller.since, caller.gated) = (Stage::Waiting, since, since, gated);
        (caller.expected, caller.at_once) = (expected, None);
    }
}

impl Caller {
    /// Returns the errors that the service may have cached.
    pub(crate) fn kept(&self, now: Moment) -> impl Iterator<Item = ErrorKind> {
        self.kept.iter().filter(move |(_, until)| !until.passed(now).is()).map(|(kind, _)| *kind)
    }
}
