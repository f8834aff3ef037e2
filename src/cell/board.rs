//! Where those who wait for a flight leave their wakers, and find the outcome.

use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use slab::Slab;

use crate::panics::caught;
use crate::sync::{AtomicBool, Mutex, Ordering, lock};

/// It does not hold the flight's work: the work's wakers hold *it*, and nothing goes round in a circle.
pub(super) struct Board<T> {
    notes: Mutex<Notes<T>>,
    /// Whether the work was woken since its last poll began; only looked at when nobody drives.
    woken: AtomicBool,
}

struct Notes<T> {
    outcome: Option<T>,
    waiting: Slab<Waker>,
    driven: bool,
}

/// What one who waits finds.
pub(super) enum Look<T> {
    /// The outcome.
    Landed(T),
    /// A task drives the work.
    Driven,
    /// Nobody drives the work.
    Idle,
}

impl<T: Clone> Board<T> {
    pub(super) fn new() -> Self {
        Self {
            notes: Mutex::new(Notes { outcome: None, waiting: Slab::new(), driven: false }),
            woken: AtomicBool::new(false),
        }
    }

    /// Looks for the outcome, and leaves the waker at `place` if there is none yet: both under one lock, so that no end is
    /// missed.
    pub(super) fn look(&self, place: &mut Option<usize>, cx: &Context<'_>) -> Look<T> {
        let mut notes = lock(&self.notes);
        if let Some(outcome) = &notes.outcome {
            *place = None;
            return Look::Landed(outcome.clone());
        }
        match place.and_then(|place| notes.waiting.get_mut(place)) {
            Some(waker) => waker.clone_from(cx.waker()),
            None => *place = Some(notes.waiting.insert(cx.waker().clone())),
        }
        if notes.driven { Look::Driven } else { Look::Idle }
    }

    /// Takes the waker away again.
    pub(super) fn leave(&self, place: usize) {
        // After the end the board is empty.
        let _ = lock(&self.notes).waiting.try_remove(place);
    }

    /// Says whether a task drives the work: it becomes true once, and then false once.
    pub(super) fn set_driven(&self, driven: bool) {
        lock(&self.notes).driven = driven;
    }

    pub(super) fn is_driven(&self) -> bool {
        lock(&self.notes).driven
    }

    /// Shows the outcome, and wakes all.
    pub(super) fn finish(&self, outcome: T) {
        let waiting = {
            let mut notes = lock(&self.notes);
            notes.outcome = Some(outcome);
            std::mem::take(&mut notes.waiting)
        };
        for (_, waker) in waiting {
            wake(waker);
        }
    }

    pub(super) fn wake_all(&self) {
        // Copied, not taken: their places stay theirs until they leave.
        let waiting: Vec<Waker> = lock(&self.notes).waiting.iter().map(|(_, waker)| waker.clone()).collect();
        for waker in waiting {
            wake(waker);
        }
    }

    /// A poll of the work begins.
    pub(super) fn begin_poll(&self) {
        self.woken.store(false, Ordering::SeqCst);
    }

    /// Whether the work was woken since that poll began.
    pub(super) fn was_woken(&self) -> bool {
        self.woken.load(Ordering::SeqCst)
    }
}

/// A waker that panics is no reason for the others to sleep on.
fn wake(waker: Waker) {
    let _ = caught(|| waker.wake());
}

/// The work was woken, and no task drives it: any of those who wait can.
impl<T: Clone + Send + 'static> Wake for Board<T> {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        self.wake_all();
    }
}
