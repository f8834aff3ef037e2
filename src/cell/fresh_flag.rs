//! The flag of a token that is known to be fresh.

#[cfg(feature = "test-util")]
use crate::clock::mock::Clock;
use crate::sync::{AtomicU64, Ordering};

/// The generation of the current token, if it was fresh at most a fifth of a second ago; otherwise zero.
#[derive(Default)]
pub(crate) struct FreshFlag(AtomicU64);

impl FreshFlag {
    #[inline]
    pub(crate) fn get(&self) -> u64 {
        #[cfg(feature = "test-util")]
        if Clock::is_entered() {
            return 0;
        }
        self.0.load(Ordering::Acquire)
    }

    pub(super) fn set(&self, generation: u64) {
        self.0.store(generation, Ordering::Release);
    }

    pub(super) fn clear(&self) {
        self.0.store(0, Ordering::Release);
    }
}
