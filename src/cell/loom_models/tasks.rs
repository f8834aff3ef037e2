//! A task whose work several threads poll.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use loom::future::block_on;
use loom::thread;

use super::support::*;
use crate::cell::TokenCell;
use crate::grant::{Reason, grant_fn};

#[test]
fn loom_a_runtime_polls_a_new_task_while_a_waiter_checks_it() {
    model(|| {
        let server = ModelServer::new();
        let cell = server.cell();
        let task = new_task(&cell, Reason::Missing);
        let waiter = begin_wait(&cell);
        let waiting = thread::spawn(move || result(&block_on(waiter)).map(str::to_owned));
        let runtime_task = task.runtime_task();
        let responding = thread::spawn(move || server.respond());
        block_on(runtime_task);
        assert_eq!(waiting.join().unwrap().unwrap(), "1");
        responding.join().unwrap();
    });
}

#[test]
fn loom_a_waiter_polls_a_task_that_found_no_runtime() {
    model(|| {
        let server = ModelServer::new();
        let cell = server.cell();
        let task = new_task(&cell, Reason::Missing);
        let waiter = begin_wait(&cell);
        let waiting = thread::spawn(move || result(&block_on(waiter)).map(str::to_owned));
        server.respond();
        // The models have no runtime.
        task.spawn();
        assert_eq!(waiting.join().unwrap().unwrap(), "1");
    });
}

#[test]
fn loom_the_runtime_shuts_down_during_a_refresh() {
    model(|| {
        let server = ModelServer::new();
        let cell = server.cell();
        let mut runtime_task = new_task(&cell, Reason::Missing).runtime_task();
        let waiter = begin_wait(&cell);
        let dropping = thread::spawn(move || {
            let _ = poll(&mut runtime_task);
        });
        let responding = thread::spawn(move || server.respond());
        assert_eq!(result(&block_on(waiter)), Ok("1"));
        dropping.join().unwrap();
        responding.join().unwrap();
    });
}

#[test]
fn loom_two_waiters_poll_the_work_after_the_runtime_has_shut_down() {
    bounded(2, || {
        let server = ModelServer::new();
        let cell = server.cell();
        let mut runtime_task = new_task(&cell, Reason::Missing).runtime_task();
        assert!(poll(&mut runtime_task).is_pending());
        let waiting = [begin_wait(&cell), begin_wait(&cell)]
            .map(|waiter| thread::spawn(move || result(&block_on(waiter)).map(str::to_owned)));
        drop(runtime_task);
        server.respond();
        for waiting in waiting {
            assert_eq!(waiting.join().unwrap().unwrap(), "1");
        }
        assert_eq!(server.refreshes(), 1);
    });
}

#[test]
fn loom_a_waiter_is_dropped_while_a_runtime_polls_the_work() {
    model(|| {
        let server = ModelServer::new();
        let cell = server.cell();
        let runtime_task = new_task(&cell, Reason::Missing).runtime_task();
        let (one, mut other) = (begin_wait(&cell), begin_wait(&cell));
        let polling = thread::spawn(move || block_on(runtime_task));
        let dropping = thread::spawn(move || drop(poll(&mut other)));
        server.respond();
        assert_eq!(result(&block_on(one)), Ok("1"));
        polling.join().unwrap();
        dropping.join().unwrap();
    });
}

/// Creates a cell whose work wakes itself twice: in the models, one poll of a waiter polls the work twice.
fn self_waking_cell(server: &Arc<ModelServer>) -> Arc<TokenCell> {
    let server = server.clone();
    let cell = TokenCell::new(grant_fn(move |_| {
        let server = server.clone();
        async move {
            let mut left = 3;
            poll_fn(|cx| {
                left -= 1;
                cx.waker().wake_by_ref();
                server.pause();
                if left == 0 { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            server.response().await;
            Ok(bearer("1"))
        }
    }));
    cell.set_transport(transport());
    cell.set_options(|options| options.limits.timeout = Duration::from_secs(1));
    cell
}

#[test]
fn loom_two_waiters_poll_self_waking_work() {
    model(|| {
        let server = ModelServer::new();
        let cell = self_waking_cell(&server);
        let (one, other) = (begin_wait(&cell), begin_wait(&cell));
        let waiting = thread::spawn(move || result(&block_on(other)).map(str::to_owned));
        server.respond();
        assert_eq!(result(&block_on(one)), Ok("1"));
        assert_eq!(waiting.join().unwrap().unwrap(), "1");
    });
}

#[test]
fn loom_a_waiter_that_polls_self_waking_work_is_dropped() {
    model(|| {
        let server = ModelServer::new();
        let cell = self_waking_cell(&server);
        let (one, mut other) = (begin_wait(&cell), begin_wait(&cell));
        server.respond();
        let dropping = thread::spawn(move || drop(poll(&mut other)));
        assert_eq!(result(&block_on(one)), Ok("1"));
        dropping.join().unwrap();
    });
}

#[test]
fn loom_a_rejection_polls_self_waking_work_once() {
    model(|| {
        let server = ModelServer::new();
        let cell = self_waking_cell(&server);
        let waiter = begin_wait(&cell);
        let task = running(&cell);
        server.respond();
        // After a rejection, the thread polls the task once, and does not wait for it.
        let dropping = thread::spawn(move || {
            task.poll_work(1);
        });
        assert_eq!(result(&block_on(waiter)), Ok("1"));
        dropping.join().unwrap();
    });
}
