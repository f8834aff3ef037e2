//! The only place that asks for the time.
//!
//! Two clocks, because each is wrong alone: the monotonic one stands still while a laptop sleeps, and the wall clock
//! steps. A [`Deadline`] has passed when *either* says so. The monotonic clock is tokio's, so that a test which pauses
//! tokio's time steers ours.

#[cfg(feature = "test-util")]
pub(crate) mod steered;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use tokio::runtime::RuntimeFlavor;
use tokio::time::Instant;

/// Longer lifetimes are cut to this, so that no sum with a clock overflows.
pub(crate) const FAR: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// One look at both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    mono: Instant,
    wall: SystemTime,
}

/// Looks at both clocks.
pub(crate) fn now() -> Now {
    Now { mono: Instant::now(), wall: wall() }
}

#[cfg(not(feature = "test-util"))]
fn wall() -> SystemTime {
    SystemTime::now()
}

#[cfg(feature = "test-util")]
fn wall() -> SystemTime {
    steered::Clock::shift(SystemTime::now())
}

impl Now {
    /// The time that has passed since `earlier`, by the monotonic clock.
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    pub(crate) fn since(self, earlier: Self) -> Duration {
        self.mono.saturating_duration_since(earlier.mono)
    }

    pub(crate) fn wall(self) -> SystemTime {
        self.wall
    }

    pub(crate) fn unix_millis(self) -> u64 {
        let since = self.wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        since.as_millis().try_into().unwrap_or_default()
    }

    /// For models, whose time does not pass.
    #[cfg(all(test, tower_oauth2_loom))]
    pub(crate) fn earlier(self, by: Duration) -> Self {
        Self { mono: self.mono - by, wall: self.wall - by }
    }
}

/// A moment, on both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    mono: Instant,
    wall: SystemTime,
}

impl Deadline {
    /// The moment that comes `wait` after `now`.
    pub(crate) fn after(now: Now, wait: Duration) -> Self {
        let wait = wait.min(FAR);
        Self {
            // `FAR` fits both clocks, so the sums do not fail.
            mono: now.mono.checked_add(wait).unwrap_or(now.mono),
            wall: now.wall.checked_add(wait).unwrap_or(now.wall),
        }
    }

    /// The moment when the wall clock shows `wall`; one in the past has passed.
    pub(crate) fn at(now: Now, wall: SystemTime) -> Self {
        let wait = wall.duration_since(now.wall).unwrap_or_default();
        Self { wall: wall.min(now.wall + FAR), ..Self::after(now, wait) }
    }

    pub(crate) fn passed(self, now: Now) -> bool {
        now.mono >= self.mono || now.wall >= self.wall
    }

    /// How long until it passes, by the clock that gets there first; zero when it has passed.
    pub(crate) fn remaining(self, now: Now) -> Duration {
        let mono = self.mono.saturating_duration_since(now.mono);
        let wall = self.wall.duration_since(now.wall).unwrap_or_default();
        mono.min(wall)
    }

    /// The moment `by` before this one.
    pub(crate) fn earlier(self, by: Duration) -> Self {
        Self {
            mono: self.mono.checked_sub(by).unwrap_or(self.mono),
            wall: self.wall.checked_sub(by).unwrap_or(self.wall),
        }
    }

    /// Whichever of the two comes later, on each clock.
    pub(crate) fn or_later(self, other: Self) -> Self {
        Self { mono: self.mono.max(other.mono), wall: self.wall.max(other.wall) }
    }

    /// Whichever of the two comes earlier, on each clock.
    pub(crate) fn or_earlier(self, other: Self) -> Self {
        Self { mono: self.mono.min(other.mono), wall: self.wall.min(other.wall) }
    }

    pub(crate) fn wall(self) -> SystemTime {
        self.wall
    }
}

