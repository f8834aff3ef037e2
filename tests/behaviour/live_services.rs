//! Handles send token requests through the newest service of the layer, and keep no service alive.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, Request, Response, StatusCode};
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service as _, ServiceExt, service_fn};
use tower_oauth2::client::Client;
use tower_oauth2::grant::ClientCredentials;
use tower_oauth2::{ErrorKind, OAuth2, OAuth2Layer, Token};

use crate::support::{API_URL, Body, TOKEN_URL, answer, get, grant, layer, mock_service, pass, token};

type Connection = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;
type Through = OAuth2<Connection, ClientCredentials>;

/// The names of the connections that token requests were sent through.
type Log = Arc<Mutex<Vec<&'static str>>>;

/// Returns a connection with this name. It is open while the `Arc<()>` is shared.
fn connection(name: &'static str, log: &Log) -> (Connection, Arc<()>) {
    let (log, open) = (log.clone(), Arc::new(()));
    let held = open.clone();
    let service = service_fn(move |request: Request<Body>| {
        let _held = held.clone();
        if request.uri() == TOKEN_URL {
            log.lock().unwrap().push(name);
        }
        std::future::ready(Ok::<_, Infallible>(answer(200, token(name, 3600))))
    });
    (Connection::new(service), open)
}

/// Returns a service that was polled once, so that handles use it.
async fn connected(layer: &OAuth2Layer<ClientCredentials>, name: &'static str, log: &Log) -> (Through, Arc<()>) {
    let (connection, open) = connection(name, log);
    let mut service = layer.layer(connection);
    service.ready().await.unwrap();
    (service, open)
}

fn is_open(connection: &Arc<()>) -> bool {
    Arc::strong_count(connection) > 1
}

#[tokio::test(start_paused = true)]
async fn the_newest_service_that_was_not_dropped_is_used() {
    let (layer, log) = (layer(), Log::default());
    let tokens = layer.tokens();
    tokens.set(Token::bearer("set").unwrap());
    let (one, _) = connected(&layer, "one", &log).await;
    let (two, _) = connected(&layer, "two", &log).await;
    let (three, _) = connected(&layer, "three", &log).await;
    tokens.refresh().await.unwrap();
    drop(three);
    tokens.refresh().await.unwrap();
    drop(one);
    tokens.refresh().await.unwrap();
    // A clone keeps the service alive.
    let clone = two.clone();
    drop(two);
    tokens.refresh().await.unwrap();
    drop(clone);
    assert_eq!(tokens.refresh().await.unwrap_err().kind(), ErrorKind::NoTransport);
    assert_eq!(*log.lock().unwrap(), ["three", "two", "two", "two"]);
    // Another service is created.
    let (_four, _) = connected(&layer, "four", &log).await;
    assert_eq!(tokens.refresh().await.unwrap().access_token(), "four");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_service_is_not_kept_alive_by_the_layer_or_a_handle() {
    let (layer, log) = (layer(), Log::default());
    let tokens = layer.tokens();
    let (service, open) = connected(&layer, "one", &log).await;
    tokens.refresh().await.unwrap();
    pass(Duration::from_secs(1)).await;
    assert!(is_open(&open));
    drop(service);
    assert!(!is_open(&open), "the layer or the handle keeps the service alive");
    assert_eq!(tokens.get().await.unwrap().access_token(), "one");
}

/// The same after a waiting request, a rejection, and a proactive refresh.
#[tokio::test(start_paused = true)]
async fn a_dropped_service_is_not_kept_alive_by_earlier_requests() {
    for status in [200, 401] {
        let (layer, open) = (layer(), Arc::new(()));
        let held = open.clone();
        let mut service = layer.layer(service_fn(move |request: Request<Body>| {
            let _held = held.clone();
            let is_token_request = request.uri() == TOKEN_URL;
            std::future::ready(Ok::<_, Infallible>(match is_token_request {
                true => answer(200, token("a", 3600)),
                false => answer(status, ""),
            }))
        }));
        for _ in 0..3 {
            service.ready().await.unwrap().call(get(API_URL)).await.unwrap();
            pass(Duration::from_secs(3400)).await;
        }
        drop(service);
        pass(Duration::from_millis(1)).await;
        assert!(!is_open(&open), "after {status}");
    }
}

#[tokio::test(start_paused = true)]
async fn many_services_one_after_the_other_are_all_dropped() {
    let (layer, log) = (layer(), Log::default());
    layer.tokens().set(Token::bearer("set").unwrap());
    for _ in 0..100 {
        let (service, open) = connected(&layer, "short", &log).await;
        drop(service);
        assert!(!is_open(&open));
    }
}

/// The token request of a waiting request is sent through its own service, because the connection of another one may be broken.
#[tokio::test(start_paused = true)]
async fn a_request_that_waits_uses_its_own_service() {
    let (layer, log) = (layer(), Log::default());
    layer.tokens().set(Token::bearer("set").unwrap());
    let (one, _) = connected(&layer, "one", &log).await;
    let (_two, _) = connected(&layer, "two", &log).await;
    layer.tokens().forget();
    one.oneshot(get(API_URL)).await.unwrap();
    assert_eq!(*log.lock().unwrap(), ["one"]);
}

/// The `token_service` sends all token requests.
#[tokio::test(start_paused = true)]
async fn the_token_service_is_used_instead_of_the_services() {
    let log = Log::default();
    let (fixed, open) = connection("fixed", &log);
    let layer = OAuth2Layer::new(ClientCredentials::new(TOKEN_URL, Client::basic("id", "secret")).unwrap())
        .token_service(fixed);
    let (inner, _) = connection("inner", &log);
    let mut service = layer.layer(inner);
    service.ready().await.unwrap();
    layer.tokens().refresh().await.unwrap();
    drop(service);
    layer.tokens().refresh().await.unwrap();
    assert_eq!(*log.lock().unwrap(), ["fixed", "fixed", "fixed"]);
    drop(layer);
    assert!(!is_open(&open));
}

type Calls = Arc<AtomicUsize>;

/// A predicate that counts its calls.
fn counting(calls: &Calls, rejects: bool) -> impl Fn(StatusCode, &HeaderMap) -> bool + Send + Sync + 'static {
    let calls = calls.clone();
    move |_, _| {
        calls.fetch_add(1, Ordering::SeqCst);
        rejects
    }
}

