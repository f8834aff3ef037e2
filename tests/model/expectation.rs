//! The results that the reference expects for callers, and whether a token request starts.

use tower_oauth2::ErrorKind;

use crate::reference::Reference;
use crate::time::{Certainty, Moment};

/// The expected result of a caller. Several results are possible if the reference is uncertain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expectation {
    /// The token, without waiting.
    pub(crate) served: Certainty,
    /// The result of a token request.
    pub(crate) waits: Certainty,
    /// This error, without waiting.
    pub(crate) fails: Option<ErrorKind>,
    /// An error, because there is no service for the token request.
    pub(crate) lacks_transport: bool,
    /// Whether a token request starts.
    pub(crate) call: Certainty,
}

impl Expectation {
    const NOTHING: Self =
        Self { served: Certainty::No, waits: Certainty::No, fails: None, lacks_transport: false, call: Certainty::No };

    pub(crate) fn served() -> Self {
        Self { served: Certainty::Yes, ..Self::NOTHING }
    }

    /// Returns the expectation of `flush`, which waits for the running refresh.
    pub(crate) fn flush(is_under_way: bool) -> Self {
        if is_under_way { Self { waits: Certainty::Yes, ..Self::NOTHING } } else { Self::served() }
    }
}

impl Reference {
    /// Returns whether the token can be sent: until the clock skew before its expiry, or until its expiry if no newer one can be obtained.
    pub(crate) fn usable(&self, now: Moment) -> Certainty {
        // No newer one can be obtained within the back-off, or without a credential.
        let fails_without_request = Certainty::yes_if(self.credential().is_none() && self.connected);
        self.serves(now, self.failing(now).or(fails_without_request))
    }

    /// Returns whether the token can be sent before another attempt is made.
    pub(crate) fn in_use(&self, now: Moment) -> Certainty {
        self.serves(now, self.failing(now))
    }

    fn serves(&self, now: Moment, no_other: Certainty) -> Certainty {
        let Some(token) = &self.token else { return Certainty::No };
        let last_resort = no_other.and(token.expiry.passed(now).not());
        self.unusable().not().and(token.stale.passed(now).not().or(last_resort))
    }

    /// Returns whether the back-off has not passed.
    pub(crate) fn failing(&self, now: Moment) -> Certainty {
        self.failure.map_or(Certainty::No, |failure| failure.certain.and(failure.retry.passed(now).not()))
    }

    /// Returns whether the token is due.
    pub(crate) fn due(&self, now: Moment) -> Certainty {
        self.token.as_ref().map_or(Certainty::No, |token| token.due.passed(now))
    }

    /// Returns whether the token is not within the clock skew of its expiry.
    pub(crate) fn is_before_skew(&self, now: Moment) -> Certainty {
        self.token.as_ref().map_or(Certainty::Yes, |token| token.skewed_expiry.passed(now).not())
    }

    /// Returns the expected result of a request or of a handle. A handle needs a service for the token request; a request has one.
    pub(crate) fn get(&mut self, now: Moment, handle: bool) -> Expectation {
        let connected = self.connected || !handle;
        let mut usable = self.usable(now);
        let wanted = usable.not().or(self.due(now)).and(self.failing(now).not());
        let mut call = if self.refreshing { Certainty::No } else { wanted };
        let mut fails = self.failure.filter(|_| self.failing(now).may_be()).map(|failure| failure.kind);
        let lacks_transport = call.may_be() && !connected;
        if lacks_transport {
            call = Certainty::No;
        }
        if call.may_be() && self.credential().is_none() {
            // The result is known without a token request.
            call = Certainty::No;
            self.fail_without_request(self.in_use(now), now);
            fails = Some(ErrorKind::LoginRequired);
            usable = self.usable(now);
        }
        let waits = usable.not().and(if self.refreshing { Certainty::Yes } else { call });
        let fails = fails.filter(|_| usable.not().may_be() && !self.refreshing);
        Expectation { served: usable, waits, fails, lacks_transport: lacks_transport && usable.not().may_be(), call }
    }

    /// Returns the expected result of a forced refresh, which ignores the token and the back-off.
    pub(crate) fn force_refresh(&mut self, now: Moment) -> Expectation {
        let nothing = Expectation::NOTHING;
        if self.refreshing {
            Expectation { waits: Certainty::Yes, ..nothing }
        } else if !self.connected {
            Expectation { lacks_transport: true, ..nothing }
        } else if self.credential().is_none() {
            self.fail_without_request(Certainty::No, now);
            Expectation { fails: Some(ErrorKind::LoginRequired), ..nothing }
        } else {
            Expectation { waits: Certainty::Yes, call: Certainty::Yes, ..nothing }
        }
    }
}
