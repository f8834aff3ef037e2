//! Identifies the token cell of an event.

use std::sync::Arc;

/// The grant and the name of the token cell that an event is about.
pub(super) struct CellNames {
    pub(super) grant: &'static str,
    /// The name of the layer, if the user has set one.
    pub(super) name: Option<Arc<str>>,
}
