//! `ReadyCache`: it keeps services ready for as long as nobody calls them, and evicts one whose `poll_ready` fails.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use tower::buffer::Buffer;
use tower::limit::ConcurrencyLimit;
use tower::ready_cache::ReadyCache;
use tower::{BoxError, Layer, Service};
use tower_oauth2::ErrorKind;

use crate::conversations::{herd_is_served, outlives_failures};
use crate::support::{API, BACKOFF, Failure, LIFETIME, Request, Response, Stack, World, layer, ours, request, soon};

/// The least that makes a service of a cache: one entry, driven to readiness and called.
struct Cached<S: Stack>(ReadyCache<u8, S, Request>);

impl<S: Stack> Service<Request> for Cached<S> {
    type Response = Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        ready!(self.0.poll_pending(cx)).expect("no service fails to get ready");
        assert!(self.0.check_ready(cx, &0).expect("no service fails to stay ready"));
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> S::Future {
        self.0.call_ready(&0, request)
    }
}

fn cached<S: Stack>(services: impl IntoIterator<Item = S>) -> ReadyCache<u8, S, Request> {
    let mut cache = ReadyCache::default();
    for (key, service) in (0..).zip(services) {
        cache.push(key, service);
    }
    cache
}

async fn all_ready<S: Stack>(cache: &mut ReadyCache<u8, S, Request>) {
    soon(poll_fn(|cx| cache.poll_pending(cx))).await.expect("no service fails to get ready");
}

async fn call<S: Stack>(cache: &mut ReadyCache<u8, S, Request>, key: u8) -> Result<Response, BoxError> {
    soon(cache.call_ready(&key, request(API))).await.map_err(Into::into)
}

#[tokio::test(start_paused = true)]
async fn a_herd_over_us() {
    let world = World::default();
    let stack = layer().layer(ConcurrencyLimit::new(world.clone(), 1));
    herd_is_served(&world, Buffer::new(Cached(cached([stack])), 1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_herd_under_us() {
    let world = World::default();
    let client = ConcurrencyLimit::new(world.clone(), 1);
    herd_is_served(&world, layer().layer(Buffer::new(Cached(cached([client])), 1))).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_under_us() {
    let world = World::default();
    outlives_failures(&world, layer().layer(Buffer::new(Cached(cached([world.clone()])), 1))).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_over_us() {
    let world = World::default();
    world.script().failures.push_back(Failure::Unreachable);
    let stack = layer().layer(world.clone());
    let mut cache = cached([stack.clone(), stack]);
    all_ready(&mut cache).await;
    for key in [0, 1] {
        let error = call(&mut cache, key).await.unwrap_err();
        assert_eq!(ours(&error).kind(), ErrorKind::Transport);
    }
    tokio::time::sleep(BACKOFF).await;
    all_ready(&mut cache).await;
    for key in [0, 1] {
        call(&mut cache, key).await.unwrap();
    }
    assert_eq!((cache.len(), world.token_calls()), (2, 2));
}

/// A failure that nobody asked about is no answer after the back-off: the one who asks gets a new try.
#[tokio::test(start_paused = true)]
async fn a_stale_failure_over_us() {
    let world = World::default();
    world.script().failures.push_back(Failure::Unreachable);
    let mut cache = cached([layer().layer(world.clone())]);
    all_ready(&mut cache).await;
    tokio::time::sleep(BACKOFF).await;
    call(&mut cache, 0).await.unwrap();
    assert_eq!((world.token_calls(), world.seen(API).len()), (2, 1));
}

/// The token expires while the cache keeps the service ready, with the only permit in its hand.
#[tokio::test(start_paused = true)]
async fn stale_readiness_over_us() {
    let world = World::default();
    let mut cache = cached([layer().layer(ConcurrencyLimit::new(world.clone(), 1))]);
    all_ready(&mut cache).await;
    tokio::time::advance(LIFETIME).await;

    call(&mut cache, 0).await.unwrap();
    // It was put back, to get ready for the next.
    all_ready(&mut cache).await;
    call(&mut cache, 0).await.unwrap();
    assert_eq!(world.token_calls(), 2);
    assert_eq!(world.authorizations(API), vec![Some("Bearer t2".to_owned()); 2]);
}

/// Two services share a permit. A service that is ready, and that nobody calls, keeps it as tower wants: the token call
/// waits until it is called, too.
#[tokio::test(start_paused = true)]
async fn stale_readiness_with_a_shared_permit() {
    let world = World::default();
    let stack = layer().layer(ConcurrencyLimit::new(world.clone(), 1));
    let mut cache = cached([stack.clone(), stack]);
    soon(poll_fn(|cx| {
        let _ = cache.poll_pending(cx);
        if cache.ready_len() == 1 { Poll::Ready(()) } else { Poll::Pending }
    }))
    .await;
    let key = *cache.iter_ready().next().unwrap().0;
    tokio::time::advance(LIFETIME).await;

    let first = cache.call_ready(&key, request(API));
    let other = 1 - key;
    soon(poll_fn(|cx| {
        let _ = cache.poll_pending(cx);
        if cache.check_ready(cx, &other).unwrap() { Poll::Ready(()) } else { Poll::Pending }
    }))
    .await;
    let second = cache.call_ready(&other, request(API));
    let (first, second) = soon(async { tokio::join!(first, second) }).await;
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(world.token_calls(), 2);
}
