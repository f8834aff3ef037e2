//! Around the grant while it is polled: its panics become errors, and a call back into its own cell is noticed.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use crate::error::{Error, ErrorKind};
use crate::sync::thread_local;
use crate::token::Token;

thread_local! {
    /// The cells whose grants are being polled on this thread, outermost first.
    static ABOARD: RefCell<Vec<usize>> = RefCell::default();
}

/// Whether the caller runs inside the grant of this cell. To wait for the token there would be to wait for oneself.
pub(super) fn is_aboard(cell: usize) -> bool {
    ABOARD.with(|aboard| aboard.borrow().contains(&cell))
}

/// Runs the grant of this cell.
pub(super) async fn board(cell: usize, grant: impl Future<Output = Result<Token, Error>>) -> Result<Token, Error> {
    let mut grant = pin!(grant);
    poll_fn(|cx| {
        let _aboard = Aboard::enter(cell);
        // What a panic leaves half done is not looked at again: the future is dropped.
        catch_unwind(AssertUnwindSafe(|| grant.as_mut().poll(cx)))
            // The payload is dropped: it may hold a secret.
            .unwrap_or_else(|_| Poll::Ready(Err(Error::new(ErrorKind::Panicked, ""))))
    })
    .await
}

struct Aboard;

impl Aboard {
    fn enter(cell: usize) -> Self {
        ABOARD.with(|aboard| aboard.borrow_mut().push(cell));
        Self
    }
}

impl Drop for Aboard {
    fn drop(&mut self) {
        ABOARD.with(|aboard| aboard.borrow_mut().pop());
    }
}
