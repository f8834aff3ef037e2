//! A token of the reference, and the numbers of the documentation.

use std::time::Duration;

use crate::server::Issued;
use crate::time::{Certainty, Deadline, Moment, Span, nanos};

/// The maximum jitter, as a fraction of each wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JitterRange {
    pub(crate) ahead: f64,
    pub(crate) backoff: f64,
}

impl JitterRange {
    pub(crate) const NONE: Self = Self { ahead: 0.0, backoff: 0.0 };
}

#[derive(Clone, Debug)]
pub(crate) struct ModelToken {
    pub(crate) access: String,
    pub(crate) refresh: Option<String>,
    /// From this time on, a newer token is obtained.
    pub(crate) due: Deadline,
    /// From this time on, the token is not sent.
    pub(crate) stale: Deadline,
    pub(crate) expiry: Deadline,
    /// The minimum time between two attempts while the token is valid, but not beyond `skewed_expiry`.
    min_interval: Span,
    pub(crate) skewed_expiry: Deadline,
    /// The upper bound of the wall clock when the token arrived, until the step ends.
    arrived: Option<i64>,
}

impl ModelToken {
    pub(crate) fn new(issued: &Issued, now: Moment, jitter: JitterRange) -> Self {
        let (access, refresh) = (issued.access.clone(), issued.refresh.clone());
        let Some(lifetime) = issued.lifetime else {
            let never = Deadline::NEVER;
            let (due, stale, skewed_expiry, min_interval) = (never, never, never, secs(0.0));
            return Self { access, refresh, due, stale, expiry: never, min_interval, skewed_expiry, arrived: None };
        };
        let lifetime = lifetime as f64;
        let expiry = Deadline::after(now, secs(lifetime));
        // The clock skew, which is also the minimum interval between two attempts.
        let tenth = secs(30_f64.min(lifetime / 10.0));
        let window = 300_f64.min(lifetime / 2.0);
        let window = Span { least: nanos_of(window * (1.0 - jitter.ahead)), most: nanos_of(window) };
        let (due, skewed_expiry, min_interval) = (expiry.earlier(window), expiry.earlier(tenth), tenth);
        Self {
            access,
            refresh,
            due,
            stale: skewed_expiry,
            expiry,
            min_interval,
            skewed_expiry,
            arrived: Some(now.wall.most),
        }
    }

    /// Accounts for the time that the wall clock has advanced since the token arrived. The layer may have computed the remaining
    /// lifetime up to that much later, so that its fractions are smaller.
    pub(crate) fn has_arrived(&mut self, now: Moment) {
        let Some(arrived) = self.arrived.take() else { return };
        let crept = (now.wall.most - arrived).max(0);
        self.due = self.due.or_later_by(crept / 2);
        self.stale = self.stale.or_later_by(crept / 10);
        self.skewed_expiry = self.skewed_expiry.or_later_by(crept / 10);
        self.min_interval.least = (self.min_interval.least - crept / 10).max(0);
    }

    /// Extends a due token to its expiry, because no newer one can be obtained before `retry`.
    pub(crate) fn extend_to_expiry(&mut self, retry: Deadline, now: Moment) {
        let late_allowed = Deadline::after(now, self.min_interval).or_earlier(self.skewed_expiry);
        let due = retry.or_later(late_allowed);
        match self.due.passed(now).or(self.stale.passed(now)) {
            Certainty::No => {}
            Certainty::Yes => (self.due, self.stale) = (due, self.expiry),
            Certainty::Perhaps => {
                (self.due, self.stale) = (self.due.or_perhaps(due), self.stale.or_perhaps(self.expiry))
            }
        }
    }
}

/// Returns the back-off after a number of consecutive failures. `Retry-After` can only extend it. Jitter is added.
pub(crate) fn backoff(failures: i32, retry_after: Option<u64>, jitter: JitterRange) -> Span {
    let wait = 120_f64.min(1.6_f64.powi(failures - 1));
    // A microsecond for rounding.
    let (least, most) = (wait * (1.0 - jitter.backoff) - 1e-6, 120_f64.min(wait * (1.0 + jitter.backoff)) + 1e-6);
    let asked = retry_after.map_or(0, |asked| asked.min(3600)) as f64;
    let latest = if asked > 0.0 { asked + 2.0 * wait * jitter.backoff } else { 0.0 };
    Span { least: nanos_of(least.max(asked)), most: nanos_of(most.max(latest)) }
}

pub(crate) fn secs(secs: f64) -> Span {
    Span::exactly(nanos_of(secs))
}

fn nanos_of(secs: f64) -> i64 {
    nanos(Duration::from_secs_f64(secs))
}
