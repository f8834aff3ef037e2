//! `Buffer`: one worker for many handles. It stops permanently if `poll_ready` fails.

use std::time::Duration;

use tower::Layer;
use tower::buffer::Buffer;

use crate::scenarios::{HERD, herd, herd_succeeds, recovers_from_failures, refreshes_after_ready};
use crate::support::{API, ELSEWHERE, MockServer, get, layer};

#[tokio::test(start_paused = true)]
async fn a_herd_over_the_layer() {
    for bound in [1, HERD] {
        let server = MockServer::default();
        herd_succeeds(&server, Buffer::new(layer().layer(server.clone()), bound)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_herd_under_the_layer() {
    for bound in [1, HERD] {
        let server = MockServer::default();
        server.script().token_latency = Duration::from_secs(1);
        herd_succeeds(&server, layer().layer(Buffer::new(server.clone(), bound))).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_over_the_layer() {
    let server = MockServer::default();
    recovers_from_failures(&server, Buffer::new(layer().layer(server.clone()), 1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_under_the_layer() {
    let server = MockServer::default();
    recovers_from_failures(&server, layer().layer(Buffer::new(server.clone(), 1))).await;
}

/// The request that holds the only slot of the queue releases it for the token request.
#[tokio::test(start_paused = true)]
async fn stale_readiness_under_the_layer() {
    let server = MockServer::default();
    refreshes_after_ready(&server, layer().layer(Buffer::new(server.clone(), 1))).await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_waits_for_the_token_drops_cancelled_requests() {
    let server = MockServer::default();
    server.script().token_latency = Duration::from_secs(5);
    let mut stack = Buffer::new(layer().layer(server.clone()), 1);
    let timed_out = tokio::time::timeout(Duration::from_secs(1), get(&mut stack, API)).await;
    assert!(timed_out.is_err());
    for response in herd(&stack).await {
        response.unwrap();
    }
    assert_eq!((server.token_requests(), server.received(API).len()), (1, HERD));
}

/// Between two buffers, and with a request to another origin.
#[tokio::test(start_paused = true)]
async fn over_and_under_the_layer() {
    let server = MockServer::default();
    let mut stack = Buffer::new(layer().layer(Buffer::new(server.clone(), 1)), 1);
    herd_succeeds(&server, stack.clone()).await;
    get(&mut stack, ELSEWHERE).await.unwrap();
    assert_eq!(server.authorizations(ELSEWHERE), [None]);
}
