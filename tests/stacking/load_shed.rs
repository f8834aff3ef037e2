//! `LoadShed`: a service that is not ready refuses the request instead of letting it wait.

use std::time::Duration;

use tower::Layer;
use tower::limit::ConcurrencyLimit;
use tower::load_shed::LoadShed;
use tower::load_shed::error::Overloaded;
use tower_oauth2::ErrorKind;

use crate::conversations::{herd, herd_is_served, outlives_failures};
use crate::support::{API, BACKOFF, Failure, LIFETIME, World, get, layer, ours};

/// What is shed had its token fetched: the flight that it began goes on.
#[tokio::test(start_paused = true)]
async fn over_us_it_sheds_until_there_is_a_token() {
    let world = World::default();
    world.script().token_takes = Duration::from_secs(1);
    let oauth2 = layer();
    let stack = LoadShed::new(oauth2.layer(world.clone()));
    for response in herd(&stack).await {
        assert!(response.unwrap_err().is::<Overloaded>());
    }
    assert_eq!(world.seen(API).len(), 0);

    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(oauth2.tokens().peek().unwrap().access_token(), "t1");
    herd_is_served(&world, stack).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_over_us() {
    let world = World::default();
    world.script().token_takes = Duration::from_millis(10);
    world.script().failures.push_back(Failure::Status(503));
    let mut stack = LoadShed::new(layer().layer(world.clone()));
    assert!(get(&mut stack, API).await.unwrap_err().is::<Overloaded>());
    tokio::time::sleep(Duration::from_millis(20)).await;
    let error = get(&mut stack, API).await.unwrap_err();
    assert_eq!(ours(&error).kind(), ErrorKind::Overloaded);

    tokio::time::sleep(BACKOFF).await;
    assert!(get(&mut stack, API).await.unwrap_err().is::<Overloaded>());
    tokio::time::sleep(Duration::from_millis(20)).await;
    get(&mut stack, API).await.unwrap();
    assert_eq!((world.token_calls(), world.seen(API).len()), (2, 1));
}

/// A shed request leaves the stack waiting, and nobody looks what came of it before the token has expired again.
#[tokio::test(start_paused = true)]
async fn a_token_that_came_for_nobody_over_us() {
    let world = World::default();
    let mut stack = LoadShed::new(layer().layer(world.clone()));
    assert!(get(&mut stack, API).await.unwrap_err().is::<Overloaded>());
    tokio::time::sleep(LIFETIME).await;

    assert!(get(&mut stack, API).await.unwrap_err().is::<Overloaded>());
    tokio::time::sleep(Duration::from_millis(1)).await;
    get(&mut stack, API).await.unwrap();
    assert_eq!(world.authorizations(API), [Some("Bearer t2".to_owned())]);
}

/// The same with a failure, whose back-off is long over.
#[tokio::test(start_paused = true)]
async fn a_failure_that_came_for_nobody_over_us() {
    let world = World::default();
    world.script().failures.push_back(Failure::Status(503));
    let mut stack = LoadShed::new(layer().layer(world.clone()));
    assert!(get(&mut stack, API).await.unwrap_err().is::<Overloaded>());
    tokio::time::sleep(BACKOFF).await;

    assert!(get(&mut stack, API).await.unwrap_err().is::<Overloaded>());
    tokio::time::sleep(Duration::from_millis(1)).await;
    get(&mut stack, API).await.unwrap();
    assert_eq!((world.token_calls(), world.seen(API).len()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_herd_under_us() {
    let world = World::default();
    world.script().token_takes = Duration::from_secs(1);
    herd_is_served(&world, layer().layer(LoadShed::new(ConcurrencyLimit::new(world.clone(), 1)))).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_under_us() {
    let world = World::default();
    outlives_failures(&world, layer().layer(LoadShed::new(world.clone()))).await;
}

/// The layer below does not know a token call from any other: it sheds it as well.
#[tokio::test(start_paused = true)]
async fn a_shed_token_call() {
    let world = World::default();
    let mut stack = layer().layer(LoadShed::new(ConcurrencyLimit::new(world.clone(), 1)));
    get(&mut stack, API).await.unwrap();
    tokio::time::sleep(LIFETIME - Duration::from_secs(60)).await;

    world.script().api_takes = Duration::from_secs(90);
    let mut clone = stack.clone();
    let slow = tokio::spawn(async move { get(&mut clone, API).await });
    tokio::time::sleep(Duration::from_secs(80)).await;
    for response in herd(&stack).await {
        let error = response.unwrap_err();
        assert!(ours(&error).is_transient());
        assert!(std::error::Error::source(ours(&error)).unwrap().is::<Overloaded>());
    }
    slow.await.unwrap().unwrap();

    tokio::time::sleep(BACKOFF).await;
    get(&mut stack, API).await.unwrap();
    assert_eq!((world.token_calls(), world.seen(API).len()), (2, 3));
}
