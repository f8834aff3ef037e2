//! The span of the caller that starts a refresh.

use super::span::Span;

/// The span that was current when a refresh was started. The span of the refresh follows from it, and is not its child.
pub(crate) struct CallerSpan(pub(super) Span);

impl CallerSpan {
    /// Returns the current span. It must be neither created nor dropped with a lock of the cell held, because a subscriber is user code.
    pub(crate) fn current() -> Self {
        Self(Span::current())
    }
}
