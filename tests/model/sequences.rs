//! Sequences that once found something, in their shortest form.

use crate::run::run;
use crate::server::Mode::{Busy, Down, Slow, Up};
use crate::steps::Moment::Expiry;
use crate::steps::Step::{self, *};
use crate::steps::{Grant, Setting};

fn holds(grant: Grant, steps: &[Step]) {
    let setting = Setting { grant, token_service: true, by_chance: false, ends_the_old: false };
    if let Err(why) = run(setting, steps) {
        panic!("{why}");
    }
}

/// Whoever has only a refresh token brings a token that has expired: what counts is the refresh token.
const FROM_A_REFRESH_TOKEN: Step = Set { lifetime: Some(0), refresh_token: true };

#[test]
fn an_expired_token_that_is_set_during_a_call_is_not_what_the_others_waited_for() {
    for asks in [Request, Get, Refresh] {
        holds(Grant::RefreshToken, &[Server(Slow(1)), asks, FROM_A_REFRESH_TOKEN, Pass(5_000)]);
    }
    let late = [Ready, Hours(1), Server(Slow(1)), Call { oldest: true }, FROM_A_REFRESH_TOKEN, Pass(5_000)];
    holds(Grant::Client, &late);
}

#[test]
fn a_refresh_that_failed_early_is_no_reason_to_fail_while_the_token_lives() {
    let until_late = [Request, Server(Busy(Some(7200))), Lifetime(Some(600)), Refresh, PassTo(Expiry, -20), Request];
    holds(Grant::Client, &until_late);
    let no_login = [Set { lifetime: Some(600), refresh_token: false }, Request, Refresh, PassTo(Expiry, -20), Request];
    holds(Grant::RefreshToken, &no_login);
}

#[test]
fn a_late_request_that_waits_for_the_api_is_sent_with_the_newest_token() {
    let renewed_meanwhile =
        [Ready, Hours(1), ApiReady(false), Call { oldest: true }, Hours(2), Request, ApiReady(true)];
    holds(Grant::Client, &renewed_meanwhile);
    let expired_meanwhile = [Ready, Hours(1), ApiReady(false), Call { oldest: true }, Hours(2), ApiReady(true)];
    holds(Grant::Client, &expired_meanwhile);
    let failed_and_set = [Server(Down), Ready, Set { lifetime: Some(10), refresh_token: true }, ApiReady(false)];
    let late = [Server(Up), Call { oldest: true }, Pass(60_000), ApiReady(true)];
    holds(Grant::Client, &[&failed_and_set[..], &late].concat());
}

#[test]
fn the_refusal_of_a_forgotten_token_counts_for_no_other() {
    holds(Grant::Client, &[ApiDelay(200), Persistent, RefuseAll(true), Forget, Pass(1_000)]);
}

#[test]
fn a_failure_from_before_the_user_brought_a_token_is_not_told_after() {
    holds(Grant::RefreshToken, &[LogOut, Ready, FROM_A_REFRESH_TOKEN, Hours(1), Call { oldest: true }]);
    let within_the_backoff = [Server(Busy(Some(60))), Ready, Server(Up), FROM_A_REFRESH_TOKEN, Call { oldest: true }];
    holds(Grant::Client, &within_the_backoff);
}

#[test]
fn a_forgotten_refresh_token_that_is_with_the_server_is_not_sent_again() {
    holds(Grant::RefreshToken, &[Server(Slow(1)), Request, Forget, Server(Up), Request, Pass(2_000), Refresh]);
    let outage = [Server(Slow(40)), Request, Forget, Request, Hours(1), Server(Up), Request];
    holds(Grant::RefreshToken, &outage);
}
