//! A refresh that all waiters share: it completes even if waiters are dropped, and all of them get the same outcome.
//!
//! Inside a tokio runtime a spawned task polls the work ([`RuntimeTask`]). Without a runtime, or after it has shut down, the waiters poll
//! the work. Each wake-up of the work then wakes all waiters, because any single one of them may never be polled again.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use super::attempt::Attempt;
use super::waiters::Waiters;
use crate::catch_panic::catch_panic;
use crate::clock;
use crate::grant::StallTimeout;
use crate::sync::{AtomicBool, AtomicU64, Mutex, Ordering, lock, try_lock};

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The maximum number of times that one poll of a waiter polls the work, if the work wakes itself.
const MAX_POLLS: usize = if cfg!(tower_oauth2_loom) { 2 } else { 16 };

pub(crate) struct RefreshTask<T> {
    attempt: Attempt,
    outcome: OnceLock<T>,
    /// `None` after the work has ended. Locked while the work is polled, and never while another lock is held.
    work: Mutex<Option<Work>>,
    waiters: Waiters,
    /// Whether a runtime polls the work. `true` from the start until the [`RuntimeTask`] is dropped: if a waiter polled the work before,
    /// the work would wake the waiter instead of the runtime.
    has_runtime_task: AtomicBool,
    /// Whether the work was woken since its last poll began. Used only if waiters poll the work.
    is_woken: AtomicBool,
    /// The waker of the [`RuntimeTask`].
    runtime_waker: Mutex<Option<Waker>>,
    /// The time of the last poll, in nanoseconds of [`clock::uptime`].
    last_polled: AtomicU64,
    stall_timeout: StallTimeout,
}

/// The result of polling the work as a waiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The work is pending, or another thread polls it.
    Pending,
    /// The work woke itself each time it was polled. The caller must poll it again.
    Yielded,
    /// The work has ended.
    Ended,
}

