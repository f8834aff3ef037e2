//! A series of refreshes that rejections cause.

use crate::model_token::{JitterRange, backoff, secs};
use crate::time::{Certainty, Deadline, Moment, Span};

/// The first refresh starts immediately, each further one after the back-off, regardless of accepted responses in between. The series
/// ends when the current token has not been rejected for the time of the next back-off.
#[derive(Default)]
pub(crate) struct Series {
    refreshes: i32,
    next: Option<Deadline>,
    /// `None` while the refresh of a series is running.
    end: Option<Deadline>,
    /// Whether the count is uncertain.
    vague: bool,
}

impl Series {
    /// Records a rejection of the current token. Returns whether it may start a refresh.
    pub(crate) fn rejected(&mut self, now: Moment) -> Certainty {
        match self.end.map_or(Certainty::No, |end| end.passed(now)) {
            Certainty::Yes => *self = Self::default(),
            Certainty::Perhaps => self.vague = true,
            Certainty::No => {}
        }
        let may_start = match self.next {
            _ if self.vague => Certainty::Perhaps,
            Some(next) => next.passed(now),
            None => Certainty::Yes,
        };
        if self.end.is_some() {
            self.continues(now);
        }
        may_start
    }

    /// Records that a rejection has started a refresh, or may have.
    pub(crate) fn refreshed(&mut self, now: Moment, jitter: JitterRange, started: Certainty) {
        self.vague |= !started.is();
        self.refreshes += 1;
        self.next = Some(Deadline::after(now, backoff(self.refreshes, None, jitter)));
        self.end = None;
        if self.vague {
            self.continues(now);
        }
    }

    /// Records a new token or a failed refresh. The series continues from here, unless it had ended before.
    pub(crate) fn refresh_ended(&mut self, now: Moment, has_new_token: bool) {
        let is_over = self.end.map_or(Certainty::No, |end| end.passed(now));
        self.vague |= is_over == Certainty::Perhaps;
        if self.refreshes > 0 && (self.end.is_none() || (has_new_token && !is_over.is())) {
            self.continues(now);
        }
    }

    /// Returns whether several tokens were rejected in a row until now.
    pub(crate) fn is_long(&self) -> bool {
        self.refreshes > 1 && !self.vague
    }

    fn continues(&mut self, now: Moment) {
        let wait = match self.vague {
            true => Span { least: secs(1.0).least, most: secs(120.0).most },
            false => backoff(self.refreshes + 1, None, JitterRange::NONE),
        };
        self.end = Some(Deadline::after(now, wait));
    }
}
