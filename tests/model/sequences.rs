//! Sequences that have found bugs, reduced to the necessary steps.

use crate::run::run;
use crate::server::Mode::{Busy, Down, Slow, Up};
use crate::steps::Moment::Expiry;
use crate::steps::Step::{self, *};
use crate::steps::{Grant, Setting};

fn holds(grant: Grant, steps: &[Step]) {
    holds_in(Setting { grant, token_service: true, with_jitter: false, ends_the_old: false }, steps);
}

fn holds_in(setting: Setting, steps: &[Step]) {
    if let Err(why) = run(setting, steps) {
        panic!("{why}");
    }
}

/// The token of an application that has only a refresh token: the access token has expired.
const FROM_A_REFRESH_TOKEN: Step = Set { lifetime: Some(0), refresh_token: true };

#[test]
fn an_expired_token_that_is_set_during_a_token_request_is_not_used_by_its_callers() {
    for callers in [Request, Get, Refresh] {
        holds(Grant::RefreshToken, &[Server(Slow(1)), callers, FROM_A_REFRESH_TOKEN, Pass(5_000)]);
    }
    let late = [Ready, Hours(1), Server(Slow(1)), Call { oldest: true }, FROM_A_REFRESH_TOKEN, Pass(5_000)];
    holds(Grant::Client, &late);
}

#[test]
fn a_refresh_that_failed_early_does_not_fail_requests_while_the_token_is_valid() {
    let until_late = [Request, Server(Busy(Some(7200))), Lifetime(Some(600)), Refresh, PassTo(Expiry, -20), Request];
    holds(Grant::Client, &until_late);
    let no_login = [Set { lifetime: Some(600), refresh_token: false }, Request, Refresh, PassTo(Expiry, -20), Request];
    holds(Grant::RefreshToken, &no_login);
}

#[test]
fn a_late_request_that_waits_for_the_api_is_sent_with_the_newest_token() {
    let refreshed_meanwhile =
        [Ready, Hours(1), ApiReady(false), Call { oldest: true }, Hours(2), Request, ApiReady(true)];
    holds(Grant::Client, &refreshed_meanwhile);
    let expired_meanwhile = [Ready, Hours(1), ApiReady(false), Call { oldest: true }, Hours(2), ApiReady(true)];
    holds(Grant::Client, &expired_meanwhile);
    let failed_and_set = [Server(Down), Ready, Set { lifetime: Some(10), refresh_token: true }, ApiReady(false)];
    let late = [Server(Up), Call { oldest: true }, Pass(60_000), ApiReady(true)];
    holds(Grant::Client, &[&failed_and_set[..], &late].concat());
}

#[test]
fn the_rejection_of_a_forgotten_token_does_not_affect_another() {
    holds(Grant::Client, &[ApiDelay(200), Retried, ApiRejectsAll(true), Forget, Pass(1_000)]);
}

#[test]
fn an_error_from_before_the_user_set_a_token_is_not_returned_after() {
    holds(Grant::RefreshToken, &[LogOut, Ready, FROM_A_REFRESH_TOKEN, Hours(1), Call { oldest: true }]);
    let within_the_backoff = [Server(Busy(Some(60))), Ready, Server(Up), FROM_A_REFRESH_TOKEN, Call { oldest: true }];
    holds(Grant::Client, &within_the_backoff);
}

#[test]
fn a_forgotten_refresh_token_whose_token_request_is_running_is_not_sent_again() {
    holds(Grant::RefreshToken, &[Server(Slow(1)), Request, Forget, Server(Up), Request, Pass(2_000), Refresh]);
    let outage = [Server(Slow(40)), Request, Forget, Request, Hours(1), Server(Up), Request];
    holds(Grant::RefreshToken, &outage);
}

#[test]
fn a_refresh_that_takes_longer_than_the_backoff_does_not_end_a_series_of_rejections() {
    for secs in [2, 5, 20] {
        let start = [ApiRejectsAll(true), Server(Slow(secs)), Request, Pass(20_000)];
        let again: Vec<_> = (0..8).flat_map(|_| [Request, Pass(1_000 * secs + 1)]).collect();
        holds(Grant::Client, &[&start[..], &again].concat());
        holds(Grant::RefreshToken, &[ApiRejectsAll(true), Server(Slow(secs)), Requests(12), Pass(300_000)]);
    }
}

#[test]
fn a_rejection_that_cannot_start_a_refresh_leaves_it_to_the_next_request() {
    let setting = Setting { grant: Grant::RefreshToken, token_service: false, with_jitter: false, ends_the_old: false };
    let accepted = [Drop, Request, Reject { newest: true }, Get, Request, Reject { newest: true }, Request];
    holds_in(setting, &accepted);
    holds_in(setting, &[Drop, Request, ApiRejectsAll(true), Request, ApiRejectsAll(false), Request]);
}

#[test]
fn waiting_callers_continue_with_the_token_that_the_user_sets_or_start_over() {
    let waiting = [Server(Slow(20)), Request, Retried, Get, Refresh, Flush, Ready];
    for lifetime in [Some(0), Some(3600), None] {
        let set = [Set { lifetime, refresh_token: true }, Pass(1), Request, Pass(60_000)];
        holds(Grant::Client, &[&waiting[..], &set].concat());
        holds(Grant::RefreshToken, &[&waiting[..], &set].concat());
    }
    for grant in [Grant::Client, Grant::ClientThenRefresh, Grant::RefreshToken] {
        holds(grant, &[&waiting[..], &[Pass(5_000), Forget, Pass(60_000), Request]].concat());
        holds(grant, &[&[Request, Hours(1)], &waiting[..], &[Forget, Pass(1), Forget, Pass(60_000)]].concat());
    }
}

#[test]
fn retry_after_zero_leaves_the_backoff() {
    let soon = |secs| [Server(Busy(Some(secs))), Request, Pass(999), Request, Pass(1), Request, Pass(1_599), Request];
    holds(Grant::Client, &soon(0));
    holds(Grant::Client, &soon(1));
}
