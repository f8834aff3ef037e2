//! The flag of the fast path: it never has the generation of a token that must not be sent.

use http::{HeaderMap, StatusCode};
use loom::thread;

use super::support::*;
use crate::cell::cached::Freshness;

/// Checks that a change of the cell clears the flag while another thread sets it for the previous token.
fn assert_flag_is_cleared_by(change: fn(&crate::cell::TokenCell)) {
    model(move || {
        let server = ModelServer::new();
        let cell = server.cell();
        let generation = set_old(&cell);
        assert_eq!(cell.observe_response(generation, StatusCode::OK, &HeaderMap::new()), None);
        let other = cell.clone();
        let setting = thread::spawn(move || other.check_freshness());
        change(&cell);
        assert_ne!(cell.fresh.get(), generation, "even if another thread sets the flag at this moment");
        setting.join().unwrap();
        assert_ne!(cell.fresh.get(), generation);
    });
}

#[test]
fn loom_the_flag_is_set_for_a_fresh_token() {
    model(|| {
        let server = ModelServer::new();
        let cell = server.cell();
        let generation = set_old(&cell);
        let other = cell.clone();
        let accepting = thread::spawn(move || other.observe_response(generation, StatusCode::OK, &HeaderMap::new()));
        assert_eq!(cell.check_freshness(), Freshness::Fresh);
        accepting.join().unwrap();
        assert_eq!(cell.check_freshness(), Freshness::Fresh);
        assert_eq!(cell.fresh.get(), generation);
    });
}

#[test]
fn loom_the_flag_is_cleared_for_an_invalidated_token() {
    assert_flag_is_cleared_by(|cell| cell.invalidate());
}

#[test]
fn loom_the_flag_is_cleared_for_a_forgotten_token() {
    assert_flag_is_cleared_by(|cell| cell.forget());
}

#[test]
fn loom_the_flag_is_cleared_for_a_replaced_token() {
    assert_flag_is_cleared_by(|cell| cell.set(bearer("set")));
}

#[test]
fn loom_the_flag_is_cleared_for_a_rejected_token() {
    model(|| {
        let server = ModelServer::new();
        let cell = server.cell();
        let generation = set_old(&cell);
        cell.observe_response(generation, StatusCode::OK, &HeaderMap::new());
        let other = cell.clone();
        let setting = thread::spawn(move || other.check_freshness());
        cell.observe_response(generation, StatusCode::UNAUTHORIZED, &HeaderMap::new());
        // Requests with the token must take the slow path, where they find the running refresh.
        assert_ne!(cell.fresh.get(), generation);
        setting.join().unwrap();
        assert_ne!(cell.fresh.get(), generation);
    });
}
