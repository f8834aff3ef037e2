//! What is the user's may panic: then it has failed, and we go on.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use crate::error::{Error, ErrorKind};

/// Runs what is the user's. What a panic leaves half done must not be looked at again.
pub(crate) fn caught<T>(run: impl FnOnce() -> T) -> Result<T, Error> {
    // The payload is dropped: it may hold a secret.
    catch_unwind(AssertUnwindSafe(run)).map_err(|_| Error::new(ErrorKind::Panicked, ""))
}

/// As [`caught`], for a future: after a panic it is not polled again.
pub(crate) async fn caught_future<F: Future>(future: F) -> Result<F::Output, Error> {
    let mut future = pin!(future);
    poll_fn(|cx| match caught(|| future.as_mut().poll(cx)) {
        Ok(polled) => polled.map(Ok),
        Err(panicked) => Poll::Ready(Err(panicked)),
    })
    .await
}
