//! Cancels refresh tasks that make no progress.
//!
//! A `current_thread` runtime does not poll its tasks between two `block_on` calls. If it has started a refresh, callers in other
//! runtimes would wait without end, and so would other processes, for the lock of the store. So a helper thread wakes the task from time to
//! time, and cancels it if it was not polled for the [`StallTimeout`](crate::grant::StallTimeout).

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use super::refresh_task::RefreshTask;
use crate::catch_panic::catch_panic;
use crate::sync::{Mutex, lock};

type OnStall<T> = Box<dyn Fn(&Arc<RefreshTask<T>>) + Send + Sync>;

pub(super) struct Watchdog<T> {
    task: Weak<RefreshTask<T>>,
    on_stall: OnStall<T>,
    timer: Mutex<Option<futures_timer::Delay>>,
}

/// The minimum wait. A timer may fire early, and the remaining wait can be zero.
const MIN_WAIT: Duration = Duration::from_millis(1);

/// The maximum wait between two checks, so that the watchdog ends soon after its task.
const MAX_WAIT: Duration = Duration::from_secs(60);

impl<T: Send + Sync + 'static> Watchdog<T> {
    /// Watches a task until it has ended. Calls `on_stall` on the helper thread if the task makes no progress.
    pub(super) fn watch(task: &Arc<RefreshTask<T>>, on_stall: impl Fn(&Arc<RefreshTask<T>>) + Send + Sync + 'static) {
        // Models have no timers.
        if cfg!(tower_oauth2_loom) {
            return;
        }
        let watchdog =
            Arc::new(Self { task: Arc::downgrade(task), on_stall: Box::new(on_stall), timer: Mutex::new(None) });
        let (idle, stall_timeout) = (task.idle_time(), task.stall_timeout());
        watchdog.wait(idle, stall_timeout);
    }

    /// Checks the task again when half of its stall timeout has passed, and when all of it has.
    fn wait(self: &Arc<Self>, idle: Duration, stall_timeout: Duration) {
        let wait = stall_timeout.saturating_sub(idle).min(stall_timeout / 2).clamp(MIN_WAIT, MAX_WAIT);
        let waker = Waker::from(self.clone());
        // `Delay` panics in a process that cannot start the helper thread. Then the task is not watched.
        let _ = catch_panic(|| {
            let mut timer = lock(&self.timer);
            let mut delay = futures_timer::Delay::new(wait);
            let polled = Pin::new(&mut delay).poll(&mut Context::from_waker(&waker));
            let previous = timer.replace(delay);
            drop(timer);
            drop(previous);
            if polled.is_ready() {
                waker.wake();
            }
        });
    }
}

impl<T: Send + Sync + 'static> Wake for Watchdog<T> {
    /// Runs on the helper thread when the timer has fired.
    fn wake(self: Arc<Self>) {
        let Some(task) = self.task.upgrade().filter(|task| !task.has_ended()) else {
            // The timer owns the last reference to this watchdog.
            let timer = lock(&self.timer).take();
            return drop(timer);
        };
        let (idle, stall_timeout) = (task.idle_time(), task.stall_timeout());
        if idle < stall_timeout {
            task.wake();
            return self.wait(idle, stall_timeout);
        }
        let timer = lock(&self.timer).take();
        drop(timer);
        let _ = catch_panic(|| (self.on_stall)(&task));
        task.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn};
    use std::sync::mpsc;
    use std::task::Poll;

    use super::*;
    use crate::cell::refresh_task::Progress;
    use crate::cell::state::TokenState;
    use crate::cell::waiters::Waiters;
    use crate::grant::{Reason, StallTimeout};

    /// Long enough for a slow machine, and for an interpreter, to act on the task first.
    const STALL_TIMEOUT: Duration = Duration::from_secs(6);
    const TEST_TIMEOUT: Duration = Duration::from_secs(20);

    /// Returns a task, and a channel that gets a message when the task is cancelled and is closed when the watchdog ends.
    fn watched(
        waiters: &Waiters,
        stall_timeout: Duration,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> (Arc<RefreshTask<()>>, mpsc::Receiver<()>) {
        let attempt = TokenState::<()>::new(0).new_attempt(Reason::Missing);
        let task = RefreshTask::new(waiters.clone(), StallTimeout::new(stall_timeout), attempt, |_| Box::pin(work));
        task.spawn();
        let (cancelled, receiver) = mpsc::channel();
        Watchdog::watch(&task, move |_| cancelled.send(()).unwrap());
        (task, receiver)
    }

    #[test]
    fn a_task_that_is_not_polled_is_cancelled_and_its_work_is_dropped() {
        let (held, dropped) = mpsc::channel::<()>();
        let (task, cancelled) = watched(&Waiters::default(), Duration::from_millis(5), async move {
            let _held = held;
            pending().await
        });
        assert_eq!(cancelled.recv_timeout(TEST_TIMEOUT), Ok(()));
        // Afterwards the watchdog drops the work, and ends. A reference count could be read too early, because it synchronizes nothing.
        assert_eq!(dropped.recv_timeout(TEST_TIMEOUT), Err(mpsc::RecvTimeoutError::Disconnected));
        assert_eq!(cancelled.recv_timeout(TEST_TIMEOUT), Err(mpsc::RecvTimeoutError::Disconnected));
        assert!(task.has_ended());
    }

    #[test]
    fn a_task_that_has_ended_is_not_cancelled() {
        let (task, cancelled) = watched(&Waiters::default(), STALL_TIMEOUT, async {});
        assert_eq!(task.poll_as_waiter(), Progress::Ended);
        assert_eq!(cancelled.recv_timeout(TEST_TIMEOUT), Err(mpsc::RecvTimeoutError::Disconnected));
    }

    #[test]
    fn a_dropped_task_is_not_cancelled() {
        let (task, cancelled) = watched(&Waiters::default(), STALL_TIMEOUT, pending());
        drop(task);
        assert_eq!(cancelled.recv_timeout(TEST_TIMEOUT), Err(mpsc::RecvTimeoutError::Disconnected));
    }

    #[test]
    fn waiters_are_woken_to_poll_a_task_before_it_is_cancelled() {
        let waiters = Waiters::default();
        let (task, cancelled) = watched(&waiters, STALL_TIMEOUT, {
            let mut polls = 0;
            poll_fn(move |_| {
                polls += 1;
                if polls == 2 { Poll::Ready(()) } else { Poll::Pending }
            })
        });
        assert_eq!(task.poll_as_waiter(), Progress::Pending);
        let mut wakeup = waiters.subscribe();
        let (woken, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(poll_fn(|cx| wakeup.poll(cx)));
            woken.send(())
        });
        assert_eq!(receiver.recv_timeout(TEST_TIMEOUT), Ok(()));
        assert_eq!(task.poll_as_waiter(), Progress::Ended);
        assert_eq!(cancelled.recv_timeout(TEST_TIMEOUT), Err(mpsc::RecvTimeoutError::Disconnected));
    }
}
