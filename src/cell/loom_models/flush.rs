//! `flush` waits for the end of a refresh.

use loom::future::block_on;
use loom::sync::atomic::Ordering;
use loom::thread;

use super::support::*;
use crate::grant::Reason;

#[test]
fn loom_flush_waits_for_the_refresh_of_a_caller() {
    model(|| {
        let server = ModelServer::new();
        let cell = server.cell();
        let waiter = begin_wait(&cell);
        let waiting = thread::spawn(move || drop(block_on(waiter)));
        server.respond();
        block_on(cell.flush());
        assert_eq!(peek(&cell).unwrap(), "1");
        assert_eq!(cell.in_flight.load(Ordering::SeqCst), 0);
        waiting.join().unwrap();
    });
}

#[test]
fn loom_flush_polls_a_refresh_whose_callers_were_dropped() {
    model(|| {
        let server = ModelServer::new();
        let cell = server.cell();
        let mut waiter = begin_wait(&cell);
        assert!(poll(&mut waiter).is_pending());
        let dropping = thread::spawn(move || drop(waiter));
        let responding = thread::spawn(move || server.respond());
        block_on(cell.flush());
        assert_eq!(peek(&cell).unwrap(), "1");
        dropping.join().unwrap();
        responding.join().unwrap();
    });
}

#[test]
fn loom_flush_waits_for_a_task_of_a_runtime() {
    model(|| {
        let server = ModelServer::new();
        let cell = server.cell();
        let runtime_task = new_task(&cell, Reason::Missing).runtime_task();
        let polling = thread::spawn(move || block_on(runtime_task));
        server.respond();
        block_on(cell.flush());
        assert_eq!(peek(&cell).unwrap(), "1");
        polling.join().unwrap();
    });
}

#[test]
fn loom_flush_ends_after_forget() {
    model(|| {
        let server = ModelServer::new();
        let cell = server.cell();
        let mut waiter = begin_wait(&cell);
        assert!(poll(&mut waiter).is_pending());
        let other = cell.clone();
        let forgetting = thread::spawn(move || {
            other.forget();
            // The waiter drops the last reference to the superseded task, because there is no runtime.
            drop(block_on(waiter));
        });
        block_on(cell.flush());
        assert_eq!(peek(&cell), None);
        forgetting.join().unwrap();
    });
}
