//! Tasks that the watchdog cancels because they make no progress.

use std::sync::Arc;

use loom::future::block_on;
use loom::thread;

use super::support::*;
use crate::cell::token_cell::{Task, TokenCell};
use crate::error::ErrorKind;
use crate::grant::Reason;

/// Cancels a task like the watchdog after the stall timeout. A poll of the work may hold its lock meanwhile.
fn cancel_stalled(server: &ModelServer, cell: &TokenCell, task: &Arc<Task>) {
    cell.cancel_stalled(task);
    server.pause();
    task.abort();
}

#[test]
fn loom_waiters_of_a_cancelled_task_get_an_error() {
    model(|| {
        let server = ModelServer::new();
        let cell = server.cell();
        // A task of a runtime that never polls it.
        let task = new_task(&cell, Reason::Missing);
        let runtime_task = task.runtime_task();
        let waiting = [begin_wait(&cell), begin_wait(&cell)]
            .map(|waiter| thread::spawn(move || result(&block_on(waiter)).map(str::to_owned)));
        cancel_stalled(&server, &cell, &task);
        for waiting in waiting {
            assert_eq!(waiting.join().unwrap(), Err(ErrorKind::Timeout));
        }
        drop(runtime_task);
        assert_eq!(server.refreshes(), 0);
    });
}

#[test]
fn loom_a_task_is_cancelled_while_it_ends() {
    model(|| {
        let server = ModelServer::new();
        let cell = server.cell();
        let waiter = begin_wait(&cell);
        let task = running(&cell);
        server.respond();
        let waiting = thread::spawn(move || result(&block_on(waiter)).map(str::to_owned));
        cancel_stalled(&server, &cell, &task);
        let waited = waiting.join().unwrap();
        assert!([Ok("1"), Err(ErrorKind::Timeout)].contains(&waited.as_deref().map_err(|kind| *kind)));
        if waited.is_ok() {
            assert_eq!(peek(&cell).as_deref(), Some("1"));
        }
        // Either the task has ended, and its token is used, or it was dropped, and the error is cached.
        assert_eq!(block_on(get(cell.clone())).is_ok(), peek(&cell).is_some());
        assert!(task.has_ended() || peek(&cell).is_none());
    });
}

#[test]
fn loom_a_task_of_a_runtime_is_cancelled_while_it_ends() {
    model(|| {
        let server = ModelServer::new();
        let cell = server.cell();
        let task = new_task(&cell, Reason::Missing);
        let runtime_task = task.runtime_task();
        let waiter = begin_wait(&cell);
        server.respond();
        let polling = thread::spawn(move || block_on(runtime_task));
        cancel_stalled(&server, &cell, &task);
        let waited = block_on(waiter);
        assert!([Ok("1"), Err(ErrorKind::Timeout)].contains(&result(&waited)));
        // The runtime task ends, even if the work was dropped between two polls.
        polling.join().unwrap();
        assert!(task.has_ended());
    });
}

#[test]
fn loom_the_next_task_is_not_affected_by_a_cancelled_one() {
    bounded(3, || {
        let server = ModelServer::new();
        let cell = server.cell();
        cell.set_options(|options| options.timing.max_backoff = std::time::Duration::ZERO);
        let task = new_task(&cell, Reason::Missing);
        let mut runtime_task = task.runtime_task();
        assert!(poll(&mut runtime_task).is_pending(), "the first token request is sent");
        cell.cancel_stalled(&task);
        let late = thread::spawn(move || block_on(runtime_task));
        let other = cell.clone();
        let waiting = thread::spawn(move || block_on(get(other)));
        server.respond();
        // The token that arrives first is used. The token of the cancelled task does not replace a newer one.
        let waited = waiting.join().unwrap().unwrap();
        late.join().unwrap();
        let kept = peek(&cell).unwrap();
        assert!(waited == "2" && kept == "2" || waited == "1", "{waited}, {kept}");
        assert!(server.refreshes() <= 2);
    });
}

#[test]
fn loom_cancelling_a_superseded_task_does_not_affect_the_next_one() {
    model(|| {
        let server = ModelServer::new();
        let cell = server.cell();
        let superseded = new_task(&cell, Reason::Missing);
        let runtime_task = superseded.runtime_task();
        cell.forget();
        let waiter = begin_wait(&cell);
        let other = cell.clone();
        let requested = server.clone();
        let cancelling = thread::spawn(move || {
            cancel_stalled(&requested, &other, &superseded);
            drop(runtime_task);
        });
        server.respond();
        assert_eq!(result(&block_on(waiter)), Ok("1"));
        cancelling.join().unwrap();
        assert_eq!(server.refreshes(), 1);
    });
}
