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
}

impl Held {
    pub(crate) fn new(issued: &Issued, now: Moment, chance: Chance) -> Self {
        let (access, refresh) = (issued.access.clone(), issued.refresh.clone());
        let Some(lifetime) = issued.lifetime else {
            let never = Deadline::NEVER;
            return Self { access, refresh, due: never, stale: never, expiry: never, gap: secs(0.0), cautious: never };
        };
        let lifetime = lifetime as f64;
        let expiry = Deadline::after(now, secs(lifetime));
        let (skew, window) = (30_f64.min(lifetime / 10.0), 300_f64.min(lifetime / 2.0));
        // The wall clock creeps on between the arrival and the look at what is left, so that is a little less.
        let doubt = now.doubt();
        let shorter = |span: Span, share: i64| Span { least: (span.least - doubt / share).max(0), most: span.most };
        let skew = if lifetime < 300.0 { shorter(secs(skew), 10) } else { secs(skew) };
        let window = Span { least: nanos_of(window * (1.0 - chance.ahead)), most: nanos_of(window) };
        let window = if lifetime <= 600.0 { shorter(window, 2) } else { window };
        let cautious = expiry.earlier(skew);
        let gap = secs(30_f64.min(lifetime / 10.0));
        let gap = if lifetime <= 300.0 { shorter(gap, 10) } else { gap };
        Self { access, refresh, due: expiry.earlier(window), stale: cautious, expiry, gap, cautious }
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
