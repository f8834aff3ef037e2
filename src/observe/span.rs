//! The span of a refresh, for subscribers of `tracing`.

use std::time::Duration;

use http::Uri;
use tracing::field::Empty;

use super::cell_names::CellNames;
use super::event_data::{FinishedRefresh, RefreshCause};
use super::labels;
use crate::catch_panic::catch_panic;

/// A span whose subscriber may panic: a panic is caught and has no effect.
pub(super) struct Span(Option<tracing::Span>);

impl Span {
    pub(super) fn current() -> Self {
        Self(catch_panic(tracing::Span::current).ok())
    }

    /// Creates the span of a refresh: a root span that follows from the span of the caller. It has no parent, because several
    /// callers may wait for the refresh, and it outlives them.
    pub(super) fn of_refresh(names: &CellNames, cause: RefreshCause, caller: &Self) -> Self {
        let span = catch_panic(|| {
            let span = tracing::info_span!(
                target: "tower_oauth2",
                parent: None,
                "oauth2.token",
                oauth2.grant = names.grant,
                oauth2.name = names.name.as_deref(),
                oauth2.reason = cause.label(),
                oauth2.outcome = Empty,
                oauth2.generation = Empty,
                oauth2.duration_ms = Empty,
                server.address = Empty,
                server.port = Empty,
                error.type = Empty,
                otel.status_code = Empty,
            );
            if let Some(caller) = &caller.0 {
                span.follows_from(caller);
            }
            span
        });
        Self(span.ok())
    }

    pub(super) fn within<T>(&self, run: impl FnOnce() -> T) -> T {
        let entered = self.0.as_ref().and_then(|span| catch_panic(|| span.enter()).ok());
        let result = run();
        let _ = catch_panic(|| drop(entered));
        result
    }

    /// Returns whether a subscriber records the span. A span that is filtered by its level has no fields either.
    pub(super) fn is_enabled(&self) -> bool {
        self.0.as_ref().is_some_and(|span| !span.is_disabled())
    }

    /// Records the outcome in the span, after the event about it, so that a log line has no field twice. Only the host and the
    /// port of the server's address are recorded.
    pub(super) fn finish(
        &self,
        server: Option<&Uri>,
        duration: Duration,
        outcome: &'static str,
        refresh: &FinishedRefresh<'_>,
    ) {
        let Some(span) = &self.0 else { return };
        if let Some(host) = server.and_then(Uri::host) {
            span.record("server.address", host);
        }
        if let Some(port) = server.and_then(Uri::port_u16) {
            span.record("server.port", port);
        }
        span.record("oauth2.duration_ms", millis(duration));
        span.record("oauth2.outcome", outcome);
        match refresh.result {
            _ if refresh.is_superseded => {}
            Ok((_, generation)) => {
                span.record("oauth2.generation", generation);
            }
            Err(error) => {
                span.record("error.type", labels::kind(error.kind()));
                span.record("otel.status_code", "ERROR");
            }
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        let _ = catch_panic(|| drop(self.0.take()));
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}
