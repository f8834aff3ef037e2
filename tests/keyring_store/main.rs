//! The keyring store against a real GNOME Keyring, each test in its own session with an empty keyring.
//!
//! Without `dbus-run-session` and `gnome-keyring-daemon` the tests print that they are skipped; with
//! `TOWER_OAUTH2_SERVERS=required` they fail.
#![cfg(all(target_os = "linux", feature = "keyring-store"))]

mod inside;
mod session;

#[path = "../servers/or_skip.rs"]
mod or_skip;
#[path = "../../examples/support/mod.rs"]
mod support;

use session::run;

#[test]
fn another_process_loads_a_saved_entry() {
    run("another_process_loads_a_saved_entry");
}

#[test]
fn a_newer_entry_is_not_cleared() {
    run("a_newer_entry_is_not_cleared");
}

#[test]
fn services_and_keys_are_separate() {
    run("services_and_keys_are_separate");
}

#[test]
fn a_secret_of_another_program_is_an_error_that_does_not_repeat_it() {
    run("a_secret_of_another_program_is_an_error_that_does_not_repeat_it");
}

#[test]
fn one_process_holds_the_lock_and_its_death_releases_it() {
    run("one_process_holds_the_lock_and_its_death_releases_it");
}

#[test]
fn an_older_token_replaces_no_newer_one_and_a_lock_is_valid_for_its_entry_only() {
    run("an_older_token_replaces_no_newer_one_and_a_lock_is_valid_for_its_entry_only");
}

#[test]
fn a_keyring_that_does_not_respond_is_an_error_that_says_so() {
    run("a_keyring_that_does_not_respond_is_an_error_that_says_so");
}

#[test]
fn one_token_request_for_two_layers() {
    run("one_token_request_for_two_layers");
}

#[test]
fn a_logout_waits_for_a_save_of_another_process() {
    run("a_logout_waits_for_a_save_of_another_process");
}

#[test]
fn a_missing_keyring_is_an_error() {
    session::run_without("a_missing_keyring_is_an_error");
}