/// Waits, by the monotonic clock alone: a step of the wall clock is no reason to give up an answer that is on its way.
///
/// Inside a tokio runtime the timer is tokio's. Outside one, a helper thread keeps the time. Each poll asks for a new timer, for
/// a wait may outlive the runtime in which it began.
pub(crate) async fn sleep(wait: Duration) {
    let end = Deadline::after(now(), wait).mono;
    let mut timer: Option<Pin<Box<dyn Future<Output = ()> + Send>>> = None;
    poll_fn(|cx| {
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Poll::Ready(());
            }
            let timer = timer.insert(match tokio::runtime::Handle::try_current() {
                Ok(_) => Box::pin(tokio::time::sleep(left)),
                Err(_) => Box::pin(futures_timer::Delay::new(left)),
            });
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await;
}

/// A timer that wakes who polled it, whatever the runtime.
///
/// Tokio's own timers run where somebody drives them: the threads of a multi-threaded runtime do. A runtime of one thread may
/// stand still between two `block_on`, and outside of one there is none, so a helper thread keeps the time there; and tokio's
/// timer as well, because in such a runtime a test may pause the time.
pub(crate) struct Alarm {
    tokio: Option<Pin<Box<tokio::time::Sleep>>>,
    thread: Option<futures_timer::Delay>,
}

impl Alarm {
    pub(crate) fn after(now: Now, wait: Duration) -> Self {
        let flavor = tokio::runtime::Handle::try_current().map(|runtime| runtime.runtime_flavor()).ok();
        let is_driven = matches!(flavor, Some(RuntimeFlavor::MultiThread));
        Self {
            tokio: flavor.map(|_| Box::pin(tokio::time::sleep_until(now.mono + wait))),
            thread: (!is_driven).then(|| futures_timer::Delay::new(wait)),
        }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let tokio = self.tokio.as_mut().map(|timer| timer.as_mut().poll(cx));
        let thread = self.thread.as_mut().map(|timer| Pin::new(timer).poll(cx));
        if [tokio, thread].into_iter().flatten().any(|polled| polled.is_ready()) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

/// Runs `future` for at most `limit`; `None` when the time is over.
pub(crate) async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    let (mut future, mut timer) = (pin!(future), pin!(sleep(limit)));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => timer.as_mut().poll(cx).map(|()| None),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later(now: Now, mono: u64, wall: u64) -> Now {
        Now { mono: now.mono + Duration::from_secs(mono), wall: now.wall + Duration::from_secs(wall) }
    }

    #[test]
    fn either_clock_ends_a_deadline() {
        let start = now();
        let deadline = Deadline::after(start, Duration::from_secs(60));
        for (mono, wall, passed) in [(0, 0, false), (59, 59, false), (60, 60, true), (60, 0, true), (1, 3600, true)] {
            assert_eq!(deadline.passed(later(start, mono, wall)), passed, "after {mono} s and {wall} s");
        }
    }

    #[test]
    fn a_wall_time_becomes_a_wait() {
        let start = now();
        let deadline = Deadline::at(start, start.wall + Duration::from_secs(10));
        assert_eq!(deadline.remaining(start), Duration::from_secs(10));
        assert_eq!(deadline.earlier(Duration::from_secs(4)).remaining(start), Duration::from_secs(6));
        assert!(Deadline::at(start, SystemTime::UNIX_EPOCH).passed(start));
    }

    #[test]
    fn no_lifetime_overflows() {
        let start = now();
        assert_eq!(Deadline::after(start, Duration::MAX).remaining(start), FAR);
    }

    #[test]
    fn keeps_time_without_a_runtime() {
        let never = std::future::pending::<()>();
        let mut limited = pin!(within(Duration::from_millis(1), never));
        let waker = std::task::Waker::from(std::sync::Arc::new(Unpark(std::thread::current())));
        let mut cx = std::task::Context::from_waker(&waker);
        let outcome = loop {
            match limited.as_mut().poll(&mut cx) {
                Poll::Ready(outcome) => break outcome,
                Poll::Pending => std::thread::park(),
            }
        };
        assert_eq!(outcome, None);
    }

    struct Unpark(std::thread::Thread);

    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
}
