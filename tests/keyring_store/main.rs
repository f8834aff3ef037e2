//! The keyring store against a real GNOME Keyring, each test in a session of its own with an empty keyring.
//!
//! Without `dbus-run-session` and `gnome-keyring-daemon` the tests are skipped, and say so; with
//! `TOWER_OAUTH2_SERVERS=required` they fail.
#![cfg(all(target_os = "linux", feature = "keyring-store"))]

mod inside;
mod session;

#[allow(dead_code, reason = "of what starts the authorization servers, only the skipping is used")]
#[path = "../servers/harness.rs"]
mod harness;
#[allow(dead_code, reason = "the harness needs it")]
#[path = "../servers/keeper.rs"]
mod keeper;
#[path = "../../examples/support/mod.rs"]
mod support;

use session::run;

#[test]
fn what_is_saved_can_be_loaded_by_another_process() {
    run("what_is_saved_can_be_loaded_by_another_process");
}

#[test]
fn what_is_newer_is_not_cleared() {
    run("what_is_newer_is_not_cleared");
}

#[test]
fn services_and_keys_are_apart() {
    run("services_and_keys_are_apart");
}

#[test]
fn what_is_somebody_elses_is_an_error_and_tells_nothing() {
    run("what_is_somebody_elses_is_an_error_and_tells_nothing");
}

#[test]
fn one_at_a_time_among_processes_and_a_dead_one_lets_go() {
    run("one_at_a_time_among_processes_and_a_dead_one_lets_go");
}

#[test]
fn one_token_call_for_two_layers() {
    run("one_token_call_for_two_layers");
}

#[test]
fn where_there_is_no_keyring_it_is_an_error() {
    session::run_without("where_there_is_no_keyring_it_is_an_error");
}
