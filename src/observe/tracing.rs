//! Events, for subscribers of `tracing`.
//!
//! The levels are those that an operator expects: `ERROR` if requests fail and only a change of the program or of the server
//! helps, `WARN` if a refresh failed and a later one may succeed, `INFO` if a person has to log in, `DEBUG` for changes of the
//! token, `TRACE` for single requests. The fields of an error are limited to those that cannot hold a secret: never a body, and
//! never a text of the server or of the inner service.

use std::time::{Duration, SystemTime};

use tracing::Level;

use super::cell_names::CellNames;
use super::event::Event;
use super::event_data::{FinishedRefresh, RejectionEffect};
use super::labels;
use super::record::RefreshRecord;
use super::span::millis;
use crate::clock;
use crate::error::{Error, ErrorKind};

/// Emits an event about `$names`.
macro_rules! event {
    ($level:ident, $names:expr, $($what:tt)+) => {
        tracing::event!(
            target: "tower_oauth2",
            Level::$level,
            oauth2.grant = $names.grant,
            oauth2.name = $names.name.as_deref(),
            $($what)+
        )
    };
}

/// Emits an event about a refresh, inside its span. Fields that the span has are not repeated.
macro_rules! refresh_event {
    ($level:ident, $names:ident, $record:ident, $($what:tt)+) => {{
        let has_no_span = !$record.span.is_enabled();
        tracing::event!(
            target: "tower_oauth2",
            Level::$level,
            oauth2.grant = has_no_span.then_some($names.grant),
            oauth2.name = $names.name.as_deref().filter(|_| has_no_span),
            oauth2.reason = has_no_span.then_some($record.cause().label()),
            $($what)+
        )
    }};
}

pub(super) fn record(names: &CellNames, event: &Event<'_>) {
    match event {
        Event::RefreshStarted(record) => refresh_event!(DEBUG, names, record, "refresh started"),
        Event::RefreshFinished(record, refresh) => {
            refresh_finished(names, record, refresh);
            let outcome = labels::outcome(record.has_sent_request(), refresh);
            record.span.finish(record.server(), record.duration(), outcome, refresh);
        }
        Event::RefreshStalled(error) => {
            event!(
                WARN,
                names,
                oauth2.retry_in_ms = retry_in(error),
                error.type = labels::kind(error.kind()),
                error.message = context(error),
                "refresh stalled"
            );
        }
        // The event that changed the token is recorded as well.
        Event::TokenChanged(_) => {}
        Event::TokenSet => event!(DEBUG, names, "token set"),
        Event::TokenForgotten => event!(DEBUG, names, "token forgotten"),
        Event::TokenInvalidated => event!(DEBUG, names, "token invalidated"),
        Event::TokenAdopted => event!(DEBUG, names, "token of another process adopted"),
        Event::TokenRejected(generation, RejectionEffect::Refresh) => {
            event!(DEBUG, names, oauth2.generation = generation, "token rejected, and a refresh starts");
        }
        Event::TokenRejected(generation, RejectionEffect::Backoff) => {
            event!(
                DEBUG,
                names,
                oauth2.generation = generation,
                "token rejected again, and kept until the back-off has passed"
            );
        }
        Event::TokenRejected(generation, RejectionEffect::Superseded) => {
            event!(TRACE, names, oauth2.generation = generation, "older token rejected");
        }
        Event::StoreFailed(record, cause) => {
            refresh_event!(WARN, names, record, error.message = cause, "token store failed");
        }
        Event::WaitingForStore(record, cause) => {
            refresh_event!(WARN, names, record, error.message = cause, "waiting for the token store");
        }
        Event::WaitingForLock(record) => {
            refresh_event!(INFO, names, record, "waiting for another process, which holds the lock of the token store");
        }
        Event::FailedFast(error) => {
            event!(TRACE, names, error.type = labels::kind(error.kind()), "failed without waiting for a token");
        }
        Event::WaitStarted => event!(TRACE, names, "waiting for a token"),
        Event::WaitFinished(since) => {
            let duration = millis(clock::now().since(*since));
            event!(TRACE, names, oauth2.duration_ms = duration, "finished waiting for a token");
        }
    }
}

fn refresh_finished(names: &CellNames, record: &RefreshRecord, refresh: &FinishedRefresh<'_>) {
    let duration = millis(record.duration());
    let error = match refresh.result {
        _ if refresh.is_superseded => {
            refresh_event!(
                DEBUG,
                names,
                record,
                oauth2.duration_ms = duration,
                "refresh superseded: a token was set or forgotten"
            );
            return;
        }
        Ok((token, generation)) => {
            refresh_event!(
                DEBUG,
                names,
                record,
                oauth2.generation = generation,
                oauth2.expires_in = token.expires_at().map(|at| until(at).as_secs()),
                oauth2.duration_ms = duration,
                "token obtained"
            );
            return;
        }
        Err(error) => error,
    };
    /// A macro, because a level must be a constant.
    macro_rules! failed {
        ($level:ident, $what:literal) => {
            refresh_event!(
                $level,
                names,
                record,
                oauth2.endpoint = error.endpoint(),
                oauth2.error = error.oauth().map(|oauth| oauth.registered_code().unwrap_or("other")),
                oauth2.retry_in_ms = retry_in(error),
                oauth2.duration_ms = duration,
                http.response.status_code = error.status().map(|status| status.as_u16()),
                error.type = labels::kind(error.kind()),
                error.cause = error.network_cause().map(|cause| cause.label()),
                error.message = context(error),
                $what
            )
        };
    }
    let needs_login = matches!(error.kind(), ErrorKind::LoginRequired | ErrorKind::Denied | ErrorKind::LoginExpired);
    match (needs_login, refresh.has_valid_token) {
        // The program works as it should: a visitor has logged out, or a login has expired.
        (true, true) => failed!(INFO, "login required, and the token stays in use until it expires"),
        (true, false) => failed!(INFO, "login required, and requests fail until a person logs in"),
        (false, true) => failed!(WARN, "refresh failed, and the token stays in use until it expires"),
        (false, false) if error.is_transient() => failed!(WARN, "refresh failed, and requests fail"),
        (false, false) => failed!(ERROR, "refresh rejected, and requests fail"),
    }
}

fn retry_in(error: &Error) -> Option<u64> {
    error.retry_at().map(|at| millis(until(at)))
}

fn until(at: SystemTime) -> Duration {
    at.duration_since(clock::now().wall()).unwrap_or_default()
}

/// Returns the text of this crate about the error, beyond its kind.
fn context(error: &Error) -> Option<&str> {
    Some(error.context()).filter(|context| !context.is_empty())
}
