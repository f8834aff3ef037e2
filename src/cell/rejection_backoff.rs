//! Limits the refreshes that rejections start.
//!
//! The first rejected token is refreshed at once. If the new token is rejected, too, the token is probably not the cause: an endpoint may
//! reject every token. Each further refresh waits for the back-off, even if other endpoints accept the token in between. The series of
//! rejections ends when a new token has not been rejected for as long as the next back-off.

use std::time::Duration;

use super::timing::Timing;
use crate::clock::{Deadline, Now};

/// A series of rejections, and the refreshes that it has started.
#[derive(Debug, Default)]
pub(super) struct RejectionBackoff {
    refreshes: u32,
    /// When the next rejection may start a refresh.
    next: Option<Deadline>,
    /// When the series ends, unless the token is rejected before. `None` while a refresh that a rejection started is running.
    end: Option<Deadline>,
}

impl RejectionBackoff {
    /// Records a rejection of the current token. Returns whether a refresh may start.
    pub(super) fn record_rejection(&mut self, now: Now, timing: &Timing) -> bool {
        if self.end.is_some_and(|end| end.passed(now)) {
            *self = Self::default();
        }
        let may_refresh = self.next.is_none_or(|next| next.passed(now));
        if self.end.is_some() {
            self.extend(now, timing);
        }
        may_refresh
    }

    /// Records that a rejection has started a refresh.
    pub(super) fn record_refresh_start(&mut self, now: Now, timing: &Timing, jitter: f64) {
        self.refreshes = self.refreshes.saturating_add(1);
        self.next = Some(backoff_end(now, timing, self.refreshes, jitter));
        self.end = None;
    }

    /// Records a new token. The series ends if the token is not rejected until the next back-off has passed.
    pub(super) fn record_token(&mut self, now: Now, timing: &Timing) {
        if self.refreshes > 0 && self.end.is_none_or(|end| !end.passed(now)) {
            self.extend(now, timing);
        }
    }

    /// Records that a refresh has failed.
    pub(super) fn record_failure(&mut self, now: Now, timing: &Timing) {
        if self.refreshes > 0 && self.end.is_none() {
            self.extend(now, timing);
        }
    }

    /// Moves the end of the series to the end of the next back-off, without jitter: `0.5` is its mean.
    fn extend(&mut self, now: Now, timing: &Timing) {
        self.end = Some(backoff_end(now, timing, self.refreshes.saturating_add(1), 0.5));
    }
}

fn backoff_end(now: Now, timing: &Timing, refreshes: u32, jitter: f64) -> Deadline {
    let wait: Duration = timing.backoff(refreshes, jitter, None);
    Deadline::from_now(now, wait)
}
