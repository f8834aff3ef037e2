//! Subscribers and recorders that panic, or that use the layer, do not affect requests.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio_test::task;
use tower::{Layer as _, Service, ServiceExt, service_fn};
use tower_oauth2::{OAuth2Layer, Token, grant::ClientCredentials};

use crate::callback_subscriber::CallbackSubscriber;
use crate::support::{API_URL, Body, TOKEN_URL, answer, get, grant, pass, token};

type Layer = OAuth2Layer<ClientCredentials>;

/// The authorization server, which fails at first, and an API that rejects its first two tokens.
fn servers() -> impl Service<http::Request<Body>, Response = http::Response<Body>, Error = std::io::Error, Future: Send>
+ Clone
+ Send
+ 'static {
    let calls = Arc::new(AtomicUsize::new(0));
    service_fn(move |request: http::Request<Body>| {
        let calls = calls.clone();
        async move {
            tokio::task::yield_now().await;
            Ok(match (request.uri() == TOKEN_URL).then(|| calls.fetch_add(1, Ordering::SeqCst)) {
                Some(0) => answer(503, ""),
                Some(1) => answer(400, json!({"error": "invalid_scope"})),
                Some(call) => answer(200, token(&format!("token-{call}"), 600)),
                None if calls.load(Ordering::SeqCst) < 4 => answer(401, ""),
                None => answer(200, ""),
            })
        }
    })
}

/// Runs a layer through many situations. Returns the status of each request, or zero for an error.
async fn run(layer: Layer) -> Vec<u16> {
    let service = layer.name("billing").layer(servers());
    let tokens = service.tokens();
    let mut statuses = Vec::new();
    let mut request = async || {
        let outcome = tokio::time::timeout(Duration::from_secs(60), service.clone().oneshot(get(API_URL))).await;
        statuses.push(outcome.unwrap().map_or(0, |response| response.status().as_u16()));
    };
    request().await;
    request().await;
    pass(Duration::from_secs(5)).await;
    request().await;
    pass(Duration::from_secs(5)).await;
    request().await;
    request().await;
    // The token is due, and refreshed in the background.
    pass(Duration::from_secs(400)).await;
    request().await;
    pass(Duration::from_secs(1)).await;
    let _ = tokens.refresh().await;
    tokens.set(Token::bearer("set").unwrap());
    tokens.invalidate();
    request().await;
    // A caller that is dropped.
    tokens.forget();
    assert!(tokio::time::timeout(Duration::ZERO, service.clone().oneshot(get(API_URL))).await.is_err());
    request().await;
    statuses
}

#[tokio::test(start_paused = true)]
async fn subscribers_that_panic() {
    std::panic::set_hook(Box::new(|panic| {
        if panic.payload().downcast_ref() != Some(&"callback") {
            eprintln!("{panic}");
        }
    }));
    let places = ["new_span", "record", "event", "enter", "exit", "try_close"];
    for place in places.into_iter().chain(["describe", "count", "gauge", "histogram", "everywhere"]) {
        let panics = Arc::new(AtomicUsize::new(0));
        let count = panics.clone();
        let subscriber = CallbackSubscriber(Arc::new(move |method| {
            if method == place || place == "everywhere" {
                count.fetch_add(1, Ordering::SeqCst);
                panic!("callback");
            }
        }));
        let _recorder = metrics::set_default_local_recorder(&subscriber);
        let _subscriber = tracing::subscriber::set_default(subscriber.clone());
        let statuses = run(OAuth2Layer::new(grant())).await;
        assert_eq!(statuses, [0, 0, 0, 401, 200, 200, 200, 200], "{place}");
        assert!(panics.load(Ordering::SeqCst) > 0, "{place}");
    }
}

/// The callback uses a handle of the same cell. It would deadlock if a lock were held meanwhile.
#[test]
fn a_subscriber_that_uses_the_layer() {
    let (done, finished) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let layer = OAuth2Layer::new(grant());
            let calls = Arc::new(AtomicUsize::new(0));
            let subscriber = callback(layer.clone(), calls.clone());
            let _recorder = metrics::set_default_local_recorder(&subscriber);
            let _subscriber = tracing::subscriber::set_default(subscriber.clone());
            assert_eq!(run(layer).await.last(), Some(&200));
            assert!(calls.load(Ordering::SeqCst) > 50);
        });
        done.send(()).unwrap();
    });
    // A deadlock would never end.
    finished.recv_timeout(Duration::from_secs(60)).expect("a deadlock, or a failure of the thread");
}

/// A refresh that is not polled is dropped with its last handle, and its span too.
#[test]
fn a_subscriber_that_uses_the_layer_when_a_refresh_is_dropped() {
    let (done, finished) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let layer = OAuth2Layer::new(grant());
        let calls = Arc::new(AtomicUsize::new(0));
        let subscriber = callback(layer.clone(), calls.clone());
        let _subscriber = tracing::subscriber::set_default(subscriber.clone());
        let pending =
            service_fn(|_: http::Request<Body>| std::future::pending::<std::io::Result<http::Response<Body>>>());
        let mut service = layer.layer(pending);
        assert!(task::spawn(service.ready()).poll().is_pending());
        drop(service);
        let before = calls.load(Ordering::SeqCst);
        layer.tokens().set(Token::bearer("set").unwrap());
        assert!(calls.load(Ordering::SeqCst) > before);
        done.send(()).unwrap();
    });
    finished.recv_timeout(Duration::from_secs(20)).expect("a deadlock, or a failure of the thread");
}

/// A callback that takes each lock of the cell, and changes nothing.
fn callback(layer: Layer, calls: Arc<AtomicUsize>) -> CallbackSubscriber {
    thread_local! {
        static IS_RUNNING: Cell<bool> = const { Cell::new(false) };
    }
    CallbackSubscriber(Arc::new(move |_| {
        // The callback itself causes events.
        if !IS_RUNNING.replace(true) {
            calls.fetch_add(1, Ordering::SeqCst);
            let _ = layer.clone().min_refresh_interval(Duration::from_secs(30)).name("billing");
            drop(layer.tokens().changes());
            let _ = task::spawn(layer.tokens().get()).poll();
            IS_RUNNING.set(false);
        }
    }))
}
