//! `Retry`: outside it may try again what our token call spoilt, inside it repeats token calls as any other.

use std::time::Duration;

use tower::retry::{Policy, Retry};
use tower::{BoxError, Layer};
use tower_oauth2::{Error, ErrorKind};

use crate::conversations::{HERD, herd, herd_is_served, outlives_failures};
use crate::support::{API, BACKOFF, Failure, Request, Response, World, get, layer, ours};

/// Tries again after a pause: what failed for a reason that passes, be it our error or a status.
#[derive(Clone)]
struct Again {
    tries: usize,
    pause: Duration,
}

impl Policy<Request, Response, BoxError> for Again {
    type Future = tokio::time::Sleep;

    fn retry(&mut self, _: &mut Request, result: &mut Result<Response, BoxError>) -> Option<Self::Future> {
        let passes = match result {
            Ok(response) => response.status().is_server_error(),
            Err(error) => error.downcast_ref().is_some_and(Error::is_transient),
        };
        self.tries = self.tries.checked_sub(usize::from(passes))?;
        passes.then(|| tokio::time::sleep(self.pause))
    }

    fn clone_request(&mut self, request: &Request) -> Option<Request> {
        Some(request.clone())
    }
}

const AFTER_THE_BACKOFF: Again = Again { tries: 1, pause: BACKOFF };
const AT_ONCE: Again = Again { tries: 5, pause: Duration::ZERO };
const NEVER: Again = Again { tries: 0, pause: Duration::ZERO };

#[tokio::test(start_paused = true)]
async fn a_herd_over_us() {
    let world = World::default();
    herd_is_served(&world, Retry::new(AT_ONCE, layer().layer(world.clone()))).await;
}

#[tokio::test(start_paused = true)]
async fn a_herd_under_us() {
    let world = World::default();
    herd_is_served(&world, layer().layer(Retry::new(AT_ONCE, world.clone()))).await;
}

/// Within the back-off there is nothing to be had, however often a request tries: no token call is made for it.
#[tokio::test(start_paused = true)]
async fn a_failure_over_us() {
    let world = World::default();
    outlives_failures(&world, Retry::new(AT_ONCE, layer().layer(world.clone()))).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_under_us() {
    let world = World::default();
    outlives_failures(&world, layer().layer(Retry::new(NEVER, world.clone()))).await;
}

/// A herd whose token call fails tries again as one, too: the second token call serves them all.
#[tokio::test(start_paused = true)]
async fn over_us_it_tries_again_after_the_back_off() {
    let world = World::default();
    world.script().failures.push_back(Failure::Status(503));
    let begun = tokio::time::Instant::now();
    for response in herd(&Retry::new(AFTER_THE_BACKOFF, layer().layer(world.clone()))).await {
        response.unwrap();
    }
    assert_eq!(begun.elapsed(), BACKOFF);
    assert_eq!((world.token_calls(), world.seen(API).len()), (2, HERD));
}

/// A rejected client is told as it is: trying again does not make the secret right.
#[tokio::test(start_paused = true)]
async fn over_us_it_leaves_what_does_not_pass() {
    let world = World::default();
    world.script().failures.extend([Failure::Status(401); 2]);
    let error = get(&mut Retry::new(AFTER_THE_BACKOFF, layer().layer(world.clone())), API).await.unwrap_err();
    assert_eq!(ours(&error).kind(), ErrorKind::ClientRejected);
    assert_eq!(world.token_calls(), 1);
}

/// For us it is one token call, and it has succeeded.
#[tokio::test(start_paused = true)]
async fn under_us_it_repeats_the_token_call() {
    let world = World::default();
    world.script().failures.push_back(Failure::Status(503));
    get(&mut layer().layer(Retry::new(AFTER_THE_BACKOFF, world.clone())), API).await.unwrap();
    assert_eq!(world.token_calls(), 2);
    assert_eq!(world.authorizations(API), [Some("Bearer t2".to_owned())]);
}
