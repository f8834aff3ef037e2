//! Readiness, permits, and runtimes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use tower::limit::ConcurrencyLimitLayer;
use tower::retry::RetryLayer;
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};
use tower_oauth2::Token;
use tower_oauth2::grant::{Context, grant_fn};
use tower_oauth2::retry::RetryUnauthorized;

use super::{layer, on_challenge, unauthorized};
use crate::support::{API_URL, Body, answer, authorization, get, mock_service};

#[test]
fn poll_ready_waits_for_no_token() {
    let (inner, mut handle) = tower_test::mock::pair::<http::Request<Body>, http::Response<Body>>();
    let mut service = tokio_test::task::spawn(layer().layer(inner));
    assert!(matches!(service.enter(|cx, mut service| service.poll_ready(cx)), Poll::Ready(Ok(()))));
    let mut sent = tokio_test::task::spawn(service.call(get(API_URL)));
    assert!(sent.poll().is_pending());
    let Poll::Ready(Some((request, _))) = tokio_test::task::spawn(handle.next_request()).poll() else {
        panic!("not sent")
    };
    assert_eq!((request.uri().to_string().as_str(), authorization(&request)), (API_URL, None));
}

/// A request that was ready with a token is sent without one if it was forgotten before the call.
#[tokio::test(start_paused = true)]
async fn the_token_is_forgotten_or_set_between_poll_ready_and_call() {
    let layer = layer();
    for (before, after) in [(Some("a"), None), (None, Some("b")), (Some("c"), Some("d"))] {
        let change = |token: Option<&str>| match token {
            Some(token) => layer.tokens().set(Token::bearer(token).unwrap()),
            None => layer.tokens().forget(),
        };
        let (mut service, mut server) = mock_service(&layer);
        change(before);
        service.ready().await.unwrap();
        change(after);
        let sent = tokio::spawn(service.call(get(API_URL)));
        let expected = after.map(|token| format!("Bearer {token}"));
        assert_eq!(server.next_authorization().await, expected);
        sent.await.unwrap().unwrap();
    }
}

/// A request that waits for the refresh of a token, which has expired between `poll_ready` and `call`.
#[tokio::test(start_paused = true)]
async fn a_called_request_that_waits_is_sent_without_a_token_after_forget() {
    let layer = layer();
    let (mut service, mut server) = mock_service(&layer);
    layer.tokens().set(Token::bearer("a").unwrap().with_expires_in(Duration::from_secs(3600)));
    service.ready().await.unwrap();
    tokio::time::sleep(Duration::from_secs(3601)).await;
    let sent = tokio::spawn(service.call(get(API_URL)));
    let (_, _respond_never) = server.token_request().await;
    layer.tokens().forget();
    assert_eq!(server.next_authorization().await, None);
    assert_eq!(sent.await.unwrap().unwrap().status(), 200);
    server.assert_no_request().await;
}

/// A thousand public requests pass while one request waits for the login, which takes minutes, although one permit is all there is.
#[tokio::test(start_paused = true)]
async fn a_request_that_waits_for_the_login_holds_no_permit() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    let layer = on_challenge(grant_fn(move |_: Context| {
        counter.fetch_add(1, Ordering::SeqCst);
        async {
            tokio::time::sleep(Duration::from_secs(120)).await;
            Token::bearer("a")
        }
    }));
    let api = service_fn(async |request: http::Request<Body>| {
        let is_public = request.uri().path() == "/public";
        let is_authorized = authorization(&request).is_some();
        Ok::<_, BoxError>(if is_public || is_authorized { answer(200, "") } else { unauthorized("Bearer") })
    });
    let service = layer.layer(ConcurrencyLimitLayer::new(1).layer(api));
    let service = RetryLayer::new(RetryUnauthorized::new()).layer(service);
    let waiting: Vec<_> = (0..10).map(|_| tokio::spawn(service.clone().oneshot(get(API_URL)))).collect();
    let began = tokio::time::Instant::now();
    while calls.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    for _ in 0..1000 {
        let response = service.clone().oneshot(get("https://api.example.com/public")).await.unwrap();
        assert_eq!(response.status(), 200);
    }
    assert!(began.elapsed() < Duration::from_secs(1));
    assert!(waiting.iter().all(|waiting| !waiting.is_finished()));
    for waiting in waiting {
        assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
    }
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

/// Without a runtime, the request whose 401 started the login polls it.
#[test]
fn the_login_makes_progress_without_a_runtime() {
    let layer = on_challenge(grant_fn(async |_: Context| Token::bearer("a")));
    let api = service_fn(async |request: http::Request<Body>| {
        Ok::<_, BoxError>(if authorization(&request).is_some() { answer(200, "") } else { unauthorized("Bearer") })
    });
    let service = RetryLayer::new(RetryUnauthorized::new()).layer(layer.layer(api));
    let mut sent = tokio_test::task::spawn(service.oneshot(get(API_URL)));
    for _ in 0..20 {
        if let Poll::Ready(response) = sent.poll() {
            return assert_eq!(response.unwrap().status(), 200);
        }
        assert!(sent.is_woken(), "a lost wake-up");
    }
    panic!("no end");
}
