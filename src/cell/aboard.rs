//! Around the grant while it is polled: its panics become errors, and a call back into its own cell is noticed.

use std::cell::RefCell;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use crate::error::Error;
use crate::grant::AnyGrant;
use crate::panics::caught;
use crate::sync::thread_local;
use crate::token::Token;
use crate::transport::Transport;

thread_local! {
    /// The cells whose grants are being polled on this thread, outermost first.
    static ABOARD: RefCell<Vec<usize>> = RefCell::default();
}

/// Whether the caller runs inside the grant of this cell. To wait for the token there would be to wait for oneself.
pub(super) fn is_aboard(cell: usize) -> bool {
    ABOARD.with(|aboard| aboard.borrow().contains(&cell))
}

/// Runs the grant of this cell.
pub(super) async fn board(
    cell: usize,
    grant: Arc<dyn AnyGrant>,
    previous: Option<Token>,
    http: Transport,
) -> Result<Token, Error> {
    let begun = caught(|| {
        let _aboard = Aboard::enter(cell);
        grant.obtain_boxed(previous, http)
    });
    let mut obtaining = Some(begun?);
    poll_fn(|cx| {
        let _aboard = Aboard::enter(cell);
        let polled = caught(|| match &mut obtaining {
            Some(obtaining) => obtaining.as_mut().poll(cx),
            None => Poll::Pending,
        });
        let outcome = polled.unwrap_or_else(|panicked| Poll::Ready(Err(panicked)));
        if outcome.is_ready() {
            // What it leaves behind may panic too, and its work is done.
            let _ = caught(|| obtaining = None);
        }
        outcome
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
