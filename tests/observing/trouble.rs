//! A subscriber and a recorder are code of others: what they do to us stops nobody.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio_test::task;
use tower::{Layer as _, Service, ServiceExt, service_fn};
use tower_oauth2::{OAuth2Layer, Token, grant::ClientCredentials};

use crate::meddler::Meddler;
use crate::support::{API_URL, Body, TOKEN_URL, answer, get, grant, pass, token};

type Layer = OAuth2Layer<ClientCredentials>;

/// The authorization server, which fails at first, and an API that refuses its first two tokens.
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

/// All that a layer can go through: the status of each request, or zero for one that failed.
async fn life(layer: Layer) -> Vec<u16> {
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
    // Due, and renewed while it serves.
    pass(Duration::from_secs(400)).await;
    request().await;
    pass(Duration::from_secs(1)).await;
    let _ = tokens.refresh().await;
    tokens.set(Token::bearer("set").unwrap());
    tokens.invalidate();
    request().await;
    // One who leaves.
    tokens.forget();
    assert!(tokio::time::timeout(Duration::ZERO, service.clone().oneshot(get(API_URL))).await.is_err());
    request().await;
    statuses
}

#[tokio::test(start_paused = true)]
async fn that_panics() {
    std::panic::set_hook(Box::new(|panic| {
        if panic.payload().downcast_ref() != Some(&"meddled") {
            eprintln!("{panic}");
        }
    }));
    let places = ["new_span", "record", "event", "enter", "exit", "try_close"];
    for place in places.into_iter().chain(["describe", "count", "gauge", "histogram", "everywhere"]) {
        let panics = Arc::new(AtomicUsize::new(0));
        let count = panics.clone();
        let meddler = Meddler(Arc::new(move |asked| {
            if asked == place || place == "everywhere" {
                count.fetch_add(1, Ordering::SeqCst);
                panic!("meddled");
            }
        }));
        let _recording = metrics::set_default_local_recorder(&meddler);
        let _listening = tracing::subscriber::set_default(meddler.clone());
        let statuses = life(OAuth2Layer::new(grant())).await;
        assert_eq!(statuses, [0, 0, 0, 401, 200, 200, 200, 200], "{place}");
        assert!(panics.load(Ordering::SeqCst) > 0, "{place}");
    }
}

/// It uses the handle of the very cell that tells it. A lock held meanwhile would be a deadlock.
#[test]
fn that_calls_back_into_the_cell() {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let layer = OAuth2Layer::new(grant());
            let asked = Arc::new(AtomicUsize::new(0));
            let meddler = meddling(layer.clone(), asked.clone());
            let _recording = metrics::set_default_local_recorder(&meddler);
            let _listening = tracing::subscriber::set_default(meddler.clone());
            assert_eq!(life(layer).await.last(), Some(&200));
            assert!(asked.load(Ordering::SeqCst) > 50);
        });
        tell.send(()).unwrap();
    });
    // It is done at once, or never.
    told.recv_timeout(Duration::from_secs(60)).expect("a deadlock, or a failure of the thread");
}

/// A flight that nobody drives is dropped with what lets go of it, and its span with it.
#[test]
fn that_calls_back_when_a_flight_is_dropped() {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let layer = OAuth2Layer::new(grant());
        let asked = Arc::new(AtomicUsize::new(0));
        let meddler = meddling(layer.clone(), asked.clone());
        let _listening = tracing::subscriber::set_default(meddler.clone());
        let pending =
            service_fn(|_: http::Request<Body>| std::future::pending::<std::io::Result<http::Response<Body>>>());
        let mut service = layer.layer(pending);
        assert!(task::spawn(service.ready()).poll().is_pending());
        drop(service);
        let before = asked.load(Ordering::SeqCst);
        layer.tokens().set(Token::bearer("set").unwrap());
        assert!(asked.load(Ordering::SeqCst) > before);
        tell.send(()).unwrap();
    });
    told.recv_timeout(Duration::from_secs(20)).expect("a deadlock, or a failure of the thread");
}

/// Takes every lock that there is, and changes nothing.
fn meddling(layer: Layer, asked: Arc<AtomicUsize>) -> Meddler {
    thread_local! {
        static MEDDLING: Cell<bool> = const { Cell::new(false) };
    }
    Meddler(Arc::new(move |_| {
        // What it does is told to it, too.
        if !MEDDLING.replace(true) {
            asked.fetch_add(1, Ordering::SeqCst);
            let _ = layer.clone().smallest_gap(Duration::from_secs(30)).name("billing");
            drop(layer.tokens().changes());
            let _ = task::spawn(layer.tokens().get()).poll();
            MEDDLING.set(false);
        }
    }))
}
