//! Counts the ticks of the [ticker](super::ticker).

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

#[cfg(feature = "test-util")]
use crate::clock::mock::Clock;

/// The number of the current tick, which is even and not reused, or [`STOPPED`].
static CURRENT: AtomicU64 = AtomicU64::new(STOPPED);

/// The number of the last tick.
static LAST: AtomicU64 = AtomicU64::new(STOPPED);

/// Whether a request has used the number since the last tick.
static IS_USED: AtomicBool = AtomicBool::new(false);

pub(super) const STOPPED: u64 = 0;

/// Returns the number of the current tick, or [`STOPPED`].
#[inline]
pub(super) fn get() -> u64 {
    #[cfg(feature = "test-util")]
    if Clock::is_entered() {
        return STOPPED;
    }
    CURRENT.load(Ordering::Relaxed)
}

/// Lets another tick follow the current one.
pub(super) fn mark_used() {
    // Threads would contend for the value if each request wrote it.
    if !IS_USED.load(Ordering::Relaxed) {
        IS_USED.store(true, Ordering::Relaxed);
    }
}

/// Returns whether the number was used since the last call.
pub(super) fn was_used() -> bool {
    IS_USED.swap(false, Ordering::Relaxed)
}

/// Begins the next tick. The caller holds the lock of the ticker.
pub(super) fn advance() {
    let next = LAST.load(Ordering::Relaxed) + 2;
    LAST.store(next, Ordering::Relaxed);
    CURRENT.store(next, Ordering::Relaxed);
}

/// Ends the current tick without another one. The caller holds the lock of the ticker.
pub(super) fn stop() {
    CURRENT.store(STOPPED, Ordering::Relaxed);
}
