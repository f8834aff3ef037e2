//! Changes of the cell during a refresh.

use std::time::Duration;

use loom::future::block_on;
use loom::thread;

use super::support::*;
use crate::cell::cached::Freshness;
use crate::cell::wait_future::Waited;
use crate::clock::{self, Deadline};
use crate::grant::Reason;

#[test]
fn loom_a_token_that_is_set_during_a_refresh_stays() {
    model(|| {
        let server = ModelServer::new();
        let cell = server.cell();
        let waiter = begin_wait(&cell);
        let other = cell.clone();
        let setting = thread::spawn(move || other.set(bearer("set")));
        server.respond();
        let waited = block_on(waiter);
        assert!(["set", "1"].contains(&result(&waited).unwrap()));
        setting.join().unwrap();
        assert_eq!(peek(&cell).unwrap(), "set");
        assert_eq!(block_on(get(cell)).unwrap(), "set");
    });
}

#[test]
fn loom_all_waiters_get_a_token_that_is_set_while_the_server_does_not_respond() {
    bounded(2, || {
        let server = ModelServer::new();
        let cell = server.cell();
        let waiting = [cell.clone(), cell.clone()].map(|cell| thread::spawn(move || block_on(get(cell))));
        cell.set(bearer("set"));
        for waiting in waiting {
            assert_eq!(waiting.join().unwrap().unwrap(), "set");
        }
    });
}

#[test]
fn loom_waiters_start_over_after_forget() {
    model(|| {
        let server = ModelServer::new();
        let cell = server.cell();
        let mut waiter = begin_wait(&cell);
        assert!(poll(&mut waiter).is_pending(), "the first token request is sent");
        let other = cell.clone();
        let waiting = thread::spawn(move || match block_on(waiter) {
            Waited::Superseded => block_on(get(other)).unwrap(),
            waited => result(&waited).unwrap().to_owned(),
        });
        cell.forget();
        server.respond();
        // The response to the first token request comes too late.
        assert_eq!(block_on(get(cell)).unwrap(), "2");
        assert_eq!(waiting.join().unwrap(), "2");
        assert_eq!(server.refreshes(), 2);
    });
}

#[test]
fn loom_a_forgotten_token_is_not_restored_by_a_refresh() {
    model(|| {
        let server = ModelServer::new();
        let cell = server.cell();
        let mut waiter = begin_wait(&cell);
        assert!(poll(&mut waiter).is_pending(), "the first token request is sent");
        let other = cell.clone();
        let forgetting = thread::spawn(move || other.forget());
        server.respond();
        let waited = block_on(waiter);
        forgetting.join().unwrap();
        assert_eq!(peek(&cell), None);
        if !matches!(waited, Waited::Superseded) {
            assert_eq!(result(&waited), Ok("1"));
        }
        assert_eq!(block_on(get(cell)).unwrap(), "2");
    });
}

#[test]
fn loom_the_token_of_a_superseded_task_has_no_effect() {
    bounded(3, || {
        let server = ModelServer::new();
        let cell = server.cell();
        let task = new_task(&cell, Reason::Missing);
        let mut runtime_task = task.runtime_task();
        assert!(poll(&mut runtime_task).is_pending(), "the first token request is sent");
        let late = thread::spawn(move || block_on(runtime_task));
        cell.forget();
        let other = cell.clone();
        let waiting = thread::spawn(move || block_on(get(other)));
        server.respond();
        assert_eq!(waiting.join().unwrap().unwrap(), "2");
        late.join().unwrap();
        assert_eq!(peek(&cell).unwrap(), "2");
        assert!(task.outcome().is_none());
    });
}

#[test]
fn loom_a_superseded_task_that_fails_late_has_no_effect() {
    model(|| {
        let server = ModelServer::new();
        let cell = server.failing_cell();
        let task = new_task(&cell, Reason::Missing);
        let runtime_task = task.runtime_task();
        let late = thread::spawn(move || block_on(runtime_task));
        let waiter = begin_wait(&cell);
        cell.set(bearer("set"));
        server.respond();
        assert_eq!(result(&block_on(waiter)), Ok("set"));
        late.join().unwrap();
        assert_eq!(block_on(get(cell)).unwrap(), "set");
    });
}

#[test]
fn loom_an_invalidation_during_a_refresh_does_not_lose_its_token() {
    model(|| {
        let server = ModelServer::new();
        let cell = server.cell();
        set_old(&cell);
        cell.invalidate();
        let other = cell.clone();
        let invalidating = thread::spawn(move || other.invalidate());
        server.respond();
        // If it follows the refresh, the call invalidates the new token.
        let first = block_on(get(cell.clone())).unwrap();
        invalidating.join().unwrap();
        let second = block_on(get(cell)).unwrap();
        assert_ne!(first, "old");
        assert_eq!(second, server.refreshes().to_string());
        assert!(server.refreshes() <= 2);
    });
}

#[test]
fn loom_two_callers_of_a_due_token_start_one_refresh_and_its_failure_keeps_the_token() {
    model(|| {
        let server = ModelServer::new();
        let cell = server.failing_cell();
        let (left, lifetime) = (Duration::from_secs(100), Duration::from_secs(3600));
        cell.set(bearer("due").with_expiry(Some(Deadline::from_now(clock::now(), left)), Some(lifetime)));
        assert_eq!(cell.freshness(), Freshness::Due);
        server.respond();
        let other = cell.clone();
        let refreshing = thread::spawn(move || {
            other.refresh_ahead(|| None);
            block_on(get(other))
        });
        cell.refresh_ahead(|| None);
        assert_eq!(block_on(get(cell.clone())).unwrap(), "due");
        assert_eq!(refreshing.join().unwrap().unwrap(), "due");
        assert_eq!(server.refreshes(), 1, "the minimum interval prevents a second attempt");
    });
}
