//! Who tells: the observer of one cell.

use std::sync::Arc;

#[cfg(feature = "tracing")]
use super::events;
#[cfg(feature = "metrics")]
use super::meters;
use super::spans::Span;
use super::{Cause, Event, Logbook, Waiting};
use crate::panics::caught;
use crate::sync::{Mutex, lock};
use crate::token::Token;

/// Clones observe the same cell.
#[derive(Clone)]
pub(crate) struct Observer(Arc<Observed>);

struct Observed {
    grant: &'static str,
    name: Mutex<Option<Arc<str>>>,
}

/// The cell that an event is about.
pub(super) struct Subject {
    pub(super) grant: &'static str,
    /// The user's name for it.
    pub(super) name: Option<Arc<str>>,
}

/// Where a flight was begun: it does not belong there, but came from there.
pub(crate) struct Origin(pub(super) Span);

impl Observer {
    /// Of a cell with a grant of this name.
    pub(crate) fn new(grant: &'static str) -> Self {
        Self(Arc::new(Observed { grant, name: Mutex::new(None) }))
    }

    pub(crate) fn set_name(&self, name: String) {
        *lock(&self.0.name) = Some(name.into());
    }

    /// Must not be called with a lock of the cell held.
    pub(crate) fn tell(&self, event: &Event<'_>) {
        self.0.tell(event);
    }

    /// Tells which token there is now, as `look` finds it. Several may do so at once, and who looked first may tell last:
    /// so they look again.
    pub(crate) fn holds(&self, look: impl Fn() -> Option<Token>) {
        let mut held = look();
        loop {
            self.tell(&Event::Holds(held.as_ref()));
            let newest = look();
            if newest == held {
                return;
            }
            held = newest;
        }
    }

    /// A caller waits, until what is returned is dropped.
    pub(crate) fn waits(&self) -> Waiting {
        Waiting::begin(self.clone())
    }

    /// Begins the logbook of a flight.
    pub(crate) fn open(&self, cause: Cause, origin: Origin) -> Logbook {
        Logbook::open(self.clone(), cause, origin)
    }

    pub(super) fn subject(&self) -> Subject {
        self.0.subject()
    }
}

impl Observed {
    fn tell(&self, event: &Event<'_>) {
        let subject = self.subject();
        #[cfg(feature = "tracing")]
        let _ = caught(|| events::tell(&subject, event));
        #[cfg(feature = "metrics")]
        let _ = caught(|| meters::tell(&subject, event));
    }

    fn subject(&self) -> Subject {
        Subject { grant: self.grant, name: lock(&self.name).clone() }
    }
}

/// The cell is gone, and its token with it.
impl Drop for Observed {
    fn drop(&mut self) {
        self.tell(&Event::Holds(None));
    }
}

impl Origin {
    /// Must not be called with a lock of the cell held, nor dropped.
    pub(crate) fn here() -> Self {
        Self(Span::current())
    }
}
