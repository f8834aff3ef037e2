//! What all parts of one run share.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use super::{
    clock::Clock,
    promises::{Breaches, Promise},
    tally::{Part, Tally},
};

pub(crate) struct Run {
    pub(crate) clock: Arc<Clock>,
    pub(crate) tally: Tally,
    pub(crate) breaches: Breaches,
    begun: AtomicU64,
    over: AtomicBool,
}

impl Run {
    pub(crate) fn new(clock: Arc<Clock>) -> Arc<Self> {
        Arc::new(Self {
            clock,
            tally: Tally::default(),
            breaches: Breaches::default(),
            begun: AtomicU64::new(0),
            over: AtomicBool::new(false),
        })
    }

    /// A request begins.
    pub(crate) fn begin(&self) {
        self.begun.fetch_add(1, Ordering::SeqCst);
    }

    /// How many requests were begun.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Ordering::SeqCst)
    }

    pub(crate) fn count(&self, part: Part, name: &'static str) {
        self.tally.count(part, name);
    }

    pub(crate) fn broken(&self, promise: Promise, what: impl Into<String>) {
        self.breaches.add(promise, what);
        if matches!(promise, Promise::LoginLives | Promise::EveryRequestEnds) {
            self.over.store(true, Ordering::SeqCst);
        }
    }

    /// Whether something is broken for good, so that there is nothing more to see.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }
}
