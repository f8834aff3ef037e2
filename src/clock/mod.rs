//! Clocks and timers. No other module reads the time.
//!
//! A [`Deadline`] has passed when *either* clock has reached it: the monotonic clock stops while a laptop sleeps, and the wall clock can be
//! stepped. The monotonic clock is tokio's, so that tests can pause and advance it.

#[cfg(feature = "test-util")]
pub(crate) mod mock;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// The maximum duration. Longer ones are reduced to it, so that adding them to a clock does not overflow.
pub(crate) const MAX_DURATION: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// The time that both clocks show.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    mono: Instant,
    wall: SystemTime,
}

/// Reads both clocks.
pub(crate) fn now() -> Now {
    Now { mono: Instant::now(), wall: wall() }
}

#[cfg(not(feature = "test-util"))]
fn wall() -> SystemTime {
    SystemTime::now()
}

#[cfg(feature = "test-util")]
fn wall() -> SystemTime {
    mock::Clock::shift(SystemTime::now())
}

/// Returns the real time since a fixed moment. Tests that pause or advance tokio's clock do not affect it.
pub(crate) fn uptime() -> Duration {
    static START: OnceLock<std::time::Instant> = OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}

/// Returns whether `now`, which was read just before this call, is the system's time.
///
/// It is not if a test has paused or advanced tokio's clock, or has entered a mocked one.
pub(crate) fn is_real(now: Now) -> bool {
    #[cfg(feature = "test-util")]
    if mock::Clock::is_entered() {
        return false;
    }
    let (std, tokio) = (std::time::Instant::now(), Instant::now().into_std());
    now.mono.into_std() <= std && tokio >= std
}

impl Now {
    /// Returns the time since `earlier` on the monotonic clock.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        self.mono.saturating_duration_since(earlier.mono)
    }

    pub(crate) fn wall(self) -> SystemTime {
        self.wall
    }

    #[cfg(test)]
    pub(crate) fn plus(self, by: Duration) -> Self {
        Self { mono: self.mono + by, wall: self.wall + by }
    }

    pub(crate) fn unix_millis(self) -> u64 {
        let since = self.wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        since.as_millis().try_into().unwrap_or_default()
    }
}

/// A point in time, stored for both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    mono: Instant,
    wall: SystemTime,
}

impl Deadline {
    /// Returns the deadline that is `wait` after `now`.
    pub(crate) fn from_now(now: Now, wait: Duration) -> Self {
        let wait = wait.min(MAX_DURATION);
        Self {
            // `MAX_DURATION` fits both clocks, so the additions do not overflow.
            mono: now.mono.checked_add(wait).unwrap_or(now.mono),
            wall: now.wall.checked_add(wait).unwrap_or(now.wall),
        }
    }

    /// Returns the deadline when the wall clock shows `wall`. If that is in the past, the deadline has passed.
    pub(crate) fn from_wall(now: Now, wall: SystemTime) -> Self {
        let wait = wall.duration_since(now.wall).unwrap_or_default();
        Self { wall: wall.min(now.wall + MAX_DURATION), ..Self::from_now(now, wait) }
    }

    pub(crate) fn passed(self, now: Now) -> bool {
        now.mono >= self.mono || now.wall >= self.wall
    }

    /// Returns how long until the deadline passes on the first of the two clocks; zero if it has passed.
    pub(crate) fn remaining(self, now: Now) -> Duration {
        let mono = self.mono.saturating_duration_since(now.mono);
        let wall = self.wall.duration_since(now.wall).unwrap_or_default();
        mono.min(wall)
    }

    /// Returns the deadline that is `by` before this one, but not before `now`.
    pub(crate) fn saturating_sub(self, by: Duration, now: Now) -> Self {
        let mono = self.mono.saturating_duration_since(now.mono).saturating_sub(by);
        let wall = self.wall.duration_since(now.wall).unwrap_or_default().saturating_sub(by);
        Self {
            mono: now.mono.checked_add(mono).unwrap_or(now.mono),
            wall: now.wall.checked_add(wall).unwrap_or(now.wall),
        }
    }

    /// Returns the later deadline, for each clock.
    pub(crate) fn max(self, other: Self) -> Self {
        Self { mono: self.mono.max(other.mono), wall: self.wall.max(other.wall) }
    }

    /// Returns the earlier deadline, for each clock.
    pub(crate) fn min(self, other: Self) -> Self {
        Self { mono: self.mono.min(other.mono), wall: self.wall.min(other.wall) }
    }

    pub(crate) fn wall(self) -> SystemTime {
        self.wall
    }
}

/// Waits on the monotonic clock. A step of the wall clock must not end the wait for a response.
///
/// Each poll creates a new timer, because the future may be polled after the runtime of its first poll has shut down.
pub(crate) async fn sleep(wait: Duration) {
    let end = Deadline::from_now(now(), wait).mono;
    let mut timer = None;
    poll_fn(|cx| {
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Poll::Ready(());
            }
            if timer.insert(Timer::new(left)).poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await;
}

/// A timer that works in every runtime, with and without timers, and without a runtime.
///
/// It uses a helper thread. If a test has paused tokio's clock, it uses tokio's timer, because real time has no effect then.
pub(crate) enum Timer {
    Thread(futures_timer::Delay),
    Tokio(Pin<Box<tokio::time::Sleep>>),
}

impl Timer {
    /// Creates a timer that fires after `wait`.
    pub(crate) fn new(wait: Duration) -> Self {
        let wait = wait.min(MAX_DURATION);
        if !is_real(now()) && tokio::runtime::Handle::try_current().is_ok() {
            Self::Tokio(Box::pin(tokio::time::sleep(wait)))
        } else {
            Self::Thread(futures_timer::Delay::new(wait))
        }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Thread(delay) => Pin::new(delay).poll(cx),
            Self::Tokio(sleep) => sleep.as_mut().poll(cx),
        }
    }
}

/// Runs `future` for at most `limit`. Returns `None` if the limit has elapsed.
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
    fn a_deadline_passes_on_either_clock() {
        let start = now();
        let deadline = Deadline::from_now(start, Duration::from_secs(60));
        for (mono, wall, passed) in [(0, 0, false), (59, 59, false), (60, 60, true), (60, 0, true), (1, 3600, true)] {
            assert_eq!(deadline.passed(later(start, mono, wall)), passed, "after {mono} s and {wall} s");
        }
    }

    #[test]
    fn a_deadline_from_the_wall_clock_is_in_the_future() {
        let start = now();
        let deadline = Deadline::from_wall(start, start.wall + Duration::from_secs(10));
        assert_eq!(deadline.remaining(start), Duration::from_secs(10));
        assert_eq!(deadline.saturating_sub(Duration::from_secs(4), start).remaining(start), Duration::from_secs(6));
        assert!(Deadline::from_wall(start, SystemTime::UNIX_EPOCH).passed(start));
        assert!(deadline.saturating_sub(Duration::MAX, start).passed(start));
    }

    #[test]
    fn a_long_duration_does_not_overflow() {
        let start = now();
        assert_eq!(Deadline::from_now(start, Duration::MAX).remaining(start), MAX_DURATION);
    }

    #[test]
    fn a_timeout_works_without_a_runtime() {
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
