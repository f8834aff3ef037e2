//! The waiters of a cell: callers that wait for it to change.
//!
//! With `tokio::sync::Notify`, a waker that panics would prevent other waiters from being woken. This list also costs less: a waiter
//! allocates nothing, and takes one lock to register.
//!
//! A waker is user code, and can own another waiter. So it is never cloned, woken or dropped while the list is locked.

use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::catch_panic::catch_panic;
use crate::sync::{AtomicU64, Mutex, Ordering, lock};

/// The list of the callers that wait for one cell. Clones share the list.
#[derive(Clone, Default)]
pub(crate) struct Waiters(Arc<WaitList>);

#[derive(Default)]
struct WaitList {
    /// The number of changes of the cell, counted by `wake_all`. Written while `wakers` is locked.
    changes: AtomicU64,
    wakers: Mutex<Wakers>,
}

/// The wakers of the waiters that wait for the next change.
#[derive(Default)]
struct Wakers {
    slots: Vec<Option<Waker>>,
    /// The indices of empty slots.
    free: Vec<usize>,
}

/// Resolves at the next [`Waiters::wake_all`] after its creation, even if it is polled for the first time after that.
pub(crate) struct Wakeup {
    waiters: Waiters,
    /// The number of changes when the wait began.
    seen: u64,
    /// The slot of the registered waker. Valid until the next change.
    slot: Option<usize>,
}

impl Waiters {
    /// Creates a wake-up that resolves at the next change. The caller must read the cell after this call, so that it misses no change.
    pub(crate) fn subscribe(&self) -> Wakeup {
        Wakeup { waiters: self.clone(), seen: self.changes(), slot: None }
    }

    /// Wakes all waiters. Must not be called while a lock is held, because a waker is user code.
    pub(crate) fn wake_all(&self) {
        let wakers = {
            let mut wakers = lock(&self.0.wakers);
            self.0.changes.fetch_add(1, Ordering::AcqRel);
            mem::take(&mut *wakers)
        };
        for waker in wakers.slots.into_iter().flatten() {
            let _ = catch_panic(|| waker.wake());
        }
    }

    fn changes(&self) -> u64 {
        self.0.changes.load(Ordering::Acquire)
    }
}

impl Wakers {
    fn insert(&mut self, waker: Waker) -> usize {
        if let Some(slot) = self.free.pop() {
            self.slots[slot] = Some(waker);
            return slot;
        }
        self.slots.push(Some(waker));
        self.slots.len() - 1
    }

    fn remove(&mut self, slot: usize) -> Option<Waker> {
        let waker = self.slots[slot].take();
        self.free.push(slot);
        if self.free.len() == self.slots.len() {
            *self = Self::default();
        }
        waker
    }
}

impl Wakeup {
    /// Polls for the next change. After it has resolved, it waits for another change.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_registered(cx.waker()) {
            return Poll::Pending;
        }
        let waker = cx.waker().clone();
        let previous = {
            let mut wakers = lock(&self.waiters.0.wakers);
            let changes = self.waiters.changes();
            if mem::replace(&mut self.seen, changes) != changes {
                self.slot = None;
                return Poll::Ready(());
            }
            match self.slot {
                Some(slot) => wakers.slots[slot].replace(waker),
                None => {
                    self.slot = Some(wakers.insert(waker));
                    None
                }
            }
        };
        drop(previous);
        Poll::Pending
    }

    /// Returns whether this waker is registered for the next change.
    fn is_registered(&self, waker: &Waker) -> bool {
        let Some(slot) = self.slot else { return false };
        let wakers = lock(&self.waiters.0.wakers);
        self.waiters.changes() == self.seen
            && wakers.slots[slot].as_ref().is_some_and(|registered| registered.will_wake(waker))
    }
}

