//! Records how long a caller waits for a token.

use super::event::Event;
use super::observer::Observer;
use crate::clock::{self, Now};

/// Records the start of a wait, and its end when this guard is dropped.
pub(crate) struct WaitGuard {
    observer: Observer,
    since: Now,
}

impl WaitGuard {
    pub(crate) fn new(observer: Observer) -> Self {
        observer.record(&Event::WaitStarted);
        Self { observer, since: clock::now() }
    }
}

impl Drop for WaitGuard {
    fn drop(&mut self) {
        self.observer.record(&Event::WaitFinished(self.since));
    }
}
