//! Superseded refreshes, and their waiters.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::time::Duration;

use http::Request;
use tokio::sync::oneshot;
use tokio_test::{assert_pending, assert_ready, assert_ready_ok, task};
use tower::{Layer, service_fn};
use tower_oauth2::grant::{Context, Grant, grant_fn};
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token, Tokens};

use crate::support::{Body, answer};

fn bearer(token: &str) -> Token {
    Token::bearer(token).unwrap()
}

/// Returns the handle of a layer with this grant, and a service for its token requests.
fn tokens<G: Grant>(grant: G) -> (Tokens, impl Sized) {
    let inner = service_fn(async |_: Request<Body>| Ok::<_, std::io::Error>(answer(200, "")));
    let service = OAuth2Layer::new(grant).token_service(inner).layer(inner);
    (service.tokens(), service)
}

/// Returns a grant that is called once and gets its result from a channel.
fn on_demand() -> (oneshot::Sender<Result<Token, Error>>, impl Grant) {
    let (sender, receiver) = oneshot::channel();
    let receiver = Mutex::new(Some(receiver));
    let grant = grant_fn(move |_: Context| {
        let receiver = receiver.lock().unwrap().take();
        async move { receiver.expect("a single run").await.unwrap() }
    });
    (sender, grant)
}

/// An error of the application that uses the cell when it is dropped.
#[derive(Debug)]
struct Sets(Tokens);

impl Drop for Sets {
    fn drop(&mut self) {
        self.0.set(bearer("set-in-drop"));
    }
}

impl fmt::Display for Sets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken")
    }
}

impl std::error::Error for Sets {}

#[test]
fn the_error_of_a_superseded_refresh_is_dropped_without_a_lock() {
    let (done, is_done) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let peeked = runtime.block_on(async {
            let (send, grant) = on_demand();
            let (tokens, _service) = tokens(grant);
            let mut waiting = task::spawn(tokens.get());
            assert_pending!(waiting.poll());
            tokens.set(bearer("set"));
            assert_ready_ok!(waiting.poll());
            assert!(send.send(Err(Error::caused_by(ErrorKind::Transport, Sets(tokens.clone())))).is_ok());
            tokens.flush().await;
            tokens.peek()
        });
        done.send(peeked)
    });
    let peeked = is_done.recv_timeout(Duration::from_secs(10)).expect("a deadlock");
    assert_eq!(peeked, Some(bearer("set-in-drop")));
}

#[test]
fn a_grant_that_panics_when_it_is_dropped() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let grant = grant_fn(|_: Context| async {
        let _panics = Panics;
        std::future::pending().await
    });
    let (tokens, _service) = tokens(grant);
    let mut waiting = task::spawn(tokens.get());
    assert_pending!(waiting.poll());
    tokens.set(bearer("a"));
    // The waiter has the last reference to the task.
    assert_eq!(assert_ready_ok!(waiting.poll()).access_token(), "a");
    drop(waiting);
    assert_eq!(tokens.peek(), Some(bearer("a")));
}

#[test]
fn keep_fresh_polls_a_refresh_whose_caller_was_dropped() {
    let (send, grant) = on_demand();
    let (tokens, _service) = tokens(grant);
    tokens.set(bearer("old"));
    tokens.invalidate();
    assert_pending!(task::spawn(tokens.get()).poll());
    let mut keeping = task::spawn(tokens.keep_fresh());
    assert_pending!(keeping.poll());
    send.send(Ok(bearer("new"))).unwrap();
    assert!(keeping.is_woken());
    assert_pending!(keeping.poll());
    assert_eq!(tokens.peek(), Some(bearer("new")));
}

#[test]
fn flush_inside_the_grant_does_not_deadlock() {
    let handle: Arc<OnceLock<Tokens>> = Arc::default();
    let by_mistake = handle.clone();
    let grant = grant_fn(move |_: Context| {
        let tokens = by_mistake.get().unwrap().clone();
        async move {
            tokens.flush().await;
            Token::bearer("a")
        }
    });
    let (tokens, _service) = tokens(grant);
    assert!(handle.set(tokens.clone()).is_ok());
    assert_eq!(assert_ready!(task::spawn(tokens.get()).poll()).unwrap(), bearer("a"));
}
