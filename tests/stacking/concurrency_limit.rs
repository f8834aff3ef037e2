//! `ConcurrencyLimit`: a ready service holds a permit, and so does an answer that is awaited.

use std::time::Duration;

use tower::limit::ConcurrencyLimit;
use tower::{Layer, Service, ServiceExt};

use crate::conversations::{HERD, herd, herd_is_served, outlives_failures, renews_late};
use crate::support::{API, LIFETIME, World, layer, request, soon};

#[tokio::test(start_paused = true)]
async fn a_herd_over_us() {
    let world = World::default();
    world.script().api_takes = Duration::from_secs(1);
    herd_is_served(&world, ConcurrencyLimit::new(layer().layer(world.clone()), 1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_herd_under_us() {
    let world = World::default();
    world.script().api_takes = Duration::from_secs(1);
    world.script().token_takes = Duration::from_secs(1);
    herd_is_served(&world, layer().layer(ConcurrencyLimit::new(world.clone(), 1))).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_over_us() {
    let world = World::default();
    outlives_failures(&world, ConcurrencyLimit::new(layer().layer(world.clone()), 1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_under_us() {
    let world = World::default();
    outlives_failures(&world, layer().layer(ConcurrencyLimit::new(world.clone(), 1))).await;
}

/// The request that waits late holds no permit: the token call has the only one, and afterwards the request.
#[tokio::test(start_paused = true)]
async fn stale_readiness_under_us() {
    let world = World::default();
    renews_late(&world, layer().layer(ConcurrencyLimit::new(world.clone(), 1))).await;
}

/// A request that is refused late gives its permit back too.
#[tokio::test(start_paused = true)]
async fn stale_readiness_of_a_refused_request() {
    let world = World::default();
    let stack = layer().refuse_foreign_origins().layer(ConcurrencyLimit::new(world.clone(), 1));
    let mut refused = stack.clone();
    soon(refused.ready()).await.unwrap();
    soon(refused.call(request("https://elsewhere.example/"))).await.unwrap_err();
    soon(stack.oneshot(request(API))).await.unwrap();
}

/// The token expires while most of a herd queues for the permit: the token call is behind them, and gets through.
#[tokio::test(start_paused = true)]
async fn an_expiry_in_the_middle_of_the_queue() {
    let world = World::default();
    let stack = layer().layer(ConcurrencyLimit::new(world.clone(), 1));
    soon(stack.clone().oneshot(request(API))).await.unwrap();
    tokio::time::sleep(LIFETIME - Duration::from_secs(250)).await;

    // About half of them until the token expires.
    world.script().api_takes = Duration::from_secs(5);
    for response in herd(&stack).await {
        response.unwrap();
    }
    let late = world.authorizations(API).iter().filter(|sent| **sent != Some("Bearer t1".to_owned())).count();
    assert!((1..HERD).contains(&late), "{late} of the herd were sent with a newer token");
    assert!(world.token_calls() >= 2);
}
