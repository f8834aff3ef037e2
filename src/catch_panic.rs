//! Converts panics of user code (grants, services, wakers, callbacks) to errors.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use crate::error::{Error, ErrorKind};

/// Runs user code. After a panic, the caller must not use its values again.
pub(crate) fn catch_panic<T>(run: impl FnOnce() -> T) -> Result<T, Error> {
    // The payload is not part of the error, because it may contain a secret.
    catch_unwind(AssertUnwindSafe(run)).map_err(|_| Error::new(ErrorKind::Panicked, ""))
}

/// Polls a future of user code like [`catch_panic`]. After a panic, the future is not polled again.
pub(crate) async fn catch_panic_async<F: Future>(future: F) -> Result<F::Output, Error> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_panic(|| future.as_mut().poll(cx)) {
        Ok(polled) => polled.map(Ok),
        Err(panicked) => Poll::Ready(Err(panicked)),
    })
    .await
}
