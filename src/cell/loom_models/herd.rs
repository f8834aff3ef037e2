//! Callers of a cell without a token share one refresh.

use std::time::Duration;

use loom::future::block_on;
use loom::thread;

use super::support::*;
use crate::error::ErrorKind;

#[test]
fn loom_two_callers_of_an_empty_cell_share_one_refresh() {
    model(|| {
        let server = ModelServer::new();
        let cell = server.cell();
        let other = cell.clone();
        let waiting = thread::spawn(move || block_on(get(other)));
        server.respond();
        assert_eq!(block_on(get(cell)).unwrap(), "1");
        assert_eq!(waiting.join().unwrap().unwrap(), "1");
        assert_eq!(server.refreshes(), 1);
    });
}

#[test]
fn loom_two_callers_wait_until_the_server_responds() {
    bounded(2, || {
        let server = ModelServer::new();
        let cell = server.cell();
        let other = cell.clone();
        let waiting = thread::spawn(move || block_on(get(other)));
        let responding = {
            let server = server.clone();
            thread::spawn(move || server.respond())
        };
        assert_eq!(block_on(get(cell)).unwrap(), "1");
        assert_eq!(waiting.join().unwrap().unwrap(), "1");
        responding.join().unwrap();
        assert_eq!(server.refreshes(), 1);
    });
}

#[test]
fn loom_three_callers_of_an_empty_cell_share_one_refresh() {
    bounded(2, || {
        let server = ModelServer::new();
        let cell = server.cell();
        let waiting = [cell.clone(), cell.clone()].map(|cell| thread::spawn(move || block_on(get(cell))));
        server.respond();
        assert_eq!(block_on(get(cell)).unwrap(), "1");
        for waiting in waiting {
            assert_eq!(waiting.join().unwrap().unwrap(), "1");
        }
        assert_eq!(server.refreshes(), 1);
    });
}

#[test]
fn loom_all_waiters_get_the_same_error_even_without_a_back_off() {
    model(|| {
        let server = ModelServer::new();
        let cell = server.failing_cell();
        let (one, other) = (begin_wait(&cell), begin_wait(&cell));
        let waiting = thread::spawn(move || result(&block_on(other)).map(str::to_owned));
        server.respond();
        assert_eq!(result(&block_on(one)), Err(ErrorKind::Overloaded));
        // A later caller starts the next attempt, and does not change what the other waiter gets.
        assert_eq!(block_on(get(cell)), Err(ErrorKind::Overloaded));
        assert_eq!(waiting.join().unwrap(), Err(ErrorKind::Overloaded));
        assert_eq!(server.refreshes(), 2);
    });
}

#[test]
fn loom_all_waiters_get_a_token_that_had_expired_when_it_arrived() {
    model(|| {
        let server = ModelServer::new();
        let cell = server.cell_with(|number| Ok(bearer(&number.to_string()).with_expires_in(Duration::ZERO)));
        let (one, other) = (begin_wait(&cell), begin_wait(&cell));
        let waiting = thread::spawn(move || result(&block_on(other)).map(str::to_owned));
        server.respond();
        assert_eq!(result(&block_on(one)), Ok("1"));
        assert_eq!(waiting.join().unwrap().unwrap(), "1");
        assert_eq!(server.refreshes(), 1);
    });
}
