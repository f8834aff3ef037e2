//! Nothing outlives its users: with the last handle the cell goes, and the grant in it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio_test::task;
use tower::{Layer, ServiceExt, service_fn};
use tower_oauth2::transport::Transport;
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token, Tokens};

use crate::support::{API_URL, Body, answer, get};

/// A layer, and what lives as long as its grant.
fn watched() -> (OAuth2Layer<impl tower_oauth2::grant::Grant>, Weak<()>) {
    let life = Arc::new(());
    let watch = Arc::downgrade(&life);
    let grant = move |_: Option<Token>, http: Transport| {
        let _life = life.clone();
        async move {
            http.send(http::Request::new(bytes::Bytes::new())).await?;
            Token::bearer("a")
        }
    };
    (OAuth2Layer::new(grant), watch)
}

#[tokio::test]
async fn an_idle_cell_goes_with_its_last_handle() {
    let (layer, watch) = watched();
    let inner = service_fn(async |_: http::Request<Body>| Ok::<_, std::io::Error>(answer(200, "")));
    let service = layer.layer(inner);
    let (tokens, changes) = (layer.tokens(), layer.tokens().changes());
    service.oneshot(get(API_URL)).await.unwrap();
    drop(layer);
    assert!(watch.upgrade().is_some(), "the handle keeps it");
    drop(tokens);
    assert!(watch.upgrade().is_none(), "nothing keeps it");
    assert!(changes.has_changed().is_err(), "and those who follow the token are told");
}

/// A token call that nobody drives stays in the cell; it must not keep the cell.
#[test]
fn a_call_that_all_have_left_goes_with_the_cell() {
    let (layer, watch) = watched();
    let inner = service_fn(async |_: http::Request<Body>| {
        std::future::pending::<std::io::Result<http::Response<Body>>>().await
    });
    let mut service = layer.layer(inner);
    assert!(task::spawn(service.ready()).poll().is_pending());
    drop((service, layer));
    assert!(watch.upgrade().is_none(), "nothing keeps it");
}

/// An error of the user's that looks at the token when it goes.
#[derive(Debug)]
struct LastLook(Tokens);

impl Drop for LastLook {
    fn drop(&mut self) {
        self.0.invalidate();
    }
}

impl std::fmt::Display for LastLook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("it broke")
    }
}

impl std::error::Error for LastLook {}

/// What is let go of, a remembered failure or a call under way, is dropped where nobody is locked out.
#[tokio::test]
async fn what_goes_may_call_back() {
    let (tell, handle) = std::sync::mpsc::channel::<Tokens>();
    let handle = std::sync::Mutex::new(handle);
    let grant = move |_: Option<Token>, _: Transport| {
        let tokens = handle.lock().unwrap().recv();
        async move { Err::<Token, _>(Error::caused_by(ErrorKind::Transport, LastLook(tokens.unwrap()))) }
    };
    let layer = OAuth2Layer::new(grant);
    let inner = service_fn(async |_: http::Request<Body>| Ok::<_, std::io::Error>(answer(200, "")));
    tell.send(layer.tokens()).unwrap();
    layer.layer(inner).oneshot(get(API_URL)).await.unwrap_err();
    let (tokens, (done, is_done)) = (layer.tokens(), std::sync::mpsc::channel());
    std::thread::spawn(move || {
        tokens.set(Token::bearer("a").unwrap());
        done.send(tokens.peek())
    });
    let after = is_done.recv_timeout(Duration::from_secs(10)).expect("the last look waits for itself");
    assert!(after.is_none(), "it came after, and was let through");
}
