//! The maximum time for which a refresh task may not be polled.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The maximum time for which a refresh task may not be polled before the cell cancels it. A grant extends it for a login.
#[derive(Clone)]
pub(crate) struct StallTimeout {
    initial: Duration,
    nanoseconds: Arc<AtomicU64>,
}

impl StallTimeout {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { initial: limit, nanoseconds: Arc::new(AtomicU64::new(nanoseconds(limit))) }
    }

    /// Extends it to at least this long.
    pub(super) fn extend(&self, limit: Duration) {
        self.nanoseconds.fetch_max(nanoseconds(limit), Ordering::SeqCst);
    }

    /// Returns whether a grant has extended it.
    pub(super) fn is_extended(&self) -> bool {
        self.get() > self.initial
    }

    pub(crate) fn get(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds.load(Ordering::SeqCst))
    }
}

/// Returns the duration in nanoseconds, at most 584 years.
fn nanoseconds(duration: Duration) -> u64 {
    duration.as_nanos().try_into().unwrap_or(u64::MAX)
}
