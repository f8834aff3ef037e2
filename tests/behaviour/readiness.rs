//! `poll_ready` waits for the token and then for the inner service, and does not fail if there is no token.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::AUTHORIZATION;
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::{Service as _, ServiceExt, service_fn};
use tower_oauth2::ErrorKind;
use tower_test::mock;

use crate::support::{API_URL, Body, TOKEN_URL, answer, authorization, get, layer, mock_service, ours, pass, token};

/// Counts the calls of `poll_ready`.
#[derive(Clone, Debug, Default)]
struct CountsPolls(Arc<AtomicUsize>);

impl tower::Service<http::Request<Body>> for CountsPolls {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<http::Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        ready(Ok(answer(200, authorization(&request).unwrap_or_default())))
    }
}

#[tokio::test(start_paused = true)]
async fn the_inner_service_is_not_polled_before_there_is_a_token() {
    let (token_service, mut auth) = mock::pair::<http::Request<Body>, http::Response<Body>>();
    let inner = CountsPolls::default();
    let mut service = tower::Layer::layer(&layer().token_service(token_service), inner.clone());

    let mut waiting = task::spawn(async { service.ready().await.map(|_| ()) });
    assert_pending!(waiting.poll());
    let (_, respond) = auth.next_request().await.unwrap();
    assert_pending!(waiting.poll());
    assert_eq!(inner.0.load(Ordering::SeqCst), 0);
    respond.send_response(answer(200, token("a", 3600)));
    waiting.await.unwrap();
    assert_eq!(inner.0.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn call_returns_the_error_and_the_inner_service_is_not_called() {
    let (mut service, mut server) = mock_service(&layer());
    let mut ready = task::spawn(service.ready());
    assert_pending!(ready.poll());
    let (_, respond) = server.token_request().await;
    respond.send_response(answer(503, ""));
    let service = ready.await.unwrap();

    // A ready service stays ready, as tower requires.
    assert_ready_ok!(task::spawn(service.ready()).poll());
    let error = ours(service.call(get(API_URL)).await.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Overloaded);
    server.assert_no_request().await;
}

#[tokio::test(start_paused = true)]
async fn a_token_that_has_expired_since_poll_ready_is_refreshed_by_the_future() {
    let (mut service, mut server) = mock_service(&layer());
    let tokens = service.tokens();
    tokens.set(tower_oauth2::Token::bearer("a").unwrap().with_expires_in(Duration::from_secs(100)));
    service.ready().await.unwrap();
    pass(Duration::from_secs(100)).await;

    let sent = tokio::spawn(service.call(get(API_URL)));
    server.issue_token(token("b", 3600)).await;
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer b"));
    sent.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_newest_token_is_sent() {
    let (mut service, mut server) = mock_service(&layer());
    let tokens = service.tokens();
    tokens.set(tower_oauth2::Token::bearer("a").unwrap());
    service.ready().await.unwrap();
    tokens.set(tower_oauth2::Token::bearer("b").unwrap());
    let sent = tokio::spawn(service.call(get(API_URL)));
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer b"));
    sent.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_token_that_has_expired_when_it_arrives_is_used_by_its_waiters() {
    let (service, mut server) = mock_service(&layer());
    for _ in 0..2 {
        let one = tokio::spawn(service.clone().oneshot(get(API_URL)));
        let two = tokio::spawn(service.clone().oneshot(get(API_URL)));
        server.issue_token(token("a", 0)).await;
        assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer a"));
        assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer a"));
        one.await.unwrap().unwrap();
        two.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_clone_starts_without_readiness() {
    let mut service = tower::ServiceBuilder::new().layer(layer()).concurrency_limit(1).service(CountsPolls::default());
    service.tokens().set(tower_oauth2::Token::bearer("a").unwrap());
    assert_ready_ok!(task::spawn(service.ready()).poll());
    let mut clone = service.clone();
    assert_pending!(task::spawn(clone.ready()).poll());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_waiting_service_does_not_affect_others() {
    let (service, mut server) = mock_service(&layer());
    let (mut one, mut two) = (service.clone(), service.clone());
    assert_pending!(task::spawn(one.ready()).poll());
    let mut waiting = task::spawn(two.ready());
    assert_pending!(waiting.poll());
    drop(one);
    server.issue_token(token("a", 3600)).await;
    waiting.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_authorization_of_the_caller_is_kept_even_without_a_token() {
    let inner = service_fn(async |request: http::Request<Body>| {
        let status = if request.uri() == TOKEN_URL { 500 } else { 200 };
        Ok::<_, std::io::Error>(answer(status, authorization(&request).unwrap_or_default()))
    });
    let mut service = tower::Layer::layer(&layer(), inner);
    let mut request = get(API_URL);
    request.headers_mut().insert(AUTHORIZATION, "Basic eDp5".parse().unwrap());
    let response = service.ready().await.unwrap().call(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let error = ours(service.ready().await.unwrap().call(get(API_URL)).await.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Overloaded);
}

/// A denied request releases the permit of the ready inner service.
#[tokio::test(start_paused = true)]
async fn a_denied_request_releases_the_inner_service() {
    let inner = service_fn(async |_: http::Request<Body>| Ok::<_, std::io::Error>(answer(200, "")));
    let service = tower::ServiceBuilder::new().layer(layer()).concurrency_limit(1).service(inner);
    service.tokens().set(tower_oauth2::Token::bearer("a").unwrap());
    let mut denied = service.clone();
    let error = denied.ready().await.unwrap().call(get("http://api.example.com/")).await.unwrap_err();
    assert_eq!(ours(error).kind(), ErrorKind::Cleartext);
    let served = tokio::time::timeout(Duration::from_secs(1), service.oneshot(get(API_URL))).await;
    assert_eq!(served.expect("the permit is kept").unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn errors_of_the_inner_service_are_returned_unchanged() {
    #[derive(Debug, PartialEq)]
    struct Theirs;
    impl std::fmt::Display for Theirs {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("theirs")
        }
    }
    impl std::error::Error for Theirs {}

    let inner = service_fn(async |_: http::Request<Body>| Err::<http::Response<Body>, _>(Theirs));
    let service = tower::Layer::layer(&layer(), inner);
    service.tokens().set(tower_oauth2::Token::bearer("a").unwrap());
    let error = service.oneshot(get(API_URL)).await.unwrap_err();
    assert_eq!(*error.downcast::<Theirs>().unwrap(), Theirs);
}
