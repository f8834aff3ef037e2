//! Tokens that the API refuses, one after the other.

use crate::held::{Chance, backoff};
use crate::time::{Deadline, Moment, Sure};

/// The refusals since a request was last accepted.
#[derive(Default)]
pub(crate) struct Series {
    renewed: i32,
    next: Option<Deadline>,
    /// Whether it is not known what has been counted.
    vague: bool,
}

impl Series {
    /// Whether one more refused token is renewed: the first at once, its successors when the back-off has passed.
    pub(crate) fn renews(&mut self, now: Moment, chance: Chance, in_doubt: bool) -> Sure {
        let renews = match self.next {
            _ if self.vague => Sure::Perhaps,
            Some(next) => next.passed(now),
            None => Sure::Yes,
        };
        if renews.may_be() {
            self.vague |= in_doubt || !renews.is();
            self.renewed += 1;
            self.next = Some(Deadline::after(now, backoff(self.renewed, None, chance)));
        }
        renews
    }
}
