//! `Buffer`: one worker serves many handles, and is dead for ever once `poll_ready` fails.

use std::time::Duration;

use tower::Layer;
use tower::buffer::Buffer;

use crate::conversations::{HERD, herd, herd_is_served, outlives_failures, renews_late};
use crate::support::{API, ELSEWHERE, World, get, layer};

#[tokio::test(start_paused = true)]
async fn a_herd_over_us() {
    for bound in [1, HERD] {
        let world = World::default();
        herd_is_served(&world, Buffer::new(layer().layer(world.clone()), bound)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_herd_under_us() {
    for bound in [1, HERD] {
        let world = World::default();
        world.script().token_takes = Duration::from_secs(1);
        herd_is_served(&world, layer().layer(Buffer::new(world.clone(), bound))).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_over_us() {
    let world = World::default();
    outlives_failures(&world, Buffer::new(layer().layer(world.clone()), 1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_under_us() {
    let world = World::default();
    outlives_failures(&world, layer().layer(Buffer::new(world.clone(), 1))).await;
}

/// What holds the only place in the queue gives it to the token call.
#[tokio::test(start_paused = true)]
async fn stale_readiness_under_us() {
    let world = World::default();
    renews_late(&world, layer().layer(Buffer::new(world.clone(), 1))).await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_waits_for_the_token_forgets_who_went_away() {
    let world = World::default();
    world.script().token_takes = Duration::from_secs(5);
    let mut stack = Buffer::new(layer().layer(world.clone()), 1);
    let impatient = tokio::time::timeout(Duration::from_secs(1), get(&mut stack, API)).await;
    assert!(impatient.is_err());
    for response in herd(&stack).await {
        response.unwrap();
    }
    assert_eq!((world.token_calls(), world.seen(API).len()), (1, HERD));
}

/// Between two buffers, and a request for nobody's token among the herd.
#[tokio::test(start_paused = true)]
async fn over_and_under_us() {
    let world = World::default();
    let mut stack = Buffer::new(layer().layer(Buffer::new(world.clone(), 1)), 1);
    herd_is_served(&world, stack.clone()).await;
    get(&mut stack, ELSEWHERE).await.unwrap();
    assert_eq!(world.authorizations(ELSEWHERE), [None]);
}