/// A late response of a dropped layer does not affect another layer. In real time, because a paused clock disables the fast path.
#[tokio::test]
async fn a_late_response_does_not_reach_the_next_layer() {
    for (with_predicate, is_accepted, status) in
        [(true, true, 200), (true, false, 401), (false, false, 401), (false, true, 401), (false, true, 200)]
    {
        let first_calls = Calls::default();
        let first = if with_predicate { layer().reject_when(counting(&first_calls, false)) } else { layer() };
        let (service, mut server) = mock_service(&first);
        service.tokens().set(Token::bearer("first").unwrap());
        for _ in 0..2 {
            let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
            server.next_authorization().await;
            sent.await.unwrap().unwrap();
        }
        // A layer observes all responses to a token that no response has accepted yet. Other responses are reported by generation.
        if !is_accepted {
            service.tokens().set(Token::bearer("second").unwrap());
        }
        let late = tokio::spawn(service.oneshot(get(API_URL)));
        let (_, respond) = server.next().await;
        let calls_before = first_calls.load(Ordering::SeqCst);
        drop(first);

        // Many layers, each of which could reuse the memory of the first.
        let calls = Calls::default();
        let layers: Vec<_> = (0..50)
            .map(|_| {
                let layer = OAuth2Layer::new(grant()).reject_when(counting(&calls, true));
                layer.tokens().set(Token::bearer("next").unwrap());
                layer
            })
            .collect();
        respond.send_response(answer(status, ""));
        assert_eq!(late.await.unwrap().unwrap().status().as_u16(), status);
        assert_eq!(calls.load(Ordering::SeqCst), 0, "it reached another layer");
        assert_eq!(first_calls.load(Ordering::SeqCst), calls_before, "the predicate of a dropped layer was called");
        for layer in layers {
            assert_eq!(layer.tokens().peek().unwrap().access_token(), "next");
        }
    }
}

/// Each of two layers handles only the rejections of its own token.
#[tokio::test(start_paused = true)]
async fn a_rejection_affects_only_its_own_layer() {
    let (one, two) = (layer(), layer());
    let (good, mut good_server) = mock_service(&one);
    let (bad, mut bad_server) = mock_service(&two);
    for service in [&good, &bad] {
        service.tokens().set(Token::bearer("a").unwrap());
    }
    let sent = tokio::spawn(bad.clone().oneshot(get(API_URL)));
    bad_server.next().await.1.send_response(answer(401, ""));
    sent.await.unwrap().unwrap();
    assert_eq!(bad.tokens().peek(), None);
    let sent = tokio::spawn(good.oneshot(get(API_URL)));
    assert_eq!(good_server.next_authorization().await.as_deref(), Some("Bearer a"));
    sent.await.unwrap().unwrap();
}

/// A predicate that is set on a layer in use applies to the next request, also on the fast path, which a paused clock disables.
#[tokio::test]
async fn reject_when_on_a_layer_in_use() {
    let layer = layer();
    let (mut service, mut server) = mock_service(&layer);
    service.tokens().set(Token::bearer("a").unwrap());
    for _ in 0..3 {
        let sent = service.ready().await.unwrap().call(get(API_URL));
        server.next_authorization().await;
        sent.await.unwrap();
    }
    // The service is ready before the predicate is set, and the request is sent afterwards.
    service.ready().await.unwrap();
    let calls = Calls::default();
    let layer = layer.reject_when(counting(&calls, true));
    let sent = service.call(get(API_URL));
    server.next_authorization().await;
    sent.await.unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    server.issue_token(token("b", 3600)).await;
    drop(layer);
}
