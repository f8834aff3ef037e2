//! A wait for a token that ends after the layer's `max_wait`.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::cached::CachedError;
use super::wait_future::{WaitFuture, Waited};
use crate::clock::Timer;
use crate::error::{Error, ErrorKind};

/// Waits for a token, for at most the layer's `max_wait`.
pub(crate) struct BoundedWait {
    wait_future: WaitFuture,
    limit: Option<Timer>,
}

impl BoundedWait {
    pub(crate) fn new(wait_future: WaitFuture) -> Self {
        let limit = wait_future.max_wait().map(Timer::new);
        Self { wait_future, limit }
    }

    /// Replaces the future, without extending the limit.
    pub(crate) fn restart(&mut self, wait_future: WaitFuture) {
        self.wait_future = wait_future;
    }

    /// Polls the wait. After the limit it returns an error, and the refresh continues.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Waited> {
        if let Poll::Ready(waited) = Pin::new(&mut self.wait_future).poll(cx) {
            return Poll::Ready(waited);
        }
        let has_elapsed = self.limit.as_mut().is_some_and(|limit| limit.poll(cx).is_ready());
        if !has_elapsed {
            return Poll::Pending;
        }
        let error =
            Error::new(ErrorKind::Timeout, "no token was obtained within the maximum wait; the refresh continues");
        Poll::Ready(Waited::Failed(CachedError::for_one_caller(error)))
    }
}
