//! Models of the cell, checked by `loom` over every interleaving that its bounds allow.
//!
//! `RUSTFLAGS="--cfg tower_oauth2_loom" cargo test --release --lib loom`

mod ahead;
mod callers;
mod changes;
mod flights;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use loom::future::block_on;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use super::{Acquired, Age, Cell, Outcome};
use crate::error::{Error, ErrorKind};
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

/// Looks once, and goes away.
fn look_and_leave<F: Future + Unpin>(mut waiter: F) {
    let _ = Pin::new(&mut waiter).poll(&mut Context::from_waker(Waker::noop()));
}

/// A cell whose grant counts its runs, and waits for `server` in each.
fn cell(server: &Arc<Server>, runs: &Arc<AtomicUsize>) -> Arc<Cell> {
    cell_of(server, runs, || Token::bearer("flown"))
}

/// As [`cell`], with what the server answers.
fn cell_of(
    server: &Arc<Server>,
    runs: &Arc<AtomicUsize>,
    answer: impl Fn() -> Result<Token, Error> + Copy + Send + Sync + 'static,
) -> Arc<Cell> {
    let (server, runs) = (server.clone(), runs.clone());
    let cell = Cell::new(move |_previous: Option<Token>, _http: Transport| {
        runs.fetch_add(1, Ordering::SeqCst);
        let server = server.clone();
        async move {
            server.answered().await;
            answer()
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
        Acquired::Usable(current) => Ok(current),
        Acquired::Failed(error) => Err(error),
        Acquired::Wait(wait) => wait.await,
    }
}

/// What the newest caller gets, once all is quiet.
fn text(outcome: &Outcome) -> &str {
    outcome.as_ref().map_or("failed", |current| current.token.access_token())
}
