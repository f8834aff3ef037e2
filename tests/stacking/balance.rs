//! `Balance`: several endpoints, kept ready ahead of the requests; one whose `poll_ready` fails is thrown out.

use std::time::Duration;

use tower::balance::p2c::Balance;
use tower::buffer::Buffer;
use tower::discover::ServiceList;
use tower::limit::ConcurrencyLimit;
use tower::load::Constant;
use tower::{Layer, Service, ServiceExt};
use tower_oauth2::ErrorKind;

use crate::conversations::{herd_is_served, outlives_failures};
use crate::support::{API, BACKOFF, Failure, LIFETIME, Request, Stack, World, layer, ours, request, soon};

type Endpoints<S> = ServiceList<Vec<Constant<S, usize>>>;

/// Two endpoints that are as good as each other.
fn balance<S: Stack>(endpoints: [S; 2]) -> Balance<Endpoints<S>, Request> {
    Balance::new(ServiceList::new::<Request>(endpoints.map(|endpoint| Constant::new(endpoint, 1)).into()))
}

fn twice<S: Clone>(endpoint: S) -> [S; 2] {
    [endpoint.clone(), endpoint]
}

/// An endpoint for one request at a time, so that a permit held in vain is missed.
fn limited(world: &World) -> ConcurrencyLimit<World> {
    ConcurrencyLimit::new(world.clone(), 1)
}

#[tokio::test(start_paused = true)]
async fn a_herd_over_us() {
    let world = World::default();
    world.script().token_takes = Duration::from_secs(1);
    herd_is_served(&world, Buffer::new(balance(twice(layer().layer(world.clone()))), 1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_herd_under_us() {
    let world = World::default();
    world.script().api_takes = Duration::from_secs(1);
    herd_is_served(&world, layer().layer(Buffer::new(balance([limited(&world), limited(&world)]), 1))).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_over_us() {
    let world = World::default();
    outlives_failures(&world, Buffer::new(balance(twice(layer().layer(world.clone()))), 1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_under_us() {
    let world = World::default();
    outlives_failures(&world, layer().layer(Buffer::new(balance([limited(&world), limited(&world)]), 1))).await;
}

/// Both endpoints learn of the failure, and neither is lost.
#[tokio::test(start_paused = true)]
async fn a_failure_leaves_every_endpoint() {
    let world = World::default();
    world.script().failures.push_back(Failure::Status(503));
    let mut stack = balance(twice(layer().layer(limited(&world))));
    for _ in 0..2 {
        let error = soon(soon(stack.ready()).await.unwrap().call(request(API))).await.unwrap_err();
        assert_eq!(ours(&error).kind(), ErrorKind::Overloaded);
    }
    tokio::time::sleep(BACKOFF).await;
    for _ in 0..4 {
        soon(soon(stack.ready()).await.unwrap().call(request(API))).await.unwrap();
    }
    assert_eq!((stack.len(), world.token_calls()), (2, 2));
}

/// Each endpoint has only one place, and was ready while the token was still good.
#[tokio::test(start_paused = true)]
async fn stale_readiness_over_us() {
    let world = World::default();
    let oauth2 = layer();
    let mut stack = balance([oauth2.layer(limited(&world)), oauth2.layer(limited(&world))]);
    soon(stack.ready()).await.unwrap();
    tokio::time::advance(LIFETIME).await;

    let first = soon(stack.ready()).await.unwrap().call(request(API));
    let second = soon(stack.ready()).await.unwrap().call(request(API));
    let (first, second) = soon(async { tokio::join!(first, second) }).await;
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(world.token_calls(), 2);
    assert_eq!(world.authorizations(API), vec![Some("Bearer t2".to_owned()); 2]);
}