impl<T: Send + Sync + 'static> RefreshTask<T> {
    pub(super) fn new(
        waiters: Waiters,
        stall_timeout: StallTimeout,
        attempt: Attempt,
        work: impl FnOnce(std::sync::Weak<Self>) -> Work,
    ) -> Arc<Self> {
        Arc::new_cyclic(|task| Self {
            attempt,
            outcome: OnceLock::new(),
            work: Mutex::new(Some(work(task.clone()))),
            waiters,
            has_runtime_task: AtomicBool::new(true),
            is_woken: AtomicBool::new(false),
            runtime_waker: Mutex::new(None),
            last_polled: AtomicU64::new(nanoseconds(clock::uptime())),
            stall_timeout,
        })
    }

    /// Spawns the work. Without a runtime, the waiters poll it from now on. Called once.
    pub(super) fn spawn(self: &Arc<Self>) {
        let runtime_task = self.runtime_task();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(runtime_task);
        }
    }

    /// Creates the future that a runtime polls.
    pub(super) fn runtime_task(self: &Arc<Self>) -> RuntimeTask<T> {
        RuntimeTask(self.clone())
    }

    /// Returns the inputs of the refresh.
    pub(super) fn attempt(&self) -> &Attempt {
        &self.attempt
    }

    /// Returns the outcome of the refresh after it has ended.
    pub(super) fn outcome(&self) -> Option<&T> {
        self.outcome.get()
    }

    /// Sets the outcome. Later calls have no effect. The caller must wake the waiters after it has released its locks.
    pub(super) fn set_outcome(&self, outcome: T) {
        let _ = self.outcome.set(outcome);
    }

    /// Polls the work at most `max_polls` times, unless a runtime polls it.
    pub(super) fn poll_work(self: &Arc<Self>, max_polls: usize) -> Progress {
        if self.has_runtime_task.load(Ordering::SeqCst) {
            return Progress::Pending;
        }
        let waker = Waker::from(Arc::new(WorkWaker(Arc::downgrade(self))));
        let mut cx = Context::from_waker(&waker);
        for _ in 0..max_polls {
            // Another thread polls the work. It handles wake-ups that arrive meanwhile, or wakes the waiters at its end.
            let Some(mut work) = try_lock(&self.work) else { return Progress::Pending };
            self.is_woken.store(false, Ordering::SeqCst);
            let ended = self.poll_once(&mut work, &mut cx);
            drop(work);
            if ended {
                return Progress::Ended;
            }
            if !self.is_woken.load(Ordering::SeqCst) {
                return Progress::Pending;
            }
        }
        // The last wake-up may have woken only waiters that found the work locked, and now wait again.
        self.waiters.wake_all();
        Progress::Yielded
    }

    /// Polls the work like [`poll_work`](Self::poll_work), at most `MAX_POLLS` times.
    pub(super) fn poll_as_waiter(self: &Arc<Self>) -> Progress {
        self.poll_work(MAX_POLLS)
    }

    fn poll_once(&self, work: &mut Option<Work>, cx: &mut Context<'_>) -> bool {
        self.last_polled.store(nanoseconds(clock::uptime()), Ordering::SeqCst);
        let Some(future) = work else { return true };
        let ended = future.as_mut().poll(cx).is_ready();
        if ended {
            *work = None;
        }
        ended
    }

    /// Returns the time since the last poll of the work.
    pub(super) fn idle_time(&self) -> Duration {
        let polled = Duration::from_nanos(self.last_polled.load(Ordering::SeqCst));
        clock::uptime().saturating_sub(polled)
    }

    /// Returns how long the work may go without a poll before it is cancelled.
    pub(super) fn stall_timeout(&self) -> Duration {
        self.stall_timeout.get()
    }

    /// Returns whether the work has ended, or was dropped.
    pub(super) fn has_ended(&self) -> bool {
        try_lock(&self.work).is_some_and(|work| work.is_none())
    }

    /// Wakes the runtime or the waiters, so that they poll the work.
    pub(super) fn wake(&self) {
        let waker = lock(&self.runtime_waker).clone();
        match waker {
            Some(waker) => drop(catch_panic(|| waker.wake())),
            None => self.waiters.wake_all(),
        }
    }

    /// Drops the work, and with it resources such as the lock of a store.
    pub(super) fn abort(&self) {
        let work = try_lock(&self.work).and_then(|mut work| work.take());
        let waker = lock(&self.runtime_waker).take();
        let _ = catch_panic(|| drop(work));
        drop(waker);
    }
}

impl<T> Drop for RefreshTask<T> {
    /// Drops the work. If that panics, the panic does not reach the thread that drops the last reference.
    fn drop(&mut self) {
        let work = self.work.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let _ = catch_panic(|| drop(work));
    }
}

// ===== impl RuntimeTask =====

/// The future that a runtime polls. If it is dropped before the work has ended, the waiters poll the work.
pub(super) struct RuntimeTask<T: Send + Sync + 'static>(Arc<RefreshTask<T>>);

impl<T: Send + Sync + 'static> Future for RuntimeTask<T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let previous = lock(&self.0.runtime_waker).replace(cx.waker().clone());
        drop(previous);
        let mut work = lock(&self.0.work);
        if self.0.poll_once(&mut work, cx) { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl<T: Send + Sync + 'static> Drop for RuntimeTask<T> {
    fn drop(&mut self) {
        self.0.has_runtime_task.store(false, Ordering::SeqCst);
        let waker = lock(&self.0.runtime_waker).take();
        drop(waker);
        self.0.waiters.wake_all();
    }
}

// ===== impl WorkWaker =====

/// The waker of work that the waiters poll: wakes all of them. Weak, because the work can own this waker.
struct WorkWaker<T>(std::sync::Weak<RefreshTask<T>>);

impl<T: Send + Sync + 'static> Wake for WorkWaker<T> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Some(task) = self.0.upgrade() {
            task.is_woken.store(true, Ordering::SeqCst);
            task.waiters.wake_all();
        }
    }
}

