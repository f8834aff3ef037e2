//! Models of the cell, checked by `loom` over every interleaving that its bounds allow.
//!
//! `RUSTFLAGS="--cfg tower_oauth2_loom" cargo test --release --lib loom`

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use loom::future::block_on;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use super::flight::Flight;
use super::{Acquired, Cell, Outcome};
use crate::sync::{Mutex, lock};
use crate::token::Token;
use crate::transport::Transport;

/// What a flight waits for: the answer of a server, which comes from a thread of its own.
struct Server {
    answer: Mutex<(bool, Option<Waker>)>,
    /// Touched at the end of each poll: there loom can let others run, as they may in any real poll.
    pause: Mutex<()>,
}

impl Server {
    fn new() -> Arc<Self> {
        Arc::new(Self { answer: Mutex::new((false, None)), pause: Mutex::new(()) })
    }

    fn answer(&self) {
        let waker = {
            let mut state = lock(&self.answer);
            state.0 = true;
            state.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    async fn answered(self: Arc<Self>) {
        poll_fn(|cx| {
            let answered = {
                let mut state = lock(&self.answer);
                state.1 = Some(cx.waker().clone());
                state.0
            };
            drop(lock(&self.pause));
            if answered { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

fn model(check: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(check);
}

fn flight(server: &Arc<Server>) -> Arc<Flight<u32>> {
    let server = server.clone();
    Flight::new(async move {
        server.answered().await;
        7
    })
}

/// Looks once, and goes away.
fn look_and_leave<F: Future + Unpin>(mut waiter: F) {
    let _ = Pin::new(&mut waiter).poll(&mut Context::from_waker(Waker::noop()));
}

#[test]
fn loom_two_wait_for_a_flight_that_nobody_drives() {
    model(|| {
        let server = Server::new();
        let flight = flight(&server);
        let other = flight.waiter();
        let waiting = thread::spawn(move || block_on(other));
        let answering = thread::spawn(move || server.answer());
        assert_eq!(block_on(flight.waiter()), 7);
        assert_eq!(waiting.join().unwrap(), 7);
        answering.join().unwrap();
    });
}

#[test]
fn loom_one_of_two_waiters_leaves() {
    model(|| {
        let server = Server::new();
        let flight = flight(&server);
        let other = flight.waiter();
        let leaving = thread::spawn(move || look_and_leave(other));
        let answering = thread::spawn(move || server.answer());
        assert_eq!(block_on(flight.waiter()), 7);
        leaving.join().unwrap();
        answering.join().unwrap();
    });
}

#[test]
fn loom_a_task_drives_and_one_of_two_waiters_leaves() {
    model(|| {
        let server = Server::new();
        let flight = flight(&server);
        let driver = flight.driver();
        let other = flight.waiter();
        let driving = thread::spawn(move || block_on(driver));
        let leaving = thread::spawn(move || look_and_leave(other));
        server.answer();
        assert_eq!(block_on(flight.waiter()), 7);
        leaving.join().unwrap();
        driving.join().unwrap();
    });
}

#[test]
fn loom_the_runtime_goes_away_in_the_middle() {
    model(|| {
        let server = Server::new();
        let flight = flight(&server);
        let driver = flight.driver();
        let dying = thread::spawn(move || look_and_leave(driver));
        let answering = thread::spawn(move || server.answer());
        assert_eq!(block_on(flight.waiter()), 7);
        dying.join().unwrap();
        answering.join().unwrap();
    });
}

/// A cell whose grant counts its runs, and waits for `server` in each.
fn cell(server: &Arc<Server>, runs: &Arc<AtomicUsize>) -> Arc<Cell> {
    let (server, runs) = (server.clone(), runs.clone());
    let cell = Cell::new(move |_previous: Option<Token>, _http: Transport| {
        runs.fetch_add(1, Ordering::SeqCst);
        let server = server.clone();
        async move {
            server.answered().await;
            Token::bearer("a")
        }
    });
    let unused = tower::service_fn(async |_| {
        Ok::<_, std::io::Error>(http::Response::new(http_body_util::Empty::<bytes::Bytes>::new()))
    });
    cell.connect(Transport::through(unused, http_body_util::Full::new));
    cell
}

async fn acquired(cell: Arc<Cell>) -> Outcome {
    match cell.acquire(|| None) {
        Acquired::Fresh(current) => Ok(current),
        Acquired::Failed(error) => Err(error),
        Acquired::Wait(wait) => wait.await,
    }
}

#[test]
fn loom_two_callers_of_an_empty_cell_make_one_flight() {
    model(|| {
        let (server, runs) = (Server::new(), Arc::new(AtomicUsize::new(0)));
        let cell = cell(&server, &runs);
        let other = cell.clone();
        let waiting = thread::spawn(move || block_on(acquired(other)).unwrap());
        server.answer();
        block_on(acquired(cell)).unwrap();
        waiting.join().unwrap();
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn loom_one_of_two_callers_leaves_and_the_flight_is_not_repeated() {
    model(|| {
        let (server, runs) = (Server::new(), Arc::new(AtomicUsize::new(0)));
        let cell = cell(&server, &runs);
        let other = cell.clone();
        let leaving = thread::spawn(move || look_and_leave(Box::pin(acquired(other))));
        server.answer();
        block_on(acquired(cell)).unwrap();
        leaving.join().unwrap();
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    });
}