impl Drop for Wakeup {
    fn drop(&mut self) {
        let Some(slot) = self.slot else { return };
        // Most waiters are dropped after a change, when the list no longer has their waker.
        if self.waiters.changes() != self.seen {
            return;
        }
        let waker = {
            let mut wakers = lock(&self.waiters.0.wakers);
            (self.waiters.changes() == self.seen).then(|| wakers.remove(slot))
        };
        drop(waker);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::{Mutex, mpsc};
    use std::task::Wake;
    use std::time::Duration;

    use tokio_test::{assert_pending, assert_ready, task};

    use super::*;

    fn poll_with(wakeup: &mut Wakeup, waker: &Waker) -> Poll<()> {
        wakeup.poll(&mut Context::from_waker(waker))
    }

    #[test]
    fn a_change_before_the_first_poll_counts_once() {
        let waiters = Waiters::default();
        let mut wakeup = waiters.subscribe();
        waiters.clone().wake_all();
        let mut waiter = task::spawn(poll_fn(|cx| wakeup.poll(cx)));
        assert_ready!(waiter.poll());
        assert_pending!(waiter.poll());
        waiters.wake_all();
        assert!(waiter.is_woken());
        assert_ready!(waiter.poll());
    }

    struct Panics;

    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("woken");
        }
    }

    #[test]
    fn a_waker_that_panics_does_not_prevent_others_from_being_woken() {
        let waiters = Waiters::default();
        let mut wakeups = [(); 3].map(|()| waiters.subscribe());
        let [one, panicking, two] = &mut wakeups;
        let (mut one, mut two) = (task::spawn(poll_fn(|cx| one.poll(cx))), task::spawn(poll_fn(|cx| two.poll(cx))));
        assert_pending!(one.poll());
        assert_pending!(poll_with(panicking, &Waker::from(Arc::new(Panics))));
        assert_pending!(two.poll());
        waiters.wake_all();
        assert!(one.is_woken() && two.is_woken());
    }

    /// A waker that owns another waiter of the list. Waking or dropping the waker drops that waiter.
    struct Owns(Mutex<Option<Wakeup>>);

    impl Wake for Owns {
        fn wake(self: Arc<Self>) {
            drop(self.0.lock().unwrap().take());
        }
    }

    /// Registers a waiter, and returns a waker that owns it.
    fn owner(waiters: &Waiters) -> Waker {
        let mut owned = waiters.subscribe();
        assert_pending!(poll_with(&mut owned, Waker::noop()));
        Waker::from(Arc::new(Owns(Mutex::new(Some(owned)))))
    }

    /// Fails if `f` deadlocks.
    fn assert_no_deadlock(f: impl FnOnce() + Send + 'static) {
        let (done, is_done) = mpsc::channel();
        std::thread::spawn(move || {
            f();
            done.send(())
        });
        is_done.recv_timeout(Duration::from_secs(10)).unwrap();
    }

    #[test]
    fn a_waker_that_owns_another_waiter_is_woken() {
        assert_no_deadlock(|| {
            let waiters = Waiters::default();
            let mut wakeup = waiters.subscribe();
            assert_pending!(poll_with(&mut wakeup, &owner(&waiters)));
            waiters.wake_all();
            assert_ready!(poll_with(&mut wakeup, Waker::noop()));
        });
    }

    #[test]
    fn a_waker_that_owns_another_waiter_is_replaced_or_dropped() {
        assert_no_deadlock(|| {
            let waiters = Waiters::default();
            let mut wakeup = waiters.subscribe();
            assert_pending!(poll_with(&mut wakeup, &owner(&waiters)));
            assert_pending!(poll_with(&mut wakeup, &owner(&waiters)));
            drop(wakeup);
            waiters.wake_all();
        });
    }

    #[test]
    fn a_slot_is_reused_and_the_memory_is_released() {
        let waiters = Waiters::default();
        let slots = |waiters: &Waiters| lock(&waiters.0.wakers).slots.len();
        let mut wakeups = [(); 3].map(|()| waiters.subscribe());
        for _ in 0..2 {
            for wakeup in &mut wakeups {
                assert_pending!(poll_with(wakeup, Waker::noop()));
            }
        }
        wakeups[1] = waiters.subscribe();
        assert_pending!(poll_with(&mut wakeups[1], Waker::noop()));
        assert_eq!(slots(&waiters), 3);
        drop(wakeups);
        assert_eq!(slots(&waiters), 0);
        assert_eq!(lock(&waiters.0.wakers).slots.capacity(), 0);
    }

    #[test]
    fn a_waiter_that_is_dropped_after_a_change_does_not_free_the_slot_of_another() {
        let waiters = Waiters::default();
        let (mut old, mut new) = (waiters.subscribe(), waiters.subscribe());
        assert_pending!(poll_with(&mut old, Waker::noop()));
        waiters.wake_all();
        assert_ready!(poll_with(&mut new, Waker::noop()));
        let mut new = task::spawn(poll_fn(|cx| new.poll(cx)));
        assert_pending!(new.poll());
        drop(old);
        waiters.wake_all();
        assert!(new.is_woken());
    }
}
