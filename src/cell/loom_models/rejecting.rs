//! Responses that reject or accept the token.

use http::{HeaderMap, StatusCode};
use loom::future::block_on;
use loom::thread;

use super::support::*;
use crate::grant::Reason;

const REJECTED: StatusCode = StatusCode::UNAUTHORIZED;

#[test]
fn loom_two_rejections_of_one_token_start_one_refresh() {
    model(|| {
        let server = ModelServer::new();
        let cell = server.cell();
        let generation = set_old(&cell);
        let other = cell.clone();
        let rejecting = thread::spawn(move || {
            assert_eq!(other.observe_response(generation, REJECTED, &HeaderMap::new()), Some(true));
            block_on(get(other)).unwrap()
        });
        server.respond();
        assert_eq!(cell.observe_response(generation, REJECTED, &HeaderMap::new()), Some(true));
        assert_eq!(block_on(get(cell)).unwrap(), "1");
        assert_eq!(rejecting.join().unwrap(), "1");
        assert_eq!(server.refreshes(), 1);
    });
}

#[test]
fn loom_a_rejection_during_a_refresh_starts_no_other() {
    model(|| {
        let server = ModelServer::new();
        let cell = server.cell();
        let generation = set_old(&cell);
        let runtime_task = new_task(&cell, Reason::Forced).runtime_task();
        let other = cell.clone();
        let rejecting = thread::spawn(move || {
            assert_eq!(other.observe_response(generation, REJECTED, &HeaderMap::new()), Some(true));
            // No response had accepted the token, so it is not sent again.
            assert_eq!(block_on(get(other)).unwrap(), "1");
        });
        let polling = thread::spawn(move || block_on(runtime_task));
        server.respond();
        rejecting.join().unwrap();
        polling.join().unwrap();
        assert_eq!(peek(&cell).unwrap(), "1");
        assert_eq!(server.refreshes(), 1);
    });
}

#[test]
fn loom_an_acceptance_and_a_rejection_of_one_token() {
    model(|| {
        let server = ModelServer::new();
        let cell = server.cell();
        let generation = set_old(&cell);
        let other = cell.clone();
        let accepting = thread::spawn(move || {
            assert_eq!(other.observe_response(generation, StatusCode::OK, &HeaderMap::new()), None);
        });
        assert_eq!(cell.observe_response(generation, REJECTED, &HeaderMap::new()), Some(true));
        // If it was accepted first, it stays in use. Otherwise this caller waits.
        let first = get(cell.clone());
        server.respond();
        assert!(["old", "1"].contains(&&*block_on(first).unwrap()));
        accepting.join().unwrap();
        block_on(cell.flush());
        assert_eq!(block_on(get(cell.clone())).unwrap(), "1");
        assert_eq!(server.refreshes(), 1);
        // The accepted token was the previous one.
        assert!(cell.observes_responses());
    });
}
