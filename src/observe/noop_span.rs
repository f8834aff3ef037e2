//! Replaces `span` if `tracing` is not enabled.

use super::event_data::RefreshCause;
use super::subject::Subject;

pub(super) struct Span;

impl Span {
    pub(super) fn current() -> Self {
        Self
    }

    pub(super) fn of_refresh(_subject: &Subject, _cause: RefreshCause, _caller: &Self) -> Self {
        Self
    }

    pub(super) fn within<T>(&self, run: impl FnOnce() -> T) -> T {
        run()
    }
}
