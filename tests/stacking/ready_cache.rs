//! `ReadyCache` keeps services ready until they are called, and evicts one whose `poll_ready` fails.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use tower::buffer::Buffer;
use tower::limit::ConcurrencyLimit;
use tower::ready_cache::ReadyCache;
use tower::{BoxError, Layer, Service};
use tower_oauth2::ErrorKind;

use crate::scenarios::{herd_succeeds, recovers_from_failures};
use crate::support::{
    API, BACKOFF, Failure, LIFETIME, MockServer, Request, Response, Stack, layer, oauth_error, request, within_timeout,
};

/// A minimal service over a cache with one entry.
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
    within_timeout(poll_fn(|cx| cache.poll_pending(cx))).await.expect("no service fails to get ready");
}

async fn call<S: Stack>(cache: &mut ReadyCache<u8, S, Request>, key: u8) -> Result<Response, BoxError> {
    within_timeout(cache.call_ready(&key, request(API))).await.map_err(Into::into)
}

#[tokio::test(start_paused = true)]
async fn a_herd_over_the_layer() {
    let server = MockServer::default();
    let stack = layer().layer(ConcurrencyLimit::new(server.clone(), 1));
    herd_succeeds(&server, Buffer::new(Cached(cached([stack])), 1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_herd_under_the_layer() {
    let server = MockServer::default();
    let client = ConcurrencyLimit::new(server.clone(), 1);
    herd_succeeds(&server, layer().layer(Buffer::new(Cached(cached([client])), 1))).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_under_the_layer() {
    let server = MockServer::default();
    recovers_from_failures(&server, layer().layer(Buffer::new(Cached(cached([server.clone()])), 1))).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_over_the_layer() {
    let server = MockServer::default();
    server.script().failures.push_back(Failure::Unreachable);
    let stack = layer().layer(server.clone());
    let mut cache = cached([stack.clone(), stack]);
    all_ready(&mut cache).await;
    for key in [0, 1] {
        let error = call(&mut cache, key).await.unwrap_err();
        assert_eq!(oauth_error(&error).kind(), ErrorKind::Transport);
    }
    tokio::time::sleep(BACKOFF).await;
    all_ready(&mut cache).await;
    for key in [0, 1] {
        call(&mut cache, key).await.unwrap();
    }
    assert_eq!((cache.len(), server.token_requests()), (2, 2));
}

/// After the back-off a request starts a new attempt and does not get a failure that no request has received.
#[tokio::test(start_paused = true)]
async fn a_stale_failure_over_the_layer() {
    let server = MockServer::default();
    server.script().failures.push_back(Failure::Unreachable);
    let mut cache = cached([layer().layer(server.clone())]);
    all_ready(&mut cache).await;
    tokio::time::sleep(BACKOFF).await;
    call(&mut cache, 0).await.unwrap();
    assert_eq!((server.token_requests(), server.received(API).len()), (2, 1));
}

/// The token expires while the cache keeps the service ready, which holds the only permit.
#[tokio::test(start_paused = true)]
async fn stale_readiness_over_the_layer() {
    let server = MockServer::default();
    let mut cache = cached([layer().layer(ConcurrencyLimit::new(server.clone(), 1))]);
    all_ready(&mut cache).await;
    tokio::time::advance(LIFETIME).await;

    call(&mut cache, 0).await.unwrap();
    // The cache has pushed the service back to the pending ones.
    all_ready(&mut cache).await;
    call(&mut cache, 0).await.unwrap();
    assert_eq!(server.token_requests(), 2);
    assert_eq!(server.authorizations(API), vec![Some("Bearer t2".to_owned()); 2]);
}

/// Two services share a permit. A ready service holds it until it is called, as tower specifies: the token request waits
/// until then.
#[tokio::test(start_paused = true)]
async fn stale_readiness_with_a_shared_permit() {
    let server = MockServer::default();
    let stack = layer().layer(ConcurrencyLimit::new(server.clone(), 1));
    let mut cache = cached([stack.clone(), stack]);
    within_timeout(poll_fn(|cx| {
        let _ = cache.poll_pending(cx);
        if cache.ready_len() == 1 { Poll::Ready(()) } else { Poll::Pending }
    }))
    .await;
    let key = *cache.iter_ready().next().unwrap().0;
    tokio::time::advance(LIFETIME).await;

    let first = cache.call_ready(&key, request(API));
    let other = 1 - key;
    within_timeout(poll_fn(|cx| {
        let _ = cache.poll_pending(cx);
        if cache.check_ready(cx, &other).unwrap() { Poll::Ready(()) } else { Poll::Pending }
    }))
    .await;
    let second = cache.call_ready(&other, request(API));
    let (first, second) = within_timeout(async { tokio::join!(first, second) }).await;
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(server.token_requests(), 2);
}
