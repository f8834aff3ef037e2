//! Metrics, for the recorder that a program installs for the `metrics` facade.

use std::time::SystemTime;

use metrics::{Label, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use super::cell_names::CellNames;
use super::event::Event;
use super::event_data::RejectionEffect;
use super::labels;
use crate::token::Token;

const REFRESHES: &str = "tower_oauth2_refreshes_total";
const DURATION: &str = "tower_oauth2_refresh_duration_seconds";
const WAITING: &str = "tower_oauth2_waiting_requests";
const EXPIRY: &str = "tower_oauth2_token_expiry_timestamp_seconds";
const REJECTIONS: &str = "tower_oauth2_rejections_total";
const STORE_ERRORS: &str = "tower_oauth2_store_errors_total";
const FAST_FAILURES: &str = "tower_oauth2_fast_failures_total";

pub(super) fn record(names: &CellNames, event: &Event<'_>) {
    let labels = |more: &[(&'static str, &'static str)]| all_labels(names, more);
    match event {
        Event::RefreshStarted(_) => describe(),
        Event::RefreshFinished(record, refresh) => {
            let outcome = labels::outcome(record.has_sent_request(), refresh);
            let reason = record.cause().label();
            counter!(REFRESHES, labels(&[("reason", reason), ("outcome", outcome)])).increment(1);
            histogram!(DURATION, labels(&[("outcome", outcome)])).record(record.duration());
        }
        Event::TokenChanged(token) => gauge!(EXPIRY, labels(&[])).set(expiry(*token)),
        Event::TokenRejected(_, effect) => {
            counter!(REJECTIONS, labels(&[("effect", effect_label(*effect))])).increment(1);
        }
        Event::StoreFailed(..) => counter!(STORE_ERRORS, labels(&[])).increment(1),
        Event::FailedFast(error) => {
            counter!(FAST_FAILURES, labels(&[("error", labels::kind(error.kind()))])).increment(1);
        }
        Event::WaitStarted => gauge!(WAITING, labels(&[])).increment(1),
        Event::WaitFinished(_) => gauge!(WAITING, labels(&[])).decrement(1),
        Event::WaitingForStore(..)
        | Event::WaitingForLock(_)
        | Event::RefreshStalled(_)
        | Event::TokenSet
        | Event::TokenForgotten
        | Event::TokenInvalidated
        | Event::TokenAdopted => {}
    }
}

/// Returns the labels of a metric. A layer without a name has no label `name`, because an empty label is useless.
fn all_labels(names: &CellNames, more: &[(&'static str, &'static str)]) -> Vec<Label> {
    let name = names.name.iter().map(|name| Label::new("name", name.clone()));
    let grant = Label::from_static_parts("grant", names.grant);
    let more = more.iter().map(|&(key, value)| Label::from_static_parts(key, value));
    name.chain([grant]).chain(more).collect()
}

fn effect_label(effect: RejectionEffect) -> &'static str {
    match effect {
        RejectionEffect::Refresh => "refresh",
        RejectionEffect::Superseded => "superseded",
        RejectionEffect::Backoff => "backoff",
    }
}

/// Returns the expiry in seconds since 1970: zero if there is no token, and infinity for a token that does not expire.
fn expiry(token: Option<&Token>) -> f64 {
    let Some(token) = token else { return 0.0 };
    let since = |at: SystemTime| at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    token.expires_at().map_or(f64::INFINITY, since)
}

/// Describes the metrics. This happens at the start of each refresh, because a recorder may be installed after the layer was
/// created.
fn describe() {
    describe_counter!(REFRESHES, Unit::Count, "Finished refreshes, by reason and outcome.");
    describe_histogram!(DURATION, Unit::Seconds, "Duration of refreshes, from their start to a token or an error.");
    describe_gauge!(WAITING, Unit::Count, "Callers that wait for a token at this moment.");
    describe_gauge!(EXPIRY, Unit::Seconds, "Expiry of the token as Unix time; 0 without a token, +Inf for no expiry.");
    describe_counter!(REJECTIONS, Unit::Count, "Responses that rejected the token, such as 401, by their effect.");
    describe_counter!(STORE_ERRORS, Unit::Count, "Failed operations of the token store.");
    describe_counter!(FAST_FAILURES, Unit::Count, "Callers that got an error without waiting, by kind of error.");
}
