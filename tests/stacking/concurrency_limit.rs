//! `ConcurrencyLimit`: a ready service holds a permit, and so does a response future.

use std::time::Duration;

use tower::limit::ConcurrencyLimit;
use tower::{Layer, Service, ServiceExt};

use crate::scenarios::{HERD, herd, herd_succeeds, recovers_from_failures, refreshes_after_ready};
use crate::support::{API, LIFETIME, MockServer, layer, request, within_timeout};

#[tokio::test(start_paused = true)]
async fn a_herd_over_the_layer() {
    let server = MockServer::default();
    server.script().api_latency = Duration::from_secs(1);
    herd_succeeds(&server, ConcurrencyLimit::new(layer().layer(server.clone()), 1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_herd_under_the_layer() {
    let server = MockServer::default();
    server.script().api_latency = Duration::from_secs(1);
    server.script().token_latency = Duration::from_secs(1);
    herd_succeeds(&server, layer().layer(ConcurrencyLimit::new(server.clone(), 1))).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_over_the_layer() {
    let server = MockServer::default();
    recovers_from_failures(&server, ConcurrencyLimit::new(layer().layer(server.clone()), 1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_under_the_layer() {
    let server = MockServer::default();
    recovers_from_failures(&server, layer().layer(ConcurrencyLimit::new(server.clone(), 1))).await;
}

/// A request that waits in `call` releases its permit: the token request gets the only one, and then the request.
#[tokio::test(start_paused = true)]
async fn stale_readiness_under_the_layer() {
    let server = MockServer::default();
    refreshes_after_ready(&server, layer().layer(ConcurrencyLimit::new(server.clone(), 1))).await;
}

/// A request that is denied in `call` releases its permit, too.
#[tokio::test(start_paused = true)]
async fn stale_readiness_of_a_denied_request() {
    let server = MockServer::default();
    let stack = layer().deny_other_origins().layer(ConcurrencyLimit::new(server.clone(), 1));
    let mut denied = stack.clone();
    within_timeout(denied.ready()).await.unwrap();
    within_timeout(denied.call(request("https://elsewhere.example/"))).await.unwrap_err();
    within_timeout(stack.oneshot(request(API))).await.unwrap();
}

/// The token expires while most of a herd waits for the permit: the token request gets a permit, too.
#[tokio::test(start_paused = true)]
async fn an_expiry_in_the_middle_of_the_queue() {
    let server = MockServer::default();
    let stack = layer().layer(ConcurrencyLimit::new(server.clone(), 1));
    within_timeout(stack.clone().oneshot(request(API))).await.unwrap();
    tokio::time::sleep(LIFETIME - Duration::from_secs(250)).await;

    // About half of the requests are sent before the token expires.
    server.script().api_latency = Duration::from_secs(5);
    for response in herd(&stack).await {
        response.unwrap();
    }
    let late = server.authorizations(API).iter().filter(|sent| **sent != Some("Bearer t1".to_owned())).count();
    assert!((1..HERD).contains(&late), "{late} of the herd were sent with a newer token");
    assert!(server.token_requests() >= 2);
}
