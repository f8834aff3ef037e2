//! Provides the locks, atomics and thread locals of the token cell: those of the standard library, or of `loom` with
//! `--cfg tower_oauth2_loom`.

#[cfg(not(tower_oauth2_loom))]
mod imp {
    pub(crate) use arc_swap::ArcSwapOption;
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
    pub(crate) use std::sync::{Mutex, MutexGuard};
    pub(crate) use std::thread_local;
}

#[cfg(tower_oauth2_loom)]
mod imp {
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
    pub(crate) use loom::sync::{Mutex, MutexGuard};
    pub(crate) use loom::thread_local;

    use std::sync::Arc;

    use arc_swap::Guard;

    /// `arc_swap::ArcSwapOption`, with a lock that makes each access a step of loom.
    pub(crate) struct ArcSwapOption<T>(arc_swap::ArcSwapOption<T>, Mutex<()>);

    impl<T> ArcSwapOption<T> {
        pub(crate) fn empty() -> Self {
            Self(arc_swap::ArcSwapOption::empty(), Mutex::new(()))
        }

        pub(crate) fn load(&self) -> Guard<Option<Arc<T>>> {
            drop(super::lock(&self.1));
            self.0.load()
        }

        pub(crate) fn load_full(&self) -> Option<Arc<T>> {
            drop(super::lock(&self.1));
            self.0.load_full()
        }

        pub(crate) fn store(&self, value: Option<Arc<T>>) {
            drop(self.swap(value));
        }

        pub(crate) fn swap(&self, value: Option<Arc<T>>) -> Option<Arc<T>> {
            drop(super::lock(&self.1));
            self.0.swap(value)
        }
    }
}

use std::sync::{PoisonError, TryLockError};

pub(crate) use self::imp::*;

/// Locks a mutex. Ignores poisoning, because a panic cannot leave the guarded values half changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Locks a mutex like [`lock`], or returns `None` if it is locked.
pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
