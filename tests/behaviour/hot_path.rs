//! The fast path reads no clocks, and sends no expired token.

use std::convert::Infallible;
use std::time::Duration;

use http::Request;
use http_body_util::BodyExt;
use tokio_test::task;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_oauth2::grant::{Context, grant_fn};
use tower_oauth2::{OAuth2Layer, Token, Tokens};

use crate::support::{API_URL, Body, answer, authorization, get, layer, mock_service, token};

/// Returns a function that sends a request and returns its `Authorization` header. The first token has this lifetime.
fn sender(lifetime: Duration) -> (Tokens, impl AsyncFnMut() -> String) {
    let layer = OAuth2Layer::new(grant_fn(async |_: Context| Token::bearer("second")));
    layer.tokens().set(Token::bearer("first").unwrap().with_expires_in(lifetime));
    let echo = async |request: Request<Body>| Ok::<_, Infallible>(answer(200, authorization(&request).unwrap()));
    let (tokens, mut service) = (layer.tokens(), layer.layer(service_fn(echo)));
    let send = async move || {
        let response = service.ready().await.unwrap().call(get(API_URL)).await.unwrap();
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().into()).unwrap()
    };
    (tokens, send)
}

#[test]
fn a_token_that_expired_while_the_runtime_was_blocked_is_not_sent() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let lifetime = Duration::from_millis(400);
    let (_tokens, mut send) = sender(lifetime);
    assert_eq!(runtime.block_on(send()), "Bearer first");
    // In real time. The timers of the runtime are not polled meanwhile.
    std::thread::sleep(lifetime);
    assert_eq!(runtime.block_on(send()), "Bearer second");
}

#[test]
fn a_runtime_without_timers_is_sufficient() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (tokens, mut send) = sender(Duration::from_secs(3600));
    for _ in 0..3 {
        assert_eq!(runtime.block_on(send()), "Bearer first");
    }
    tokens.set(Token::bearer("third").unwrap());
    assert_eq!(runtime.block_on(send()), "Bearer third");
}

#[tokio::test(start_paused = true)]
async fn the_next_request_uses_a_changed_token() {
    let (tokens, mut send) = sender(Duration::from_secs(3600));
    assert_eq!(send().await, "Bearer first");
    tokens.set(Token::bearer("third").unwrap());
    assert_eq!(send().await, "Bearer third");
    tokens.invalidate();
    assert_eq!(send().await, "Bearer second");
}

#[tokio::test(start_paused = true)]
async fn readiness_is_valid_for_one_request() {
    let layer = layer();
    layer.tokens().set(Token::bearer("first").unwrap());
    let (mut service, mut server) = mock_service(&layer);
    for uri in [API_URL, "http://127.0.0.1/", "/things"] {
        let response = service.ready().await.unwrap().call(get(uri));
        assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer first"), "{uri}");
        response.await.unwrap();
        layer.tokens().invalidate();
        let mut ready = task::spawn(service.ready());
        assert!(ready.poll().is_pending(), "{uri}");
        server.issue_token(token("first", 3600)).await;
        ready.await.unwrap();
    }
}

#[tokio::test]
async fn a_rejection_for_a_dropped_layer_does_not_affect_another_layer() {
    let first = layer();
    first.tokens().set(Token::bearer("of-the-first").unwrap());
    let (service, mut server) = mock_service(&first);
    let sent = tokio::spawn(service.oneshot(get(API_URL)));
    let (_, respond) = server.next().await;
    drop(first);

    // The second layer may reuse memory of the first one.
    let second = layer();
    let (mut service, mut other) = mock_service(&second);
    let served = tokio::spawn(service.clone().oneshot(get(API_URL)));
    other.issue_token(token("a", 3600)).await;
    assert_eq!(other.next_authorization().await.as_deref(), Some("Bearer a"));
    served.await.unwrap().unwrap();

    respond.send_response(answer(401, ""));
    assert_eq!(sent.await.unwrap().unwrap().status(), 401);
    let served = tokio::spawn(async move { service.ready().await?.call(get(API_URL)).await });
    assert_eq!(other.next_authorization().await.as_deref(), Some("Bearer a"));
    served.await.unwrap().unwrap();
}
