//! Numbers, for the recorder that a program installs with the `metrics` facade.

use std::time::SystemTime;

use metrics::{Label, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use super::observer::Subject;
use super::{Event, Verdict, words};
use crate::token::Token;

const CALLS: &str = "tower_oauth2_token_calls_total";
const DURATION: &str = "tower_oauth2_token_call_duration_seconds";
const WAITING: &str = "tower_oauth2_waiting_requests";
const EXPIRY: &str = "tower_oauth2_token_expiry_timestamp_seconds";
const REFUSALS: &str = "tower_oauth2_refusals_total";
const STORE_ERRORS: &str = "tower_oauth2_store_errors_total";
const TURNED_AWAY: &str = "tower_oauth2_turned_away_total";

pub(super) fn tell(subject: &Subject, event: &Event<'_>) {
    let labels = |more: &[(&'static str, &'static str)]| labels(subject, more);
    match event {
        Event::Departs(_) => describe(),
        Event::Lands(log, landing) => {
            let outcome = words::outcome(log, landing);
            let reason = log.cause().word();
            counter!(CALLS, labels(&[("reason", reason), ("outcome", outcome)])).increment(1);
            histogram!(DURATION, labels(&[("outcome", outcome)])).record(log.lasted());
        }
        Event::Holds(token) => gauge!(EXPIRY, labels(&[])).set(expiry(*token)),
        Event::Refused(_, verdict) => counter!(REFUSALS, labels(&[("verdict", verdict_word(*verdict))])).increment(1),
        Event::StoreFailed(_) => counter!(STORE_ERRORS, labels(&[])).increment(1),
        Event::TurnedAway(error) => {
            counter!(TURNED_AWAY, labels(&[("error", words::kind(error.kind()))])).increment(1);
        }
        Event::Waits => gauge!(WAITING, labels(&[])).increment(1),
        Event::Waited(_) => gauge!(WAITING, labels(&[])).decrement(1),
        Event::Calls(..) | Event::Set | Event::Forgotten | Event::Invalidated | Event::Heard => {}
    }
}

/// The name is there where the user gave one: one that is empty would say nothing.
fn labels(subject: &Subject, more: &[(&'static str, &'static str)]) -> Vec<Label> {
    let name = subject.name.iter().map(|name| Label::new("name", name.clone()));
    let grant = Label::from_static_parts("grant", subject.grant);
    let more = more.iter().map(|&(key, value)| Label::from_static_parts(key, value));
    name.chain([grant]).chain(more).collect()
}

fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::GivenUp => "given_up",
        Verdict::Outdated => "outdated",
        Verdict::Kept => "kept",
    }
}

/// In seconds since 1970; zero where there is no token, and infinity for one that does not expire.
fn expiry(token: Option<&Token>) -> f64 {
    let Some(token) = token else { return 0.0 };
    let since = |at: SystemTime| at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    token.expires_at().map_or(f64::INFINITY, since)
}

/// With each flight, for those are rare, and a recorder may come later than a layer.
fn describe() {
    describe_counter!(CALLS, Unit::Count, "Token calls that have ended, by their reason and outcome.");
    describe_histogram!(DURATION, Unit::Seconds, "How long token calls took, from their begin to a token or an error.");
    describe_gauge!(WAITING, Unit::Count, "Callers that wait for a token at this moment.");
    describe_gauge!(EXPIRY, Unit::Seconds, "When the token expires, as Unix time; 0 without one, +Inf for never.");
    describe_counter!(
        REFUSALS,
        Unit::Count,
        "Responses that refused the token, such as 401, by what was made of them."
    );
    describe_counter!(STORE_ERRORS, Unit::Count, "Operations of the token store that have failed.");
    describe_counter!(TURNED_AWAY, Unit::Count, "Callers that got an error at once, by its kind.");
}
