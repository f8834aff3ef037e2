//! `Timeout`: it drops the future of a request, and with it whatever runs inside.

use std::time::Duration;

use tower::buffer::Buffer;
use tower::timeout::Timeout;
use tower::timeout::error::Elapsed;
use tower::{Layer, Service, ServiceExt};
use tower_oauth2::ErrorKind;

use crate::conversations::{HERD, herd, herd_is_served, outlives_failures};
use crate::support::{API, BACKOFF, LIFETIME, World, get, layer, ours, request, soon};

const LIMIT: Duration = Duration::from_secs(1);
const TOO_LONG: Duration = Duration::from_secs(5);

#[tokio::test(start_paused = true)]
async fn a_herd_over_us() {
    let world = World::default();
    // The limit is for `call`. Waiting for the token is part of getting ready.
    world.script().token_takes = TOO_LONG;
    herd_is_served(&world, Timeout::new(layer().layer(world.clone()), LIMIT)).await;
}

#[tokio::test(start_paused = true)]
async fn a_herd_under_us() {
    let world = World::default();
    world.script().token_takes = LIMIT / 2;
    herd_is_served(&world, layer().layer(Timeout::new(world.clone(), LIMIT))).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_over_us() {
    let world = World::default();
    outlives_failures(&world, Timeout::new(layer().layer(world.clone()), LIMIT)).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_under_us() {
    let world = World::default();
    outlives_failures(&world, layer().layer(Timeout::new(world.clone(), LIMIT))).await;
}

/// The time is up while `call` waits for the token: the token call goes on for the next request.
#[tokio::test(start_paused = true)]
async fn it_fires_while_a_late_request_waits() {
    let world = World::default();
    let oauth2 = layer();
    let mut stack = Timeout::new(oauth2.layer(world.clone()), LIMIT);
    soon(stack.ready()).await.unwrap();
    tokio::time::advance(LIFETIME).await;

    world.script().token_takes = TOO_LONG;
    assert!(soon(stack.call(request(API))).await.unwrap_err().is::<Elapsed>());
    tokio::time::sleep(TOO_LONG).await;
    assert_eq!(oauth2.tokens().peek().unwrap().access_token(), "t2");
    get(&mut stack, API).await.unwrap();
    assert_eq!(world.token_calls(), 2);
    assert_eq!(world.authorizations(API), [Some("Bearer t2".to_owned())]);
}

/// The same with the worker of a buffer in between, which waits in `poll_ready` on behalf of all.
#[tokio::test(start_paused = true)]
async fn it_fires_while_requests_wait_in_a_buffer() {
    let world = World::default();
    world.script().token_takes = TOO_LONG;
    let oauth2 = layer();
    let mut stack = Timeout::new(Buffer::new(oauth2.layer(world.clone()), HERD), LIMIT);
    for response in herd(&stack).await {
        assert!(response.unwrap_err().is::<Elapsed>());
    }
    tokio::time::sleep(TOO_LONG).await;
    assert_eq!(oauth2.tokens().peek().unwrap().access_token(), "t1");
    get(&mut stack, API).await.unwrap();
    assert_eq!((world.token_calls(), world.seen(API).len()), (1, 1));
}

/// The caller itself goes away, before the stack is even ready.
#[tokio::test(start_paused = true)]
async fn it_fires_while_the_stack_gets_ready() {
    let world = World::default();
    world.script().token_takes = TOO_LONG;
    let oauth2 = layer();
    let mut stack = oauth2.layer(world.clone());
    assert!(tokio::time::timeout(LIMIT, stack.clone().oneshot(request(API))).await.is_err());
    tokio::time::sleep(TOO_LONG).await;
    assert_eq!(oauth2.tokens().peek().unwrap().access_token(), "t1");
    get(&mut stack, API).await.unwrap();
    assert_eq!((world.token_calls(), world.seen(API).len()), (1, 1));
}

/// Below, the limit of a request is the limit of a token call too.
#[tokio::test(start_paused = true)]
async fn it_fires_on_the_token_call() {
    let world = World::default();
    world.script().token_takes = TOO_LONG;
    let mut stack = layer().layer(Timeout::new(world.clone(), LIMIT));
    let error = get(&mut stack, API).await.unwrap_err();
    assert_eq!(ours(&error).kind(), ErrorKind::Transport);
    assert!(std::error::Error::source(ours(&error)).unwrap().is::<Elapsed>());

    world.script().token_takes = Duration::ZERO;
    tokio::time::sleep(BACKOFF).await;
    get(&mut stack, API).await.unwrap();
    assert_eq!((world.token_calls(), world.seen(API).len()), (2, 1));
}
