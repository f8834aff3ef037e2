//! A token as the reference holds it, and the numbers of the documentation.

use std::time::Duration;

use crate::server::Issued;
use crate::time::{Deadline, Moment, Span, Sure, nanos};

/// Which part of each wait is left to chance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chance {
    pub(crate) ahead: f64,
    pub(crate) backoff: f64,
}

#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) access: String,
    pub(crate) refresh: Option<String>,
    /// From here on a newer one is wanted.
    pub(crate) due: Deadline,
    /// From here on it is not sent any more.
    pub(crate) stale: Deadline,
    pub(crate) expiry: Deadline,
    /// The smallest time between two tries while it serves, but not beyond the last moment of caution.
    gap: Span,
    pub(crate) cautious: Deadline,
    /// What the wall clock showed at most when it came, until all is at rest.
    arrived: Option<i64>,
}

impl Held {
    pub(crate) fn new(issued: &Issued, now: Moment, chance: Chance) -> Self {
        let (access, refresh) = (issued.access.clone(), issued.refresh.clone());
        let Some(lifetime) = issued.lifetime else {
            let never = Deadline::NEVER;
            let (due, stale, cautious, gap) = (never, never, never, secs(0.0));
            return Self { access, refresh, due, stale, expiry: never, gap, cautious, arrived: None };
        };
        let lifetime = lifetime as f64;
        let expiry = Deadline::after(now, secs(lifetime));
        // The last caution, and the gap between two tries as well.
        let tenth = secs(30_f64.min(lifetime / 10.0));
        let window = 300_f64.min(lifetime / 2.0);
        let window = Span { least: nanos_of(window * (1.0 - chance.ahead)), most: nanos_of(window) };
        let (due, cautious, gap) = (expiry.earlier(window), expiry.earlier(tenth), tenth);
        Self { access, refresh, due, stale: cautious, expiry, gap, cautious, arrived: Some(now.wall.most) }
    }

    /// The wall clock has crept on since it arrived. What was left of it when the layer looked is less by that at most, and
    /// the parts of its life are smaller.
    pub(crate) fn has_arrived(&mut self, now: Moment) {
        let Some(arrived) = self.arrived.take() else { return };
        let crept = (now.wall.most - arrived).max(0);
        self.due = self.due.or_later_by(crept / 2);
        self.stale = self.stale.or_later_by(crept / 10);
        self.cautious = self.cautious.or_later_by(crept / 10);
        self.gap.least = (self.gap.least - crept / 10).max(0);
    }

    /// No newer one could be had, and the next try is not before `retry`: if it is old, it serves to its very end.
    pub(crate) fn hold_out(&mut self, retry: Deadline, now: Moment) {
        let patient = Deadline::after(now, self.gap).or_earlier(self.cautious);
        let due = retry.or_later(patient);
        match self.due.passed(now).or(self.stale.passed(now)) {
            Sure::No => {}
            Sure::Yes => (self.due, self.stale) = (due, self.expiry),
            Sure::Perhaps => (self.due, self.stale) = (self.due.or_perhaps(due), self.stale.or_perhaps(self.expiry)),
        }
    }
}

/// How long to wait after so many failures in a row.
pub(crate) fn backoff(failures: i32, retry_after: Option<u64>, chance: Chance) -> Span {
    if let Some(wait) = retry_after {
        return Span::secs(wait.min(3600));
    }
    let wait = 120_f64.min(1.6_f64.powi(failures - 1));
    // A microsecond for the rounding.
    let (least, most) = (wait * (1.0 - chance.backoff) - 1e-6, 120_f64.min(wait * (1.0 + chance.backoff)) + 1e-6);
    Span { least: nanos_of(least), most: nanos_of(most) }
}

fn secs(secs: f64) -> Span {
    Span::exactly(nanos_of(secs))
}

fn nanos_of(secs: f64) -> i64 {
    nanos(Duration::from_secs_f64(secs))
}
