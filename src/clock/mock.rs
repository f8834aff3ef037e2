//! A mocked wall clock. Tests control the monotonic clock with `tokio::time::pause` and `advance`.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

thread_local! {
    static ENTERED: RefCell<Vec<Clock>> = RefCell::default();
}

/// A wall clock that a test can step. It applies to the threads that have entered it.
///
/// Clones are the same clock. A step forward also simulates a machine that was suspended: on Linux, only the monotonic clock stops then.
///
/// ```
/// use std::time::Duration;
/// use tower_oauth2::{Token, test_util::Clock};
///
/// # fn main() -> Result<(), tower_oauth2::Error> {
/// let clock = Clock::new();
/// let _entered = clock.enter();
/// let token = Token::bearer("2YotnFZFEjr1zCsicMWpAA")?.with_expires_in(Duration::from_secs(3600));
/// assert!(!token.is_expired(Duration::ZERO));
/// clock.step_forward(Duration::from_secs(3600));
/// assert!(token.is_expired(Duration::ZERO));
/// # Ok(())
/// # }
/// ```
///
/// To apply it to all threads of a runtime, enter it when they start: `Builder::on_thread_start(move || std::mem::forget(clock.enter()))`.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// The difference to the system's clock, in nanoseconds.
    shift: Arc<AtomicI64>,
}

/// A guard that [`Clock::enter`] returns. The thread uses the clock until the guard is dropped.
#[derive(Debug)]
#[must_use = "the thread leaves the clock when this is dropped"]
pub struct Entered {
    /// The guard must be dropped on its own thread.
    not_send: PhantomData<*const ()>,
}

impl Clock {
    /// Creates a clock that shows the system's time.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the calling thread use this clock until the guard is dropped. Then it uses the previous clock again.
    pub fn enter(&self) -> Entered {
        ENTERED.with(|entered| entered.borrow_mut().push(self.clone()));
        Entered { not_send: PhantomData }
    }

    /// Steps the clock forward.
    pub fn step_forward(&self, by: Duration) {
        self.shift.fetch_add(nanoseconds(by), Ordering::SeqCst);
    }

    /// Steps the clock back.
    pub fn step_back(&self, by: Duration) {
        self.shift.fetch_sub(nanoseconds(by), Ordering::SeqCst);
    }

    /// Returns whether the calling thread has entered a clock.
    pub(crate) fn is_entered() -> bool {
        ENTERED.with(|entered| !entered.borrow().is_empty())
    }

    /// Converts the system's time to that of the calling thread's clock.
    pub(crate) fn shift(time: SystemTime) -> SystemTime {
        let shift =
            ENTERED.with(|entered| entered.borrow().last().map_or(0, |clock| clock.shift.load(Ordering::SeqCst)));
        let by = Duration::from_nanos(shift.unsigned_abs());
        let shifted = if shift < 0 { time.checked_sub(by) } else { time.checked_add(by) };
        shifted.unwrap_or(time)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        ENTERED.with(|entered| entered.borrow_mut().pop());
    }
}

/// Converts to nanoseconds, limited to 292 years.
fn nanoseconds(by: Duration) -> i64 {
    by.as_nanos().try_into().unwrap_or(i64::MAX)
}
