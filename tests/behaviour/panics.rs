//! A panic becomes an error for the waiters, and the cell continues to work.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{self, SeqCst};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use http::Request;
use tokio_test::task;
use tower::{Layer, Service as _, ServiceExt, service_fn};
use tower_oauth2::grant::{self, grant_fn};
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token};

use crate::support::{API_URL, Body, TOKEN_URL, answer, authorization, get, layer, mock_service, ours, pass, token};

#[tokio::test(start_paused = true)]
async fn in_the_future_of_the_grant() {
    let runs = AtomicUsize::new(0);
    let grant = grant_fn(move |_: grant::Context| {
        let run = runs.fetch_add(1, Ordering::SeqCst);
        async move {
            tokio::task::yield_now().await;
            assert_ne!(run, 0, "the first run fails with hunter2");
            Token::bearer("a")
        }
    });
    let inner = service_fn(async |request: http::Request<Body>| {
        Ok::<_, std::io::Error>(answer(200, authorization(&request).unwrap_or_default()))
    });
    let service = OAuth2Layer::new(grant).layer(inner);
    let (one, two) = tokio::join!(service.clone().oneshot(get(API_URL)), service.clone().oneshot(get(API_URL)));
    for outcome in [one, two] {
        let error = ours(outcome.unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Panicked);
        assert!(!format!("{error} {error:?}").contains("hunter2"), "the message of a panic may contain a secret");
    }
    pass(Duration::from_secs(2)).await;
    assert_eq!(service.oneshot(get(API_URL)).await.unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn in_the_call_of_the_grant() {
    let runs = AtomicUsize::new(0);
    let grant = grant_fn(move |_: grant::Context| {
        assert_ne!(runs.fetch_add(1, Ordering::SeqCst), 0, "the first run fails");
        std::future::ready(Token::bearer("a"))
    });
    let inner = service_fn(async |_: http::Request<Body>| Ok::<_, std::io::Error>(answer(200, "")));
    let service = OAuth2Layer::new(grant).layer(inner);
    assert_eq!(ours(service.clone().oneshot(get(API_URL)).await.unwrap_err()).kind(), ErrorKind::Panicked);
    pass(Duration::from_secs(2)).await;
    assert_eq!(service.oneshot(get(API_URL)).await.unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn in_the_service_that_sends_the_token_request() {
    let inner = service_fn(async |request: http::Request<Body>| {
        assert_ne!(request.uri(), TOKEN_URL, "a token request");
        Ok::<_, std::io::Error>(answer(200, ""))
    });
    let service = layer().layer(inner);
    assert_eq!(ours(service.clone().oneshot(get(API_URL)).await.unwrap_err()).kind(), ErrorKind::Panicked);
    service.tokens().set(Token::bearer("a").unwrap());
    assert_eq!(service.oneshot(get(API_URL)).await.unwrap().status(), 200);
}

/// A value in the future of a grant.
struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

/// A future that contains a value until it is dropped, as hand-written futures may.
struct PanicsInDrop {
    value: Option<PanicsWhenDropped>,
}

impl Future for PanicsInDrop {
    type Output = Result<Token, Error>;

    fn poll(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.value = Some(PanicsWhenDropped);
        Poll::Ready(Token::bearer("a"))
    }
}

#[tokio::test(start_paused = true)]
async fn in_the_drop_of_the_grants_future() {
    let grant = grant_fn(|_: grant::Context| PanicsInDrop { value: None });
    let service = OAuth2Layer::new(grant).layer(api());
    // The token was obtained before the panic.
    assert_eq!(service.oneshot(get(API_URL)).await.unwrap().status(), 200);
}

/// If the waker of one waiter panics, the others are still woken.
#[tokio::test(start_paused = true)]
async fn in_the_waker_of_a_waiter() {
    let (service, mut server) = mock_service(&layer());
    let mut one = service.clone();
    let mut two = task::spawn(service.clone().oneshot(get(API_URL)));
    let panicking = Waker::from(Arc::new(PanicsWhenWoken));
    assert!(one.poll_ready(&mut Context::from_waker(&panicking)).is_pending());
    assert!(two.poll().is_pending());
    server.issue_token(token("a", 3600)).await;
    pass(Duration::from_millis(1)).await;
    assert!(two.is_woken());
    assert!(two.poll().is_pending());
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer a"));
}

/// If the waker of a receiver of `changes` panics, the token is still available.
#[tokio::test(start_paused = true)]
async fn in_the_waker_of_a_receiver_of_changes() {
    let (service, mut server) = mock_service(&layer());
    let mut changes = service.tokens().changes();
    let mut watching = std::pin::pin!(changes.changed());
    let panicking = Waker::from(Arc::new(PanicsWhenWoken));
    assert!(watching.as_mut().poll(&mut Context::from_waker(&panicking)).is_pending());
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    server.issue_token(token("a", 3600)).await;
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer a"));
    sent.await.unwrap().unwrap();
    service.tokens().set(Token::bearer("b").unwrap());
    assert_eq!(service.tokens().peek().unwrap().access_token(), "b");
}

struct PanicsWhenWoken;

impl Wake for PanicsWhenWoken {
    fn wake(self: Arc<Self>) {
        panic!("woken");
    }
}

/// An inner service that panics in one of three methods, `left` times.
#[derive(Clone)]
struct Fragile {
    place: &'static str,
    left: Arc<AtomicUsize>,
}

impl Fragile {
    fn touch(&self, place: &str) {
        if self.place == place && self.left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok() {
            panic!("in {place}");
        }
    }
}

impl tower::Service<Request<Body>> for Fragile {
    type Response = http::Response<Body>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = std::io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.touch("poll_ready");
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.touch("call");
        let this = self.clone();
        Box::pin(async move {
            this.touch("future");
            tokio::task::yield_now().await;
            let body = if request.uri() == TOKEN_URL { token("a", 3600).to_string() } else { String::new() };
            Ok(answer(200, body))
        })
    }
}

/// In a token request, a panic is an error for the waiters. In another request, it propagates to the caller. The next request succeeds.
#[tokio::test(start_paused = true)]
async fn in_the_inner_services_readiness_call_and_future() {
    for place in ["poll_ready", "call", "future"] {
        let left = Arc::new(AtomicUsize::new(1));
        let service = layer().layer(Fragile { place, left: left.clone() });
        let error = ours(service.clone().oneshot(get(API_URL)).await.unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Panicked, "{place}");
        pass(Duration::from_secs(2)).await;
        assert_eq!(service.clone().oneshot(get(API_URL)).await.unwrap().status(), 200, "{place}");

        left.store(1, SeqCst);
        let request = tokio::spawn(service.clone().oneshot(get(API_URL)));
        assert!(request.await.unwrap_err().is_panic(), "{place}");
        assert_eq!(service.clone().oneshot(get(API_URL)).await.unwrap().status(), 200, "{place}");
    }
}

/// A panic of the predicate propagates to the caller of the request.
#[tokio::test(start_paused = true)]
async fn in_the_predicate_for_rejections() {
    let layer = layer().reject_when(|status, _| if status == 418 { panic!("a teapot") } else { false });
    let (service, mut server) = mock_service(&layer);
    service.tokens().set(Token::bearer("a").unwrap());
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    server.next().await.1.send_response(answer(418, ""));
    assert!(sent.await.unwrap_err().is_panic());
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer a"));
    sent.await.unwrap().unwrap();
}

fn api() -> impl tower::Service<Request<Body>, Response = http::Response<Body>, Error = std::io::Error, Future: Send>
+ Clone
+ Send
+ 'static {
    service_fn(async |_: Request<Body>| Ok::<_, std::io::Error>(answer(200, "")))
}
