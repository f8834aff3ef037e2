//! `Balance` keeps several endpoints ready before requests, and drops one whose `poll_ready` fails.

use std::time::Duration;

use tower::balance::p2c::Balance;
use tower::buffer::Buffer;
use tower::discover::ServiceList;
use tower::limit::ConcurrencyLimit;
use tower::load::Constant;
use tower::{Layer, Service, ServiceExt};
use tower_oauth2::ErrorKind;

use crate::scenarios::{herd_succeeds, recovers_from_failures};
use crate::support::{
    API, BACKOFF, Failure, LIFETIME, MockServer, Request, Stack, layer, oauth_error, request, within_timeout,
};

type Endpoints<S> = ServiceList<Vec<Constant<S, usize>>>;

/// A balancer over two endpoints with the same load.
fn balance<S: Stack>(endpoints: [S; 2]) -> Balance<Endpoints<S>, Request> {
    Balance::new(ServiceList::new::<Request>(endpoints.map(|endpoint| Constant::new(endpoint, 1)).into()))
}

fn twice<S: Clone>(endpoint: S) -> [S; 2] {
    [endpoint.clone(), endpoint]
}

/// An endpoint for one request at a time, so that a test detects a permit that is not released.
fn limited(server: &MockServer) -> ConcurrencyLimit<MockServer> {
    ConcurrencyLimit::new(server.clone(), 1)
}

#[tokio::test(start_paused = true)]
async fn a_herd_over_the_layer() {
    let server = MockServer::default();
    server.script().token_latency = Duration::from_secs(1);
    herd_succeeds(&server, Buffer::new(balance(twice(layer().layer(server.clone()))), 1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_herd_under_the_layer() {
    let server = MockServer::default();
    server.script().api_latency = Duration::from_secs(1);
    herd_succeeds(&server, layer().layer(Buffer::new(balance([limited(&server), limited(&server)]), 1))).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_over_the_layer() {
    let server = MockServer::default();
    recovers_from_failures(&server, Buffer::new(balance(twice(layer().layer(server.clone()))), 1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_under_the_layer() {
    let server = MockServer::default();
    recovers_from_failures(&server, layer().layer(Buffer::new(balance([limited(&server), limited(&server)]), 1))).await;
}

/// Requests through both endpoints get the failure, and neither endpoint is dropped.
#[tokio::test(start_paused = true)]
async fn a_failure_leaves_every_endpoint() {
    let server = MockServer::default();
    server.script().failures.push_back(Failure::Status(503));
    let mut stack = balance(twice(layer().layer(limited(&server))));
    for _ in 0..2 {
        let error = within_timeout(within_timeout(stack.ready()).await.unwrap().call(request(API))).await.unwrap_err();
        assert_eq!(oauth_error(&error).kind(), ErrorKind::Overloaded);
    }
    tokio::time::sleep(BACKOFF).await;
    for _ in 0..4 {
        within_timeout(within_timeout(stack.ready()).await.unwrap().call(request(API))).await.unwrap();
    }
    assert_eq!((stack.len(), server.token_requests()), (2, 2));
}

/// Each endpoint has one permit, and was ready before the token expired.
#[tokio::test(start_paused = true)]
async fn stale_readiness_over_the_layer() {
    let server = MockServer::default();
    let oauth2 = layer();
    let mut stack = balance([oauth2.layer(limited(&server)), oauth2.layer(limited(&server))]);
    within_timeout(stack.ready()).await.unwrap();
    tokio::time::advance(LIFETIME).await;

    let first = within_timeout(stack.ready()).await.unwrap().call(request(API));
    let second = within_timeout(stack.ready()).await.unwrap().call(request(API));
    let (first, second) = within_timeout(async { tokio::join!(first, second) }).await;
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(server.token_requests(), 2);
    assert_eq!(server.authorizations(API), vec![Some("Bearer t2".to_owned()); 2]);
}
