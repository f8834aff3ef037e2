//! `Timeout` drops the future of a request.

use std::time::Duration;

use tower::buffer::Buffer;
use tower::timeout::Timeout;
use tower::timeout::error::Elapsed;
use tower::{Layer, Service, ServiceExt};
use tower_oauth2::ErrorKind;

use crate::scenarios::{HERD, herd, herd_succeeds, recovers_from_failures};
use crate::support::{API, BACKOFF, LIFETIME, MockServer, get, layer, oauth_error, request, within_timeout};

const LIMIT: Duration = Duration::from_secs(1);
const TOO_LONG: Duration = Duration::from_secs(5);

#[tokio::test(start_paused = true)]
async fn a_herd_over_the_layer() {
    let server = MockServer::default();
    // The timeout is for `call`. The wait for a token is in `poll_ready`.
    server.script().token_latency = TOO_LONG;
    herd_succeeds(&server, Timeout::new(layer().layer(server.clone()), LIMIT)).await;
}

#[tokio::test(start_paused = true)]
async fn a_herd_under_the_layer() {
    let server = MockServer::default();
    server.script().token_latency = LIMIT / 2;
    herd_succeeds(&server, layer().layer(Timeout::new(server.clone(), LIMIT))).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_over_the_layer() {
    let server = MockServer::default();
    recovers_from_failures(&server, Timeout::new(layer().layer(server.clone()), LIMIT)).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_under_the_layer() {
    let server = MockServer::default();
    recovers_from_failures(&server, layer().layer(Timeout::new(server.clone(), LIMIT))).await;
}

/// The timeout elapses while `call` waits for a token: the token request continues for the next request.
#[tokio::test(start_paused = true)]
async fn it_fires_while_a_late_request_waits() {
    let server = MockServer::default();
    let oauth2 = layer();
    let mut stack = Timeout::new(oauth2.layer(server.clone()), LIMIT);
    within_timeout(stack.ready()).await.unwrap();
    tokio::time::advance(LIFETIME).await;

    server.script().token_latency = TOO_LONG;
    assert!(within_timeout(stack.call(request(API))).await.unwrap_err().is::<Elapsed>());
    tokio::time::sleep(TOO_LONG).await;
    assert_eq!(oauth2.tokens().peek().unwrap().access_token(), "t2");
    get(&mut stack, API).await.unwrap();
    assert_eq!(server.token_requests(), 2);
    assert_eq!(server.authorizations(API), [Some("Bearer t2".to_owned())]);
}

/// The same with a buffer in between, whose worker waits in `poll_ready`.
#[tokio::test(start_paused = true)]
async fn it_fires_while_requests_wait_in_a_buffer() {
    let server = MockServer::default();
    server.script().token_latency = TOO_LONG;
    let oauth2 = layer();
    let mut stack = Timeout::new(Buffer::new(oauth2.layer(server.clone()), HERD), LIMIT);
    for response in herd(&stack).await {
        assert!(response.unwrap_err().is::<Elapsed>());
    }
    tokio::time::sleep(TOO_LONG).await;
    assert_eq!(oauth2.tokens().peek().unwrap().access_token(), "t1");
    get(&mut stack, API).await.unwrap();
    assert_eq!((server.token_requests(), server.received(API).len()), (1, 1));
}

/// The caller drops the request before the stack is ready.
#[tokio::test(start_paused = true)]
async fn it_fires_while_the_stack_gets_ready() {
    let server = MockServer::default();
    server.script().token_latency = TOO_LONG;
    let oauth2 = layer();
    let mut stack = oauth2.layer(server.clone());
    assert!(tokio::time::timeout(LIMIT, stack.clone().oneshot(request(API))).await.is_err());
    tokio::time::sleep(TOO_LONG).await;
    assert_eq!(oauth2.tokens().peek().unwrap().access_token(), "t1");
    get(&mut stack, API).await.unwrap();
    assert_eq!((server.token_requests(), server.received(API).len()), (1, 1));
}

/// Inside, the timeout applies to token requests, too.
#[tokio::test(start_paused = true)]
async fn it_fires_on_the_token_request() {
    let server = MockServer::default();
    server.script().token_latency = TOO_LONG;
    let mut stack = layer().layer(Timeout::new(server.clone(), LIMIT));
    let error = get(&mut stack, API).await.unwrap_err();
    assert_eq!(oauth_error(&error).kind(), ErrorKind::Transport);
    assert!(std::error::Error::source(oauth_error(&error)).unwrap().is::<Elapsed>());

    server.script().token_latency = Duration::ZERO;
    tokio::time::sleep(BACKOFF).await;
    get(&mut stack, API).await.unwrap();
    assert_eq!((server.token_requests(), server.received(API).len()), (2, 1));
}
