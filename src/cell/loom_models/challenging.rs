//! Challenges: to a token that is being refreshed, and to requests without a token.

use std::sync::Arc;

use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, HeaderValue, StatusCode};
use loom::future::block_on;
use loom::thread;

use super::support::*;
use crate::cell::acquire::Acquire;
use crate::cell::token_cell::TokenCell;
use crate::cell::wait_future::Waited;
use crate::grant::Reason;
use crate::sync::lock;

fn needs_scope() -> HeaderMap {
    let challenge = HeaderValue::from_static("Bearer error=\"insufficient_scope\", scope=\"write\"");
    HeaderMap::from_iter([(WWW_AUTHENTICATE, challenge)])
}

/// Reports a challenge to the token of `generation`. Returns whether its request is repeated.
fn is_challenged(cell: &Arc<TokenCell>, generation: u64) -> bool {
    matches!(cell.observe_challenge(generation, StatusCode::FORBIDDEN, &needs_scope(), false), Some(Some(_)))
}

/// Reports a 401 to a request that was sent without a token. Returns whether its request is repeated.
fn is_demanded(cell: &Arc<TokenCell>, generation: u64) -> bool {
    cell.observe_without_token(generation, StatusCode::UNAUTHORIZED, &HeaderMap::new(), &transport()).is_some()
}

/// Gets a token for a repeated request.
async fn get_newer(cell: Arc<TokenCell>, than: u64) -> String {
    loop {
        match cell.acquire(Some(than), || None) {
            Acquire::Token(token) => return token.token.access_token().to_owned(),
            Acquire::Failed(error) => panic!("{:?}", error.error),
            Acquire::Wait(waiter) => match waiter.await {
                Waited::Superseded => {}
                waited => return result(&waited).unwrap().to_owned(),
            },
        }
    }
}

/// Asserts that no challenge waits, and no refresh is running.
fn assert_idle(cell: &Arc<TokenCell>) {
    block_on(cell.flush());
    let locked = lock(&cell.locked);
    assert!(locked.state.running_task().is_none());
    assert!(!locked.state.challenges.is_waiting());
}

#[test]
fn loom_a_challenge_during_a_refresh_starts_one_more_when_it_completes() {
    model(|| {
        let server = ModelServer::new();
        let cell = server.cell();
        cell.enable_step_up();
        let generation = set_old(&cell);
        let mut runtime_task = new_task(&cell, Reason::Proactive).runtime_task();
        assert!(poll(&mut runtime_task).is_pending(), "the token request is sent");
        assert!(is_challenged(&cell, generation));
        let other = cell.clone();
        let repeating = thread::spawn(move || block_on(get_newer(other, generation)));
        let polling = thread::spawn(move || block_on(runtime_task));
        server.respond();
        assert!(["1", "2"].contains(&&*repeating.join().unwrap()));
        polling.join().unwrap();
        assert_idle(&cell);
        assert_eq!(peek(&cell).unwrap(), "2");
        assert_eq!(server.refreshes(), 2);
    });
}

#[test]
fn loom_a_challenge_arrives_while_a_refresh_completes() {
    model(|| {
        let server = ModelServer::new();
        let cell = server.cell();
        cell.enable_step_up();
        let generation = set_old(&cell);
        let mut runtime_task = new_task(&cell, Reason::Proactive).runtime_task();
        assert!(poll(&mut runtime_task).is_pending(), "the token request is sent");
        let other = cell.clone();
        let challenged = thread::spawn(move || {
            assert!(is_challenged(&other, generation));
            block_on(get_newer(other, generation))
        });
        server.respond();
        block_on(runtime_task);
        // After the end of the refresh, the challenge is one to an older token, and starts nothing.
        let token = challenged.join().unwrap();
        assert_idle(&cell);
        assert!(["1", "2"].contains(&&*token));
        assert!(token <= peek(&cell).unwrap());
        assert_eq!(peek(&cell).unwrap(), server.refreshes().to_string());
        assert!((1..=2).contains(&server.refreshes()));
    });
}

#[test]
fn loom_two_challenges_start_one_refresh() {
    model(|| {
        let server = ModelServer::new();
        let cell = server.cell();
        cell.enable_step_up();
        let generation = set_old(&cell);
        let other = cell.clone();
        let challenged = thread::spawn(move || {
            assert!(is_challenged(&other, generation));
            block_on(get_newer(other, generation))
        });
        server.respond();
        assert!(is_challenged(&cell, generation));
        assert_eq!(block_on(get_newer(cell.clone(), generation)), "1");
        assert_eq!(challenged.join().unwrap(), "1");
        assert_idle(&cell);
        assert_eq!(server.refreshes(), 1);
    });
}

#[test]
fn loom_two_demands_of_a_first_token_start_one_refresh() {
    model(|| {
        let server = ModelServer::new();
        let cell = server.cell();
        let other = cell.clone();
        let generation = lock(&cell.locked).state.generation();
        let demanded = thread::spawn(move || {
            assert!(is_demanded(&other, generation));
            block_on(get_newer(other, generation))
        });
        server.respond();
        assert!(is_demanded(&cell, generation));
        assert_eq!(block_on(get_newer(cell.clone(), generation)), "1");
        assert_eq!(demanded.join().unwrap(), "1");
        assert_idle(&cell);
        assert_eq!(server.refreshes(), 1);
    });
}

#[test]
fn loom_a_demand_of_a_first_token_while_one_is_set() {
    model(|| {
        let server = ModelServer::new();
        let cell = server.cell();
        let generation = lock(&cell.locked).state.generation();
        let other = cell.clone();
        let setting = thread::spawn(move || other.set(bearer("set")));
        server.respond();
        assert!(is_demanded(&cell, generation));
        assert!(["set", "1"].contains(&&*block_on(get_newer(cell.clone(), generation))));
        setting.join().unwrap();
        assert_idle(&cell);
        assert_eq!(peek(&cell).unwrap(), "set");
    });
}
