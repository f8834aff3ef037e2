//! With a fresh token nothing is asked that takes time, the clocks least of all; and yet no dead token is sent.

use std::convert::Infallible;
use std::time::Duration;

use http::Request;
use http_body_util::BodyExt;
use tokio_test::task;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_oauth2::{OAuth2Layer, Token, Tokens, transport::Transport};

use crate::support::{API_URL, Body, answer, authorization, conversation, get, layer, token};

/// Sends requests with one service, whose first token has that lifetime, and tells what they carried.
fn sender(lifetime: Duration) -> (Tokens, impl AsyncFnMut() -> String) {
    let layer = OAuth2Layer::new(async |_: Option<Token>, _: Transport| Token::bearer("second"));
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
fn a_runtime_that_stood_still_has_not_missed_the_expiry() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let lifetime = Duration::from_millis(400);
    let (_tokens, mut send) = sender(lifetime);
    assert_eq!(runtime.block_on(send()), "Bearer first");
    // The real time: nobody drives the timers of the runtime meanwhile.
    std::thread::sleep(lifetime);
    assert_eq!(runtime.block_on(send()), "Bearer second");
}

#[test]
fn a_runtime_without_timers_will_do() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (tokens, mut send) = sender(Duration::from_secs(3600));
    for _ in 0..3 {
        assert_eq!(runtime.block_on(send()), "Bearer first");
    }
    tokens.set(Token::bearer("third").unwrap());
    assert_eq!(runtime.block_on(send()), "Bearer third");
}

#[tokio::test(start_paused = true)]
async fn what_is_done_to_the_token_is_seen_by_the_next_request() {
    let (tokens, mut send) = sender(Duration::from_secs(3600));
    assert_eq!(send().await, "Bearer first");
    tokens.set(Token::bearer("third").unwrap());
    assert_eq!(send().await, "Bearer third");
    tokens.invalidate();
    assert_eq!(send().await, "Bearer second");
}

#[tokio::test(start_paused = true)]
async fn readiness_counts_for_one_request_whichever_way_it_goes() {
    let layer = layer();
    layer.tokens().set(Token::bearer("first").unwrap());
    let (mut service, mut server) = conversation(&layer);
    for uri in [API_URL, "http://127.0.0.1/", "/things"] {
        let response = service.ready().await.unwrap().call(get(uri));
        assert_eq!(server.serves().await.as_deref(), Some("Bearer first"), "{uri}");
        response.await.unwrap();
        layer.tokens().invalidate();
        let mut ready = task::spawn(service.ready());
        assert!(ready.poll().is_pending(), "{uri}");
        server.grants(token("first", 3600)).await;
        ready.await.unwrap();
    }
}

#[tokio::test]
async fn a_refusal_for_a_layer_that_is_gone_is_no_refusal_for_another() {
    let first = layer();
    first.tokens().set(Token::bearer("of-the-first").unwrap());
    let (service, mut server) = conversation(&first);
    let sent = tokio::spawn(service.oneshot(get(API_URL)));
    let (_, respond) = server.next().await;
    drop(first);

    // It may get what the first one had.
    let second = layer();
    let (mut service, mut other) = conversation(&second);
    let served = tokio::spawn(service.clone().oneshot(get(API_URL)));
    other.grants(token("a", 3600)).await;
    assert_eq!(other.serves().await.as_deref(), Some("Bearer a"));
    served.await.unwrap().unwrap();

    respond.send_response(answer(401, ""));
    assert_eq!(sent.await.unwrap().unwrap().status(), 401);
    let served = tokio::spawn(async move { service.ready().await?.call(get(API_URL)).await });
    assert_eq!(other.serves().await.as_deref(), Some("Bearer a"));
    served.await.unwrap().unwrap();
}
