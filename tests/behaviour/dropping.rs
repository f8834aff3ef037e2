//! The cell and its grant are dropped with the last handle.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio_test::task;
use tower::{Layer, ServiceExt, service_fn};
use tower_oauth2::grant::{Context, grant_fn};
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token, Tokens};

use crate::support::{API_URL, Body, answer, get};

/// Returns a layer, and a weak reference to a value that its grant owns.
fn watched() -> (OAuth2Layer<impl tower_oauth2::grant::Grant>, Weak<()>) {
    let life = Arc::new(());
    let watch = Arc::downgrade(&life);
    let grant = grant_fn(move |cx: Context| {
        let _life = life.clone();
        async move {
            cx.transport().send(http::Request::new(bytes::Bytes::new())).await?;
            Token::bearer("a")
        }
    });
    (OAuth2Layer::new(grant), watch)
}

#[tokio::test]
async fn an_idle_cell_is_dropped_with_its_last_handle() {
    let (layer, watch) = watched();
    let inner = service_fn(async |_: http::Request<Body>| Ok::<_, std::io::Error>(answer(200, "")));
    let service = layer.layer(inner);
    let (tokens, changes) = (layer.tokens(), layer.tokens().changes());
    service.oneshot(get(API_URL)).await.unwrap();
    drop(layer);
    assert!(watch.upgrade().is_some(), "the handle keeps the cell alive");
    drop(tokens);
    assert!(watch.upgrade().is_none(), "the cell was not dropped");
    assert!(changes.has_changed().is_err(), "watchers were not closed");
}

/// A token request that is not polled stays in the cell, and must not keep the cell alive.
#[test]
fn a_token_request_without_waiters_is_dropped_with_the_cell() {
    let (layer, watch) = watched();
    let inner = service_fn(async |_: http::Request<Body>| {
        std::future::pending::<std::io::Result<http::Response<Body>>>().await
    });
    let mut service = layer.layer(inner);
    assert!(task::spawn(service.ready()).poll().is_pending());
    drop((service, layer));
    assert!(watch.upgrade().is_none(), "the cell was not dropped");
}

/// An error of the application that uses the cell when it is dropped.
#[derive(Debug)]
struct InvalidatesOnDrop(Tokens);

impl Drop for InvalidatesOnDrop {
    fn drop(&mut self) {
        self.0.invalidate();
    }
}

impl std::fmt::Display for InvalidatesOnDrop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("broken")
    }
}

impl std::error::Error for InvalidatesOnDrop {}

/// Errors and tasks are dropped without a lock, because they can own code of the application.
#[tokio::test]
async fn a_dropped_error_may_use_the_cell() {
    let (sender, handle) = std::sync::mpsc::channel::<Tokens>();
    let handle = std::sync::Mutex::new(handle);
    let grant = grant_fn(move |_: Context| {
        let tokens = handle.lock().unwrap().recv();
        async move { Err::<Token, _>(Error::caused_by(ErrorKind::Transport, InvalidatesOnDrop(tokens.unwrap()))) }
    });
    let layer = OAuth2Layer::new(grant);
    let inner = service_fn(async |_: http::Request<Body>| Ok::<_, std::io::Error>(answer(200, "")));
    sender.send(layer.tokens()).unwrap();
    layer.layer(inner).oneshot(get(API_URL)).await.unwrap_err();
    let (tokens, (done, is_done)) = (layer.tokens(), std::sync::mpsc::channel());
    std::thread::spawn(move || {
        tokens.set(Token::bearer("a").unwrap());
        done.send(tokens.peek())
    });
    let after = is_done.recv_timeout(Duration::from_secs(10)).expect("a deadlock");
    assert!(after.is_none(), "the error was dropped after the token was set");
}
