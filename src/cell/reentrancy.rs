//! Runs grants and signers: turns panics into errors, and detects one that calls its own cell.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use crate::catch_panic::catch_panic;
use crate::error::Error;
use crate::grant::{BoxGrant, Context};
use crate::sync::thread_local;
use crate::token::Token;

thread_local! {
    /// The cells whose grants are being polled on this thread, outermost first.
    static RUNNING: RefCell<Vec<u32>> = RefCell::default();
}

/// Returns whether the caller runs inside the grant of this cell, where waiting for the token would deadlock.
pub(super) fn is_reentrant(cell: u32) -> bool {
    RUNNING.with(|running| running.borrow().contains(&cell))
}

/// Returns whether the caller runs inside the grant of any cell.
#[cfg(feature = "tenants")]
pub(crate) fn is_in_grant() -> bool {
    RUNNING.with(|running| !running.borrow().is_empty())
}

/// Obtains a token from the grant of this cell.
pub(super) async fn run_grant(cell: u32, grant: BoxGrant, cx: Context) -> Result<Token, Error> {
    let grant = &grant;
    guarded(cell, move || grant.obtain_boxed(cx)).await
}

/// Runs user code of this cell: a panic is an error, and calls back into the cell are detected.
pub(super) async fn guarded<F, T>(cell: u32, start: impl FnOnce() -> Pin<Box<F>>) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>> + ?Sized,
{
    let started = catch_panic(|| {
        let _guard = ReentrancyGuard::enter(cell);
        start()
    });
    let mut running = Some(started?);
    poll_fn(|cx| {
        let _guard = ReentrancyGuard::enter(cell);
        let polled = catch_panic(|| match &mut running {
            Some(running) => running.as_mut().poll(cx),
            None => Poll::Pending,
        });
        let outcome = polled.unwrap_or_else(|panicked| Poll::Ready(Err(panicked)));
        if outcome.is_ready() {
            // Dropping the future may panic, too. The outcome is kept.
            let _ = catch_panic(|| running = None);
        }
        outcome
    })
    .await
}

/// Registers a cell as running on this thread until it is dropped.
struct ReentrancyGuard;

impl ReentrancyGuard {
    fn enter(cell: u32) -> Self {
        RUNNING.with(|running| running.borrow_mut().push(cell));
        Self
    }
}

impl Drop for ReentrancyGuard {
    fn drop(&mut self) {
        RUNNING.with(|running| running.borrow_mut().pop());
    }
}
