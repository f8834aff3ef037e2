//! The data that is collected during one refresh.

use std::sync::OnceLock;
use std::time::Duration;

use http::Uri;

use super::caller_span::CallerSpan;
use super::cell_names::CellNames;
use super::event_data::RefreshCause;
use super::span::Span;
use crate::clock::{self, Now};

/// One refresh that is recorded: its cause, start time, span and server.
pub(crate) struct RefreshRecord {
    cause: RefreshCause,
    started: Now,
    pub(super) span: Span,
    /// The address of the first request. Further requests go to other endpoints of the same server.
    server: OnceLock<Uri>,
}

impl RefreshRecord {
    pub(super) fn new(names: &CellNames, cause: RefreshCause, caller: &CallerSpan) -> Self {
        let (span, server) = (Span::of_refresh(names, cause, &caller.0), OnceLock::new());
        Self { cause, started: clock::now(), span, server }
    }

    pub(super) fn cause(&self) -> RefreshCause {
        self.cause
    }

    pub(super) fn duration(&self) -> Duration {
        clock::now().since(self.started)
    }

    pub(super) fn request_sent(&self, uri: &Uri) {
        self.server.get_or_init(|| uri.clone());
    }

    /// Returns whether a request was sent. A grant may return a token without one, for example from the token store.
    pub(super) fn has_sent_request(&self) -> bool {
        self.server.get().is_some()
    }

    #[cfg(feature = "tracing")]
    pub(super) fn server(&self) -> Option<&Uri> {
        self.server.get()
    }
}
