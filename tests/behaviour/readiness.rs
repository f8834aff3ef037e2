//! `poll_ready` waits for the token and then for the inner service, and never fails for want of a token.

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

use crate::support::{API_URL, Body, TOKEN_URL, answer, authorization, conversation, get, layer, ours, pass, token};

/// Counts how often it is asked whether it is ready.
#[derive(Clone, Debug, Default)]
struct Asked(Arc<AtomicUsize>);

impl tower::Service<http::Request<Body>> for Asked {
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
async fn the_inner_service_is_not_asked_before_there_is_a_token() {
    let (token_service, mut auth) = mock::pair::<http::Request<Body>, http::Response<Body>>();
    let inner = Asked::default();
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
async fn a_failure_comes_out_of_call_and_does_not_touch_the_inner_service() {
    let (mut service, mut server) = conversation(&layer());
    let mut ready = task::spawn(service.ready());
    assert_pending!(ready.poll());
    let (_, respond) = server.token_request().await;
    respond.send_response(answer(503, ""));
    let service = ready.await.unwrap();

    // Ready stays ready, as tower asks.
    assert_ready_ok!(task::spawn(service.ready()).poll());
    let error = ours(service.call(get(API_URL)).await.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Overloaded);
    server.hears_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn a_token_that_expired_since_is_renewed_by_the_future() {
    let (mut service, mut server) = conversation(&layer());
    let tokens = service.tokens();
    tokens.set(tower_oauth2::Token::bearer("a").unwrap().with_expires_in(Duration::from_secs(100)));
    service.ready().await.unwrap();
    pass(Duration::from_secs(100)).await;

    let sent = tokio::spawn(service.call(get(API_URL)));
    server.grants(token("b", 3600)).await;
    assert_eq!(server.serves().await.as_deref(), Some("Bearer b"));
    sent.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_newest_token_is_sent() {
    let (mut service, mut server) = conversation(&layer());
    let tokens = service.tokens();
    tokens.set(tower_oauth2::Token::bearer("a").unwrap());
    service.ready().await.unwrap();
    tokens.set(tower_oauth2::Token::bearer("b").unwrap());
    let sent = tokio::spawn(service.call(get(API_URL)));
    assert_eq!(server.serves().await.as_deref(), Some("Bearer b"));
    sent.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_expired_on_arrival_serves_those_who_waited() {
    let (service, mut server) = conversation(&layer());
    for _ in 0..2 {
        let one = tokio::spawn(service.clone().oneshot(get(API_URL)));
        let two = tokio::spawn(service.clone().oneshot(get(API_URL)));
        server.grants(token("a", 0)).await;
        assert_eq!(server.serves().await.as_deref(), Some("Bearer a"));
        assert_eq!(server.serves().await.as_deref(), Some("Bearer a"));
        one.await.unwrap().unwrap();
        two.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_clone_starts_without_readiness() {
    let mut service = tower::ServiceBuilder::new().layer(layer()).concurrency_limit(1).service(Asked::default());
    service.tokens().set(tower_oauth2::Token::bearer("a").unwrap());
    assert_ready_ok!(task::spawn(service.ready()).poll());
    let mut clone = service.clone();
    assert_pending!(task::spawn(clone.ready()).poll());
}

#[tokio::test(start_paused = true)]
async fn one_that_waits_and_is_dropped_hurts_nobody() {
    let (service, mut server) = conversation(&layer());
    let (mut one, mut two) = (service.clone(), service.clone());
    assert_pending!(task::spawn(one.ready()).poll());
    let mut waiting = task::spawn(two.ready());
    assert_pending!(waiting.poll());
    drop(one);
    server.grants(token("a", 3600)).await;
    waiting.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_authorization_of_the_callers_is_kept_even_when_there_is_no_token() {
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

/// One that is refused after the inner service was readied must not keep what it holds: a permit, say.
#[tokio::test(start_paused = true)]
async fn a_refused_request_lets_the_inner_service_go() {
    let inner = service_fn(async |_: http::Request<Body>| Ok::<_, std::io::Error>(answer(200, "")));
    let service = tower::ServiceBuilder::new().layer(layer()).concurrency_limit(1).service(inner);
    service.tokens().set(tower_oauth2::Token::bearer("a").unwrap());
    let mut refused = service.clone();
    let error = refused.ready().await.unwrap().call(get("http://api.example.com/")).await.unwrap_err();
    assert_eq!(ours(error).kind(), ErrorKind::Cleartext);
    let served = tokio::time::timeout(Duration::from_secs(1), service.oneshot(get(API_URL))).await;
    assert_eq!(served.expect("the permit is kept").unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn the_inner_services_own_errors_pass_through() {
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
