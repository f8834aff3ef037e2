//! A wall clock that tests step. The monotonic one is tokio's, which has `pause` and `advance`.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

thread_local! {
    static ENTERED: RefCell<Vec<Clock>> = RefCell::default();
}

/// A wall clock that can be stepped, for the threads that have entered it. Clones are the same clock.
///
/// A step forward also stands for a machine that slept: on Linux the monotonic clock stops meanwhile.
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
/// The threads of a runtime enter it as they start: `Builder::on_thread_start(move || std::mem::forget(clock.enter()))`.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// What it is ahead of the system's, in nanoseconds.
    shift: Arc<AtomicI64>,
}

/// While it lives, its thread goes by the clock that it was made from.
#[derive(Debug)]
#[must_use = "the thread leaves the clock when this is dropped"]
pub struct Entered {
    /// It belongs to its thread.
    not_send: PhantomData<*const ()>,
}

impl Clock {
    /// A clock that shows the system's time.
    pub fn new() -> Self {
        Self::default()
    }

    /// This thread goes by this clock, until what is returned is dropped; then by the one before.
    pub fn enter(&self) -> Entered {
        ENTERED.with(|entered| entered.borrow_mut().push(self.clone()));
        Entered { not_send: PhantomData }
    }

    /// Steps it forward, for all threads that go by it.
    pub fn step_forward(&self, by: Duration) {
        self.shift.fetch_add(nanoseconds(by), Ordering::SeqCst);
    }

    /// Steps it back, for all threads that go by it.
    pub fn step_back(&self, by: Duration) {
        self.shift.fetch_sub(nanoseconds(by), Ordering::SeqCst);
    }

    /// What the clock of this thread is ahead of the system's, in nanoseconds.
    pub(crate) fn ahead() -> i64 {
        ENTERED.with(|entered| entered.borrow().last().map_or(0, |clock| clock.shift.load(Ordering::SeqCst)))
    }

    /// The system's time as the clock of this thread shows it.
    pub(crate) fn shift(time: SystemTime) -> SystemTime {
        let shift = Self::ahead();
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

/// Steps of more than 292 years are cut to that.
fn nanoseconds(by: Duration) -> i64 {
    by.as_nanos().try_into().unwrap_or(i64::MAX)
}
