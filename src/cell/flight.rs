//! One piece of work that many wait for: it runs to its end whoever goes away, and all get the same outcome.
//!
//! Inside a tokio runtime the work is a task ([`Driver`]), and those who wait are woken once, at the end. Without a
//! runtime, or when the runtime goes away in the middle, whoever waits polls the work, and a wake-up of the work wakes
//! them all: any of them may never be polled again, so none may be the only one who knows.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use slab::Slab;

use crate::sync::{AtomicBool, Mutex, Ordering, lock, try_lock};

type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

pub(crate) struct Flight<T> {
    board: Mutex<Board<T>>,
    /// Taken out when it is done. Locked while it is polled, never while anything else is locked.
    work: Mutex<Option<Work<T>>>,
    /// Whether the work was woken since its last poll began; only looked at when nobody drives.
    woken: AtomicBool,
}

struct Board<T> {
    outcome: Option<T>,
    waiting: Slab<Waker>,
    /// Whether a task drives the work. It goes from true to false once, never back.
    driven: bool,
}

impl<T: Clone + Send + 'static> Flight<T> {
    pub(crate) fn new(work: impl Future<Output = T> + Send + 'static) -> Arc<Self> {
        Arc::new(Self {
            board: Mutex::new(Board { outcome: None, waiting: Slab::new(), driven: false }),
            work: Mutex::new(Some(Box::pin(work))),
            woken: AtomicBool::new(false),
        })
    }

    /// Makes the work a task, where there is a runtime to run it.
    pub(crate) fn launch(self: &Arc<Self>) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(self.driver());
        }
    }

    pub(super) fn driver(self: &Arc<Self>) -> Driver<T> {
        lock(&self.board).driven = true;
        Driver(self.clone())
    }

    pub(crate) fn waiter(self: &Arc<Self>) -> Waiter<T> {
        Waiter { flight: self.clone(), place: None }
    }

    fn finish(&self, outcome: T) {
        let waiting = {
            let mut board = lock(&self.board);
            board.outcome = Some(outcome);
            std::mem::take(&mut board.waiting)
        };
        for (_, waker) in waiting {
            waker.wake();
        }
    }

    fn wake_all(&self) {
        // Copied, not taken: their places stay theirs until they leave.
        let waiting: Vec<Waker> = lock(&self.board).waiting.iter().map(|(_, waker)| waker.clone()).collect();
        for waker in waiting {
            waker.wake();
        }
    }

    /// Polls the work on behalf of everybody, until it is done or really waits for something.
    fn drive(self: &Arc<Self>) {
        let waker = Waker::from(self.clone());
        let mut cx = Context::from_waker(&waker);
        loop {
            // Somebody else is at it. Our place is taken, so we hear of the end from them.
            let Some(mut work) = try_lock(&self.work) else { return };
            self.woken.store(false, Ordering::SeqCst);
            if let Some(Poll::Ready(outcome)) = work.as_mut().map(|work| work.as_mut().poll(&mut cx)) {
                *work = None;
                drop(work);
                return self.finish(outcome);
            }
            drop(work);
            // A wake-up during the poll may have reached only those who then found the work locked: do their poll.
            if !self.woken.load(Ordering::SeqCst) {
                return;
            }
        }
    }
}

/// The work was woken, and no task drives it: any of those who wait can.
impl<T: Clone + Send + 'static> Wake for Flight<T> {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        self.wake_all();
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
                self.0.finish(outcome);
                Poll::Ready(())
            }
            None => Poll::Ready(()),
        }
    }
}

impl<T: Clone + Send + 'static> Drop for Driver<T> {
    fn drop(&mut self) {
        lock(&self.0.board).driven = false;
        self.0.wake_all();
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
    /// Looks for the outcome, and leaves the waker if there is none yet: both under one lock, so that no end is missed.
    fn look(&mut self, cx: &Context<'_>) -> Look<T> {
        let mut board = lock(&self.flight.board);
        if let Some(outcome) = &board.outcome {
            self.place = None;
            return Look::Landed(outcome.clone());
        }
        match self.place.and_then(|place| board.waiting.get_mut(place)) {
            Some(waker) => waker.clone_from(cx.waker()),
            None => self.place = Some(board.waiting.insert(cx.waker().clone())),
        }
        if board.driven { Look::Driven } else { Look::Idle }
    }
}

enum Look<T> {
    Landed(T),
    Driven,
    Idle,
}

impl<T: Clone + Send + 'static> Future for Waiter<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        match self.look(cx) {
            Look::Landed(outcome) => return Poll::Ready(outcome),
            Look::Driven => return Poll::Pending,
            Look::Idle => self.flight.drive(),
        }
        match self.look(cx) {
            Look::Landed(outcome) => Poll::Ready(outcome),
            Look::Driven | Look::Idle => Poll::Pending,
        }
    }
}

impl<T: Clone + Send + 'static> Drop for Waiter<T> {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            // After the end the board is empty.
            let _ = lock(&self.flight.board).waiting.try_remove(place);
        }
    }
}
