//! Waiters that are dropped.

use std::sync::Arc;

use loom::future::block_on;
use loom::thread;

use super::support::*;

#[test]
fn loom_one_of_two_waiters_is_dropped_and_the_refresh_is_not_repeated() {
    model(|| {
        let server = ModelServer::new();
        let cell = server.cell();
        let (one, mut other) = (begin_wait(&cell), begin_wait(&cell));
        let dropping = thread::spawn(move || drop(poll(&mut other)));
        server.respond();
        assert_eq!(result(&block_on(one)), Ok("1"));
        dropping.join().unwrap();
        assert_eq!(server.refreshes(), 1);
    });
}

#[test]
fn loom_the_waiter_that_polled_the_work_last_is_dropped() {
    model(|| {
        let server = ModelServer::new();
        let cell = server.cell();
        let (one, mut other) = (begin_wait(&cell), begin_wait(&cell));
        assert!(poll(&mut other).is_pending());
        let dropping = thread::spawn(move || drop(other));
        let responding = thread::spawn(move || server.respond());
        assert_eq!(result(&block_on(one)), Ok("1"));
        dropping.join().unwrap();
        responding.join().unwrap();
    });
}

#[test]
fn loom_all_waiters_are_dropped_and_the_next_caller_gets_the_result() {
    model(|| {
        let server = ModelServer::new();
        let cell = server.cell();
        let (mut one, mut other) = (begin_wait(&cell), begin_wait(&cell));
        let dropping = thread::spawn(move || drop(poll(&mut other)));
        drop(poll(&mut one));
        drop(one);
        server.respond();
        dropping.join().unwrap();
        assert_eq!(block_on(get(cell)).unwrap(), "1");
        assert_eq!(server.refreshes(), 1);
    });
}

#[test]
fn loom_a_refresh_that_has_ended_is_freed() {
    model(|| {
        let server = ModelServer::new();
        let cell = server.cell();
        let (one, mut other) = (begin_wait(&cell), begin_wait(&cell));
        let task = Arc::downgrade(&running(&cell));
        let dropping = thread::spawn(move || drop(poll(&mut other)));
        server.respond();
        drop(block_on(one));
        dropping.join().unwrap();
        assert!(task.upgrade().is_none());
        assert_eq!(Arc::strong_count(&cell), 1);
    });
}

#[test]
fn loom_the_cell_is_freed_with_the_last_caller() {
    model(|| {
        let server = ModelServer::new();
        let cell = server.cell();
        let (watch, task) = (Arc::downgrade(&cell), Arc::downgrade(&running_after_call(&cell)));
        let other = cell.clone();
        let dropping = thread::spawn(move || drop(poll(&mut Box::pin(get(other)))));
        drop(poll(&mut Box::pin(get(cell))));
        dropping.join().unwrap();
        assert!(watch.upgrade().is_none());
        assert!(task.upgrade().is_none());
        // The response has no effect.
        server.respond();
    });
}

/// Starts a task as a caller that is dropped before its first poll, and returns the task.
fn running_after_call(cell: &Arc<crate::cell::TokenCell>) -> Arc<crate::cell::token_cell::Task> {
    drop(begin_wait(cell));
    running(cell)
}
