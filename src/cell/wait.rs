//! One who waits for a flight, as those see it who watch.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::Outcome;
use super::flight::Waiter;
use crate::observe::{Observer, Waiting};

/// Resolves to the outcome of the flight. It may be dropped at any time.
pub(crate) struct Wait {
    waiter: Waiter<Outcome>,
    observer: Observer,
    /// From the first poll that found no outcome: before it nobody waits, and the lock of the cell may be held.
    waiting: Option<Waiting>,
}

impl Wait {
    pub(super) fn new(waiter: Waiter<Outcome>, observer: Observer) -> Self {
        Self { waiter, observer, waiting: None }
    }

    /// For one who would rather not wait: see [`Flight::help`](super::flight::Flight::help).
    pub(super) fn help(&self) {
        self.waiter.help();
    }
}

impl Future for Wait {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let polled = Pin::new(&mut self.waiter).poll(cx);
        if polled.is_ready() {
            self.waiting = None;
        } else if self.waiting.is_none() {
            self.waiting = Some(self.observer.waits());
        }
        polled
    }
}
