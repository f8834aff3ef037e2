//! The state that all parts of one run share.

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
    aborted: AtomicBool,
}

impl Run {
    pub(crate) fn new(clock: Arc<Clock>) -> Arc<Self> {
        Arc::new(Self {
            clock,
            tally: Tally::default(),
            breaches: Breaches::default(),
            begun: AtomicU64::new(0),
            aborted: AtomicBool::new(false),
        })
    }

    /// Counts a request that is started.
    pub(crate) fn begin(&self) {
        self.begun.fetch_add(1, Ordering::SeqCst);
    }

    /// The number of requests that were started.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Ordering::SeqCst)
    }

    pub(crate) fn count(&self, part: Part, name: &'static str) {
        self.tally.count(part, name);
    }

    pub(crate) fn broken(&self, promise: Promise, what: impl Into<String>) {
        self.breaches.add(promise, what);
        if matches!(promise, Promise::LoginIsKept | Promise::EveryRequestEnds) {
            self.aborted.store(true, Ordering::SeqCst);
        }
    }

    /// Whether a promise is broken that makes the rest of the run meaningless.
    pub(crate) fn is_aborted(&self) -> bool {
        self.aborted.load(Ordering::SeqCst)
    }
}
