//! What is told of one who waits.

use super::{Event, Observer};
use crate::clock::{self, Now};

/// One who waits, until this is dropped: with the outcome, or because they have left.
pub(crate) struct Waiting {
    observer: Observer,
    since: Now,
}

impl Waiting {
    pub(super) fn begin(observer: Observer) -> Self {
        observer.tell(&Event::Waits);
        Self { observer, since: clock::now() }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.observer.tell(&Event::Waited(self.since));
    }
}
