//! A grant, and the values that it returns, may use the handle of their own cell without a deadlock or an endless poll.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::task::{Context, Waker};
use std::time::Duration;

use http::Request;
use tower::{Layer, Service, service_fn};
use tower_oauth2::grant::{self, grant_fn};
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token, Tokens};

use crate::support::{API_URL, Body, answer, get, token_endpoint};

const SECOND: Duration = Duration::from_secs(1);

/// Runs on its own thread, so that a deadlock is a failure and not a hang.
fn within_ten_seconds(run: impl FnOnce() + Send + 'static) {
    let (done, ended) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        run();
        let _ = done.send(());
    });
    match ended.recv_timeout(Duration::from_secs(10)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("a deadlock or an endless loop"),
        _ => thread.join().unwrap(),
    }
}

fn token_for(access_token: &str, lifetime: Duration) -> Token {
    Token::bearer(access_token).unwrap().with_expires_in(lifetime)
}

/// The result of a grant that forgets the token of its own cell is discarded. Its callers start over, but not within one poll.
#[test]
fn a_poll_returns_even_if_the_grant_forgets_its_token() {
    within_ten_seconds(|| {
        let handle: Arc<OnceLock<Tokens>> = Arc::default();
        let calls = Arc::new(AtomicUsize::new(0));
        let grant = {
            let (handle, calls) = (handle.clone(), calls.clone());
            grant_fn(move |_: grant::Context| {
                let (handle, calls) = (handle.clone(), calls.clone());
                async move {
                    // A poll that does not return is a failure and not a hang.
                    if calls.fetch_add(1, Ordering::SeqCst) > 10_000 {
                        pending::<()>().await;
                    }
                    handle.get().unwrap().forget();
                    Token::bearer("a")
                }
            })
        };
        let layer = OAuth2Layer::new(grant).token_service(token_endpoint(vec![]).0);
        let tokens = layer.tokens();
        let _ = handle.set(tokens.clone());
        let mut cx = Context::from_waker(Waker::noop());
        let mut seen = 0;
        let mut polled = |name: &str| {
            let now = calls.load(Ordering::SeqCst);
            assert!(now - seen <= 100, "{name}: {} calls of the grant in one poll", now - seen);
            seen = now;
        };
        assert!(pin!(tokens.get()).poll(&mut cx).is_pending());
        polled("get");
        assert!(pin!(tokens.refresh()).poll(&mut cx).is_pending());
        polled("refresh");
        let api = service_fn(async |_: Request<Body>| Ok::<_, Infallible>(answer(200, "")));
        let mut service = layer.layer(api);
        assert!(pin!(poll_fn(|cx| Service::<Request<Body>>::poll_ready(&mut service, cx))).poll(&mut cx).is_pending());
        polled("poll_ready");
        tokens.set(token_for("b", SECOND));
        let mut other = service.clone();
        assert!(pin!(poll_fn(|cx| Service::<Request<Body>>::poll_ready(&mut other, cx))).poll(&mut cx).is_ready());
        tokens.forget();
        assert!(pin!(other.call(get(API_URL))).poll(&mut cx).is_pending());
        polled("call");
    });
}

/// An error that invalidates the token when it is dropped.
#[derive(Debug)]
struct InvalidatesOnDrop(Tokens);

impl Drop for InvalidatesOnDrop {
    fn drop(&mut self) {
        self.0.invalidate();
    }
}

impl fmt::Display for InvalidatesOnDrop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("down")
    }
}

impl std::error::Error for InvalidatesOnDrop {}

#[test]
fn a_discarded_error_is_dropped_without_the_lock() {
    within_ten_seconds(|| {
        let handle: Arc<OnceLock<Tokens>> = Arc::default();
        let grant = {
            let handle = handle.clone();
            grant_fn(move |_: grant::Context| {
                let tokens = handle.get().unwrap().clone();
                async move {
                    // This supersedes the refresh.
                    tokens.set(token_for("set", 3600 * SECOND));
                    Err(Error::caused_by(ErrorKind::Overloaded, InvalidatesOnDrop(tokens)))
                }
            })
        };
        let tokens = OAuth2Layer::new(grant).token_service(token_endpoint(vec![]).0).tokens();
        let _ = handle.set(tokens.clone());
        let mut cx = Context::from_waker(Waker::noop());
        let _ = pin!(tokens.get()).poll(&mut cx);
    });
}

/// A flush inside the grant cannot wait for the refresh, because it is part of it.
#[tokio::test(start_paused = true)]
async fn a_flush_inside_the_grant_returns() {
    let handle: Arc<OnceLock<Tokens>> = Arc::default();
    let grant = {
        let handle = handle.clone();
        grant_fn(move |_: grant::Context| {
            let tokens = handle.get().unwrap().clone();
            async move {
                tokens.flush().await;
                Token::bearer("a")
            }
        })
    };
    let tokens = OAuth2Layer::new(grant).token_service(token_endpoint(vec![]).0).tokens();
    let _ = handle.set(tokens.clone());
    let token = tokio::time::timeout(60 * SECOND, tokens.get()).await.expect("a deadlock").unwrap();
    assert_eq!(token.access_token(), "a");
}
