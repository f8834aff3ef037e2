//! What those get who ask the reference, and whether a call begins.

use tower_oauth2::ErrorKind;

use crate::reference::Reference;
use crate::time::{Moment, Sure};

/// What one gets who asks for the token now. More than one may be, when it is in doubt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    /// The token, at once.
    pub(crate) served: Sure,
    /// The outcome of a call.
    pub(crate) waits: Sure,
    /// This error, at once.
    pub(crate) fails: Option<ErrorKind>,
    /// Whether a call begins.
    pub(crate) call: Sure,
}

impl Reference {
    /// Whether there is a token that serves: to its caution, or to its very end while there is no other to be had.
    pub(crate) fn usable(&self, now: Moment) -> Sure {
        let Some(token) = &self.token else { return Sure::No };
        // There is none when it is too early for another try, or nothing to try with.
        let no_other = if self.credential().is_none() && self.connected { Sure::Yes } else { self.failing(now) };
        let last_resort = no_other.and(token.expiry.passed(now).not());
        self.rejected.not().and(token.stale.passed(now).not().or(last_resort))
    }

    /// Whether it is too early for another try.
    pub(crate) fn failing(&self, now: Moment) -> Sure {
        self.failure.map_or(Sure::No, |failure| failure.retry.passed(now).not())
    }

    /// Whether the token still serves and a newer one is wanted.
    pub(crate) fn due(&self, now: Moment) -> Sure {
        self.token.as_ref().map_or(Sure::No, |token| token.due.passed(now))
    }

    /// Whether its expiry is not near.
    pub(crate) fn is_cautious(&self, now: Moment) -> Sure {
        self.token.as_ref().map_or(Sure::Yes, |token| token.cautious.passed(now).not())
    }

    /// Somebody asks. A handle needs something to send a call through; a request brings that along.
    pub(crate) fn ask(&mut self, now: Moment, handle: bool) -> Answer {
        self.connected |= !handle;
        let mut usable = self.usable(now);
        let wanted = usable.not().or(self.due(now)).and(self.failing(now).not());
        let mut call = if self.flying { Sure::No } else { wanted };
        let mut fails = self.failure.filter(|_| self.failing(now).may_be()).map(|failure| failure.kind);
        if call.may_be() && !self.connected {
            call = Sure::No;
            fails = fails.or(Some(ErrorKind::NoTransport));
        }
        if call.may_be() && self.credential().is_none() {
            // Nobody needs to be called to know what comes of it.
            call = Sure::No;
            self.begin_in_vain(now);
            fails = Some(ErrorKind::LoginNeeded);
            usable = self.usable(now);
        }
        let waits = usable.not().and(if self.flying { Sure::Yes } else { call });
        Answer { served: usable, waits, fails: fails.filter(|_| usable.not().may_be() && !self.flying), call }
    }

    /// The user asks for a new one, whatever there is and whatever failed before.
    pub(crate) fn ask_for_a_new_one(&mut self, now: Moment) -> Answer {
        let nothing = Answer { served: Sure::No, waits: Sure::No, fails: None, call: Sure::No };
        if self.flying {
            Answer { waits: Sure::Yes, ..nothing }
        } else if !self.connected {
            Answer { fails: Some(ErrorKind::NoTransport), ..nothing }
        } else if self.credential().is_none() {
            self.begin_in_vain(now);
            Answer { fails: Some(ErrorKind::LoginNeeded), ..nothing }
        } else {
            Answer { waits: Sure::Yes, call: Sure::Yes, ..nothing }
        }
    }
}
