//! In place of `spans`, where nobody listens with `tracing`.

use super::Cause;
use super::observer::Subject;

pub(super) struct Span;

impl Span {
    pub(super) fn current() -> Self {
        Self
    }

    pub(super) fn of_flight(_subject: &Subject, _cause: Cause, _origin: &Self) -> Self {
        Self
    }

    pub(super) fn within<T>(&self, run: impl FnOnce() -> T) -> T {
        run()
    }
}
