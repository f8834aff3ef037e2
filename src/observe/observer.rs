//! Records the events of one token cell.

use std::sync::Arc;

use super::cell_names::CellNames;
use super::event::Event;
#[cfg(feature = "metrics")]
use super::metrics;
#[cfg(feature = "tracing")]
use super::tracing;
use crate::catch_panic::catch_panic;
use crate::sync::{Mutex, lock};
use crate::token::Token;

/// Records the events of one token cell. Clones observe the same cell.
#[derive(Clone)]
pub(crate) struct Observer(Arc<ObservedCell>);

struct ObservedCell {
    grant: &'static str,
    name: Mutex<Option<Arc<str>>>,
}

impl Observer {
    /// Creates the observer of a cell. `grant` is the name of its grant.
    pub(crate) fn new(grant: &'static str) -> Self {
        Self(Arc::new(ObservedCell { grant, name: Mutex::new(None) }))
    }

    pub(crate) fn set_name(&self, name: String) {
        *lock(&self.0.name) = Some(name.into());
    }

    /// Sets the name if there is none.
    #[cfg(feature = "tenants")]
    pub(crate) fn set_default_name(&self, name: &str) {
        lock(&self.0.name).get_or_insert_with(|| name.into());
    }

    /// Records an event. Must not be called with a lock of the cell held: a subscriber or a recorder may use the handles of the layer.
    pub(crate) fn record(&self, event: &Event<'_>) {
        self.0.record(event);
    }

    /// Records the token that `peek` returns.
    ///
    /// Threads that do so concurrently may record in another order than they peek. Each peeks again after it has recorded, so
    /// that the newest token is recorded last.
    pub(crate) fn record_token(&self, peek: impl Fn() -> Option<Token>) {
        let mut recorded = peek();
        loop {
            self.record(&Event::TokenChanged(recorded.as_ref()));
            let newest = peek();
            if newest == recorded {
                return;
            }
            recorded = newest;
        }
    }

    pub(super) fn names(&self) -> CellNames {
        self.0.names()
    }
}

impl ObservedCell {
    fn record(&self, event: &Event<'_>) {
        let names = self.names();
        #[cfg(feature = "tracing")]
        let _ = catch_panic(|| tracing::record(&names, event));
        #[cfg(feature = "metrics")]
        let _ = catch_panic(|| metrics::record(&names, event));
    }

    fn names(&self) -> CellNames {
        CellNames { grant: self.grant, name: lock(&self.name).clone() }
    }
}

/// Records that the token is gone when the cell is dropped.
impl Drop for ObservedCell {
    fn drop(&mut self) {
        self.record(&Event::TokenChanged(None));
    }
}
