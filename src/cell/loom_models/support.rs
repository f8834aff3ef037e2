//! A server, a cell whose grant waits for its response, and callers.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use loom::sync::atomic::{AtomicUsize, Ordering};

use crate::cell::acquire::Acquire;
use crate::cell::token_cell::{Task, TokenCell};
use crate::cell::wait_future::{WaitFuture, Waited};
use crate::error::{Error, ErrorKind};
use crate::grant::{self, grant_fn};
use crate::observe::CallerSpan;
use crate::sync::{Mutex, lock};
use crate::token::Token;
use crate::transport::Transport;

/// Checks a model of two threads, or of three of which one does little.
pub(crate) fn model(check: impl Fn() + Send + Sync + 'static) {
    bounded(4, check);
}

pub(crate) fn bounded(preemptions: usize, check: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 10_000;
    builder.check(check);
}

#[derive(Default)]
struct ResponseGate {
    is_open: bool,
    /// The waker of the last poll of each request.
    wakers: Vec<Option<Waker>>,
}

/// The server of a model. Each refresh waits for its response, and the token is the number of the refresh.
pub(crate) struct ModelServer {
    gate: Mutex<ResponseGate>,
    /// Locked at the end of each poll, so that loom can run other threads there, as during a real poll.
    pause: Mutex<()>,
    refreshes: AtomicUsize,
}

impl ModelServer {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { gate: Mutex::default(), pause: Mutex::new(()), refreshes: AtomicUsize::new(0) })
    }

    /// Responds to the pending token requests, and to all later ones.
    pub(crate) fn respond(&self) {
        let wakers = {
            let mut gate = lock(&self.gate);
            gate.is_open = true;
            std::mem::take(&mut gate.wakers)
        };
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    pub(crate) async fn response(self: Arc<Self>) {
        let mut request = None;
        poll_fn(|cx| {
            let (is_open, previous) = {
                let mut gate = lock(&self.gate);
                let request = *request.get_or_insert_with(|| {
                    gate.wakers.push(None);
                    gate.wakers.len() - 1
                });
                let previous = if gate.is_open { None } else { gate.wakers[request].replace(cx.waker().clone()) };
                (gate.is_open, previous)
            };
            drop(previous);
            self.pause();
            if is_open { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Lets loom run other threads.
    pub(crate) fn pause(&self) {
        drop(lock(&self.pause));
    }

    /// Returns how many refreshes have sent a token request.
    pub(crate) fn refreshes(&self) -> usize {
        self.refreshes.load(Ordering::SeqCst)
    }

    /// Creates a cell whose refreshes obtain the tokens "1", "2" and so on.
    pub(crate) fn cell(self: &Arc<Self>) -> Arc<TokenCell> {
        self.cell_with(|number| Token::bearer(number.to_string()))
    }

    /// Creates a cell whose refreshes fail, without a back-off.
    pub(crate) fn failing_cell(self: &Arc<Self>) -> Arc<TokenCell> {
        let cell = self.cell_with(|_| Err(Error::new(ErrorKind::Overloaded, "")));
        cell.set_options(|options| options.timing.max_backoff = Duration::ZERO);
        cell
    }

    pub(crate) fn cell_with(
        self: &Arc<Self>,
        result: impl Fn(usize) -> Result<Token, Error> + Copy + Send + Sync + 'static,
    ) -> Arc<TokenCell> {
        let server = self.clone();
        let cell = TokenCell::new(grant_fn(move |_cx: grant::Context| {
            let number = server.refreshes.fetch_add(1, Ordering::SeqCst) + 1;
            let server = server.clone();
            async move {
                server.response().await;
                result(number)
            }
        }));
        cell.set_transport(transport());
        cell
    }
}

pub(crate) fn transport() -> Transport {
    let unused = tower::service_fn(async |_| {
        Ok::<_, std::io::Error>(http::Response::new(http_body_util::Empty::<bytes::Bytes>::new()))
    });
    Transport::from_service(unused, http_body_util::Full::new)
}

/// Gets a token as [`Tokens::get`](crate::Tokens::get) does, or an error.
pub(crate) async fn get(cell: Arc<TokenCell>) -> Result<String, ErrorKind> {
    loop {
        match cell.acquire(None, || None) {
            Acquire::Token(token) => return Ok(token.token.access_token().to_owned()),
            Acquire::Failed(error) => return Err(error.error.kind()),
            Acquire::Wait(waiter) => match waiter.await {
                Waited::Superseded => {}
                waited => return result(&waited).map(str::to_owned),
            },
        }
    }
}

/// Returns the result of a wait that was not superseded.
pub(crate) fn result(waited: &Waited) -> Result<&str, ErrorKind> {
    match waited {
        Waited::Token(token) => Ok(token.token.access_token()),
        Waited::Failed(error) => Err(error.error.kind()),
        Waited::Superseded => panic!("the caller must acquire a token again"),
    }
}

/// Acquires a token, and returns the future that waits for it.
pub(crate) fn begin_wait(cell: &Arc<TokenCell>) -> WaitFuture {
    match cell.acquire(None, || None) {
        Acquire::Wait(waiter) => waiter,
        _ => panic!("the caller does not wait"),
    }
}

/// Returns the running refresh task.
pub(crate) fn running(cell: &TokenCell) -> Arc<Task> {
    lock(&cell.locked).state.running_task().cloned().expect("a refresh task")
}

/// Returns the future with which a runtime polls a task.
pub(crate) fn runtime_task(task: &Arc<Task>) -> impl Future<Output = ()> + use<> {
    task.runtime_task()
}

/// Creates a refresh task that was not spawned yet.
pub(crate) fn new_task(cell: &Arc<TokenCell>, reason: grant::Reason) -> Arc<Task> {
    cell.update(|state, options, _, _| cell.new_task(state, options, reason, transport(), CallerSpan::current()))
}

pub(crate) fn peek(cell: &TokenCell) -> Option<String> {
    cell.peek().map(|token| token.access_token().to_owned())
}

pub(crate) fn bearer(token: &str) -> Token {
    Token::bearer(token).unwrap()
}

/// Sets the token "old", and returns its generation.
pub(crate) fn set_old(cell: &TokenCell) -> u64 {
    cell.set(bearer("old"));
    cell.with_valid(|token| token.generation).unwrap()
}

/// Polls once.
pub(crate) fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}
