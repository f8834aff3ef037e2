//! The span of a flight, for a subscriber of `tracing`.

use std::time::Duration;

use http::Uri;
use tracing::field::Empty;

use super::observer::Subject;
use super::{Cause, Landing, Logbook, words};
use crate::panics::caught;

/// A subscriber that panics is not heard, and stops nothing.
pub(super) struct Span(Option<tracing::Span>);

impl Span {
    pub(super) fn current() -> Self {
        Self(caught(tracing::Span::current).ok())
    }

    /// A root of its own, that follows from where it was begun: many wait for a flight, and it goes on without them.
    pub(super) fn of_flight(subject: &Subject, cause: Cause, origin: &Self) -> Self {
        let span = caught(|| {
            let span = tracing::info_span!(
                target: "tower_oauth2",
                parent: None,
                "oauth2.token",
                oauth2.grant = subject.grant,
                oauth2.name = subject.name.as_deref(),
                oauth2.reason = cause.word(),
                oauth2.outcome = Empty,
                oauth2.generation = Empty,
                oauth2.duration_ms = Empty,
                server.address = Empty,
                server.port = Empty,
                error.type = Empty,
                otel.status_code = Empty,
            );
            if let Some(origin) = &origin.0 {
                span.follows_from(origin);
            }
            span
        });
        Self(span.ok())
    }

    pub(super) fn within<T>(&self, run: impl FnOnce() -> T) -> T {
        let entered = self.0.as_ref().and_then(|span| caught(|| span.enter()).ok());
        let done = run();
        let _ = caught(|| drop(entered));
        done
    }

    /// Where a token call goes: the host, and nothing else of the address.
    pub(super) fn calls(&self, uri: &Uri) {
        let Some(span) = &self.0 else { return };
        if let Some(host) = uri.host() {
            span.record("server.address", host);
        }
        if let Some(port) = uri.port_u16() {
            span.record("server.port", port);
        }
    }

    pub(super) fn ended(&self, log: &Logbook, landing: &Landing<'_>) {
        let Some(span) = &self.0 else { return };
        span.record("oauth2.duration_ms", millis(log.lasted()));
        span.record("oauth2.outcome", words::outcome(log, landing));
        match landing.outcome {
            _ if landing.is_overtaken => {}
            Ok((_, generation)) => {
                span.record("oauth2.generation", generation);
            }
            Err(error) => {
                span.record("error.type", words::kind(error.kind()));
                span.record("otel.status_code", "ERROR");
            }
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        let _ = caught(|| drop(self.0.take()));
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}
