//! Events, for a subscriber of `tracing`.
//!
//! What an operator is to see: `ERROR` when requests fail and only people can change that, `WARN` when a token call has
//! failed and time may mend it, `DEBUG` for what changes the token, `TRACE` for what happens to single requests. Of an
//! error only what cannot hold a secret: never a body, never a text of the server's own.

use std::time::{Duration, SystemTime};

use tracing::Level;

use super::observer::Subject;
use super::spans::millis;
use super::{Event, Landing, Logbook, Verdict, words};
use crate::clock;
use crate::error::Error;

/// An event about `$subject`.
macro_rules! event {
    ($level:ident, $subject:ident, $($what:tt)+) => {
        tracing::event!(
            target: "tower_oauth2",
            Level::$level,
            oauth2.grant = $subject.grant,
            oauth2.name = $subject.name.as_deref(),
            $($what)+
        )
    };
}

pub(super) fn tell(subject: &Subject, event: &Event<'_>) {
    match event {
        Event::Departs(log) => event!(DEBUG, subject, oauth2.reason = log.cause().word(), "token call begins"),
        Event::Calls(log, uri) => log.0.span.calls(uri),
        Event::Lands(log, landing) => {
            log.0.span.ended(log, landing);
            lands(subject, log, landing);
        }
        // Told by what made it so.
        Event::Holds(_) => {}
        Event::Set => event!(DEBUG, subject, "token set"),
        Event::Forgotten => event!(DEBUG, subject, "token forgotten"),
        Event::Invalidated => event!(DEBUG, subject, "token invalidated"),
        Event::Heard => event!(DEBUG, subject, "token of a sibling taken"),
        Event::StoreFailed(error) => event!(WARN, subject, error.message = said(error), "token store failed"),
        Event::Refused(generation, Verdict::GivenUp) => {
            event!(DEBUG, subject, oauth2.generation = generation, "token refused, and given up");
        }
        Event::Refused(generation, Verdict::Kept) => {
            event!(DEBUG, subject, oauth2.generation = generation, "token refused again, and kept for the back-off");
        }
        Event::Refused(generation, Verdict::Outdated) => {
            event!(TRACE, subject, oauth2.generation = generation, "an older token refused");
        }
        Event::TurnedAway(error) => {
            event!(TRACE, subject, error.type = words::kind(error.kind()), "turned away without a token");
        }
        Event::Waits => event!(TRACE, subject, "waits for a token"),
        Event::Waited(since) => {
            event!(TRACE, subject, oauth2.duration_ms = millis(clock::now().since(*since)), "has waited for a token");
        }
    }
}

fn lands(subject: &Subject, log: &Logbook, landing: &Landing<'_>) {
    let duration = millis(log.lasted());
    let error = match landing.outcome {
        _ if landing.is_overtaken => {
            event!(
                DEBUG,
                subject,
                oauth2.duration_ms = duration,
                "token call overtaken: another token was set, or this one forgotten"
            );
            return;
        }
        Ok((token, generation)) => {
            event!(
                DEBUG,
                subject,
                oauth2.generation = generation,
                oauth2.expires_in = token.expires_at().map(|at| until(at).as_secs()),
                oauth2.duration_ms = duration,
                "token obtained"
            );
            return;
        }
        Err(error) => error,
    };
    /// The same at two levels: a level is a constant.
    macro_rules! failed {
        ($level:ident, $what:literal) => {
            event!(
                $level,
                subject,
                oauth2.reason = log.cause().word(),
                oauth2.error = error.oauth().map(|oauth| oauth.known().unwrap_or("other")),
                oauth2.retry_in_ms = error.retry_at().map(|at| millis(until(at))),
                oauth2.duration_ms = duration,
                http.response.status_code = error.status().map(|status| status.as_u16()),
                error.type = words::kind(error.kind()),
                error.message = said(error),
                $what
            )
        };
    }
    if landing.serves {
        failed!(WARN, "token call failed, and the token that is there still serves");
    } else if error.is_transient() {
        failed!(WARN, "token call failed, and requests fail");
    } else {
        failed!(ERROR, "token call failed, and requests fail until somebody acts");
    }
}

fn until(at: SystemTime) -> Duration {
    at.duration_since(clock::now().wall()).unwrap_or_default()
}

/// What we say about it ourselves, beyond the kind.
fn said(error: &Error) -> Option<&str> {
    Some(error.context()).filter(|said| !said.is_empty())
}
