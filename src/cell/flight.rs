//! One piece of work that many wait for: it runs to its end whoever goes away, and all get the same outcome.
//!
//! Inside a tokio runtime the work is a task ([`Driver`]), and those who wait are woken once, at the end. Without a
//! runtime, or when the runtime goes away in the middle, whoever waits polls the work, and a wake-up of the work wakes
//! them all: any of them may never be polled again, so none may be the only one who knows.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::board::{Board, Look};
use crate::sync::{Mutex, lock, try_lock};

type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

pub(crate) struct Flight<T> {
    board: Arc<Board<T>>,
    /// Taken out when it is done. Locked while it is polled, never while anything else is locked.
    work: Mutex<Option<Work<T>>>,
}

/// How long one drives.
#[derive(Clone, Copy)]
enum Patience {
    /// One who waits for the outcome.
    Endless,
    /// One who does not.
    OnePoll,
}

impl<T: Clone + Send + 'static> Flight<T> {
    pub(crate) fn new(work: impl Future<Output = T> + Send + 'static) -> Arc<Self> {
        Arc::new(Self { board: Arc::new(Board::new()), work: Mutex::new(Some(Box::pin(work))) })
    }

    /// Makes the work a task, where there is a runtime to run it.
    pub(crate) fn launch(self: &Arc<Self>) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(self.driver());
        }
    }

    pub(super) fn driver(self: &Arc<Self>) -> Driver<T> {
        self.board.set_driven(true);
        Driver(self.clone())
    }

    pub(crate) fn waiter(self: &Arc<Self>) -> Waiter<T> {
        Waiter { flight: self.clone(), place: None }
    }

    /// Polls the work once, if no task does it: for one who passes by and does not wait.
    pub(crate) fn help(&self) {
        if !self.board.is_driven() {
            self.drive(Patience::OnePoll);
        }
    }

    /// Polls the work on behalf of everybody, until it is done or really waits for something, or `patience` ends.
    fn drive(&self, patience: Patience) {
        let waker = Waker::from(self.board.clone());
        let mut cx = Context::from_waker(&waker);
        loop {
            // Somebody else is at it. Our place is taken, so we hear of the end from them.
            let Some(mut work) = try_lock(&self.work) else { return };
            self.board.begin_poll();
            if let Some(Poll::Ready(outcome)) = work.as_mut().map(|work| work.as_mut().poll(&mut cx)) {
                *work = None;
                drop(work);
                return self.board.finish(outcome);
            }
            drop(work);
            if !self.board.was_woken() {
                return;
            }
            // That wake-up may have reached only those who then found the work locked: do their poll, or let them.
            match patience {
                Patience::Endless => {}
                Patience::OnePoll => return self.board.wake_all(),
            }
        }
    }
}

// ===== impl Driver =====

/// The task that runs the work. Dropped before the end, it leaves the work to those who wait.
pub(super) struct Driver<T: Clone + Send + 'static>(Arc<Flight<T>>);

impl<T: Clone + Send + 'static> Future for Driver<T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut work = lock(&self.0.work);
        match work.as_mut().map(|work| work.as_mut().poll(cx)) {
            Some(Poll::Pending) => Poll::Pending,
            Some(Poll::Ready(outcome)) => {
                *work = None;
                drop(work);
                self.0.board.finish(outcome);
                Poll::Ready(())
            }
            None => Poll::Ready(()),
        }
    }
}

impl<T: Clone + Send + 'static> Drop for Driver<T> {
    fn drop(&mut self) {
        self.0.board.set_driven(false);
        self.0.board.wake_all();
    }
}

// ===== impl Waiter =====

/// Resolves to the outcome. It may be dropped at any time.
pub(crate) struct Waiter<T: Clone + Send + 'static> {
    flight: Arc<Flight<T>>,
    /// Where our waker stands on the board.
    place: Option<usize>,
}

impl<T: Clone + Send + 'static> Waiter<T> {
    /// For one who would rather not wait: see [`Flight::help`].
    pub(crate) fn help(&self) {
        self.flight.help();
    }
}

impl<T: Clone + Send + 'static> Future for Waiter<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let Self { flight, place } = &mut *self;
        match flight.board.look(place, cx) {
            Look::Landed(outcome) => return Poll::Ready(outcome),
            Look::Driven => return Poll::Pending,
            Look::Idle => flight.drive(Patience::Endless),
        }
        match flight.board.look(place, cx) {
            Look::Landed(outcome) => Poll::Ready(outcome),
            Look::Driven | Look::Idle => Poll::Pending,
        }
    }
}

impl<T: Clone + Send + 'static> Drop for Waiter<T> {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.flight.board.leave(place);
        }
    }
}