/// Converts to nanoseconds, limited to 584 years.
fn nanoseconds(duration: Duration) -> u64 {
    duration.as_nanos().try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn};
    use std::sync::atomic::AtomicUsize;

    use tokio_test::{assert_pending, assert_ready, task};

    use super::*;
    use crate::cell::state::TokenState;
    use crate::grant::Reason;

    fn new_task(waiters: &Waiters, work: impl Future<Output = ()> + Send + 'static) -> Arc<RefreshTask<u32>> {
        let attempt = TokenState::<()>::new(0).new_attempt(Reason::Missing);
        RefreshTask::new(waiters.clone(), StallTimeout::new(Duration::from_secs(60)), attempt, |_| Box::pin(work))
    }

    /// Returns a counter of polls, and work that wakes itself and never ends.
    fn self_waking_work() -> (Arc<AtomicUsize>, impl Future<Output = ()>) {
        let polls = Arc::new(AtomicUsize::new(0));
        let counter = polls.clone();
        let work = poll_fn(move |cx| {
            counter.fetch_add(1, Ordering::SeqCst);
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        (polls, work)
    }

    #[test]
    fn work_that_wakes_itself_is_polled_a_bounded_number_of_times() {
        let (polls, work) = self_waking_work();
        let waiters = Waiters::default();
        let task = new_task(&waiters, work);
        task.spawn();
        assert_eq!(task.poll_as_waiter(), Progress::Yielded);
        assert_eq!(polls.load(Ordering::SeqCst), MAX_POLLS);
        assert_eq!(task.poll_work(1), Progress::Yielded);
        assert_eq!(polls.load(Ordering::SeqCst), MAX_POLLS + 1);
    }

    #[test]
    fn a_waiter_that_stops_polling_work_that_wakes_itself_wakes_the_others() {
        let waiters = Waiters::default();
        let task = new_task(&waiters, self_waking_work().1);
        task.spawn();
        let mut wakeup = waiters.subscribe();
        let mut other = task::spawn(poll_fn(|cx| wakeup.poll(cx)));
        assert_pending!(other.poll());
        task.poll_work(1);
        assert!(other.is_woken());
        assert_ready!(other.poll());
    }

    #[test]
    fn waiters_poll_the_work_only_when_no_runtime_does() {
        let (polls, work) = self_waking_work();
        let waiters = Waiters::default();
        let task = new_task(&waiters, work);
        assert_eq!(task.poll_as_waiter(), Progress::Pending, "a new task waits for its runtime");
        let mut wakeup = waiters.subscribe();
        let mut waiter = task::spawn(poll_fn(|cx| wakeup.poll(cx)));
        assert_pending!(waiter.poll());
        let mut runtime_task = task::spawn(task.runtime_task());
        assert_pending!(runtime_task.poll());
        assert!(runtime_task.is_woken());
        assert_eq!(task.poll_as_waiter(), Progress::Pending);
        assert_eq!(polls.load(Ordering::SeqCst), 1);
        assert!(!waiter.is_woken());
        drop(runtime_task);
        assert!(waiter.is_woken());
        assert_eq!(task.poll_work(1), Progress::Yielded);
        assert_eq!(polls.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn the_first_outcome_is_kept() {
        let task = new_task(&Waiters::default(), pending());
        assert_eq!(task.outcome(), None);
        task.set_outcome(1);
        task.set_outcome(2);
        assert_eq!(task.outcome(), Some(&1));
    }

    #[test]
    fn an_aborted_task_drops_its_work_and_has_ended() {
        struct DropProbe(#[expect(dead_code, reason = "it is only dropped")] Arc<()>);
        let (held, waiters) = (Arc::new(()), Waiters::default());
        let work = DropProbe(held.clone());
        let task = new_task(&waiters, async move {
            let _held = work;
            pending().await
        });
        task.spawn();
        assert_eq!(task.poll_as_waiter(), Progress::Pending);
        assert!(!task.has_ended());
        task.abort();
        assert_eq!(Arc::strong_count(&held), 1);
        assert!(task.has_ended());
        assert_eq!(task.poll_as_waiter(), Progress::Ended);
        assert!(task::spawn(task.runtime_task()).poll().is_ready());
    }
}
