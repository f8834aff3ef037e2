//! D27: what happens while requests wait for a signer, and afterwards.

use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use http::Response;
use tokio_test::assert_pending;
use tower::retry::RetryLayer;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_oauth2::dpop::Dpop;
use tower_oauth2::grant::ClientCredentials;
use tower_oauth2::jwt::{Draft, signer_fn};
use tower_oauth2::retry::RetryUnauthorized;
use tower_oauth2::route::ThroughService;
use tower_oauth2::{ErrorKind, OAuth2Layer, Token};

use super::signers::{gated, one_permit, remote, signed};
use super::{bound, bound_token, unauthorized};
use crate::support::{
    API_URL, Body, Inner, Server, answer, authorization, get, grant, mock_service, ours, pass, token_endpoint,
};

const OTHER_URL: &str = "https://other.example.com/";

fn layer(key: Dpop) -> OAuth2Layer<ClientCredentials> {
    let layer = OAuth2Layer::new(bound(key)).origin("https://api.example.com").unwrap();
    layer.tokens().set(Token::dpop("a").unwrap());
    layer
}

/// Asserts that the only permit is free: a request without a token is sent.
async fn assert_permit_is_free<S>(service: S, server: &mut Server)
where
    S: Service<http::Request<Body>, Response = Response<Body>, Future: Send> + Send + 'static,
    S::Error: std::fmt::Debug + Send,
{
    let other = tokio::spawn(service.oneshot(get(OTHER_URL)));
    assert_eq!(server.next_authorization().await, None);
    other.await.unwrap().unwrap();
}

/// The service that the request was called on is kept, and is not ready any more.
#[tokio::test(start_paused = true)]
async fn d27_the_service_of_a_waiting_request_holds_no_permit() {
    let (key, gate, _calls) = gated();
    let (mut service, mut server) = one_permit(&layer(key));
    let other = service.clone();
    let sent = tokio::spawn(service.ready().await.unwrap().call(get(API_URL)));
    assert_permit_is_free(other, &mut server).await;
    gate.add_permits(1);
    assert_eq!(server.next_authorization().await, Some("DPoP a".to_owned()));
    sent.await.unwrap().unwrap();
    drop(service);
}

/// Its request cannot be sent, because the token is bound to a key that the grant does not have.
#[tokio::test(start_paused = true)]
async fn the_service_of_a_failed_request_holds_no_permit() {
    let layer = OAuth2Layer::new(grant()).origin("https://api.example.com").unwrap();
    layer.tokens().set(Token::dpop("a").unwrap());
    let (mut service, mut server) = one_permit(&layer);
    let other = service.clone();
    let error = ours(service.ready().await.unwrap().call(get(API_URL)).await.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Proof);
    assert_permit_is_free(other, &mut server).await;
    drop(service);
}

/// A repeated request waits for a newer token, and then for the signer.
#[tokio::test(start_paused = true)]
async fn d27_a_repeated_request_holds_no_permit_while_it_waits_for_the_signer() {
    let (key, gate, calls) = gated();
    let (service, _forms) = token_endpoint(vec![answer(200, bound_token("b", 3600))]);
    let layer = layer(key).token_service(service);
    let (service, mut server) = one_permit(&layer);
    gate.add_permits(1);
    let repeating = RetryLayer::new(RetryUnauthorized::new()).layer(service.clone());
    let sent = tokio::spawn(repeating.oneshot(get(API_URL)));
    let (request, respond) = server.next().await;
    assert_eq!(authorization(&request), Some("DPoP a"));
    respond.send_response(unauthorized(r#"DPoP error="invalid_token""#));
    // One signature for the token request, and one for the repeated request.
    pass(Duration::from_secs(1)).await;
    gate.add_permits(1);
    pass(Duration::from_secs(1)).await;
    assert_eq!(calls.load(Ordering::SeqCst), 3);
    assert_permit_is_free(service, &mut server).await;
    gate.add_permits(1);
    assert_eq!(server.next_authorization().await, Some("DPoP b".to_owned()));
    sent.await.unwrap().unwrap();
}

/// The token expires after the service was ready. The request waits for another one, then for the inner service, and then for the signer.
#[tokio::test(start_paused = true)]
async fn d27_a_deferred_request_holds_no_permit_while_it_waits_for_the_signer() {
    let (key, gate, calls) = gated();
    let (token_service, _forms) = token_endpoint(vec![answer(200, bound_token("b", 3600))]);
    let layer = layer(key).token_service(token_service);
    layer.tokens().set(Token::dpop("a").unwrap().with_expires_in(Duration::from_secs(60)));
    let (mut service, mut server) = one_permit(&layer);
    let other = service.clone();
    let ready = service.ready().await.unwrap();
    pass(Duration::from_secs(61)).await;
    let sent = tokio::spawn(ready.call(get(API_URL)));
    pass(Duration::from_secs(1)).await;
    gate.add_permits(1);
    pass(Duration::from_secs(1)).await;
    assert_eq!(calls.load(Ordering::SeqCst), 2, "one for the token request, and one for this request");
    assert_permit_is_free(other, &mut server).await;
    gate.add_permits(1);
    assert_eq!(server.next_authorization().await, Some("DPoP b".to_owned()));
    sent.await.unwrap().unwrap();
}

/// The error of a request that has waited for a token. Its future is kept, and holds no permit.
#[tokio::test(start_paused = true)]
async fn a_failed_future_holds_no_permit() {
    let layer = OAuth2Layer::new(grant()).origin("https://api.example.com").unwrap();
    let layer = layer.token_service(service_fn(async |_: http::Request<Body>| {
        pending::<Result<Response<Body>, Infallible>>().await
    }));
    layer.tokens().set(Token::bearer("a").unwrap().with_expires_in(Duration::from_secs(60)));
    let (mut service, mut server) = one_permit(&layer);
    let other = service.clone();
    let ready = service.ready().await.unwrap();
    pass(Duration::from_secs(61)).await;
    // The token has expired since the service was ready.
    let mut sent = Box::pin(ready.call(get(API_URL)));
    let polled = poll_fn(|cx| Poll::Ready(sent.as_mut().poll(cx))).await;
    assert_pending!(polled);
    layer.tokens().set(Token::dpop("b").unwrap());
    let error = ours(poll_fn(|cx| sent.as_mut().poll(cx)).await.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Proof);
    assert_permit_is_free(other, &mut server).await;
    drop((sent, service));
}

/// The token expires while the signer works. It is not sent, by the layer and by `Tokens::authorize`.
#[tokio::test(start_paused = true)]
async fn a_token_that_expires_while_the_signer_works_is_not_sent() {
    let (key, gate, _calls) = gated();
    let (token_service, _forms) = token_endpoint(vec![answer(200, bound_token("b", 3600))]);
    let layer = layer(key).token_service(token_service);
    let layer = layer.token_timeout(Duration::from_secs(600)).unwrap();
    layer.tokens().set(Token::dpop("a").unwrap().with_expires_in(Duration::from_secs(60)));
    let (service, mut server) = one_permit(&layer);
    let sent = tokio::spawn(service.oneshot(get(API_URL)));
    let tokens = layer.tokens();
    let authorizing = tokio::spawn(async move {
        let mut request = get(API_URL);
        tokens.authorize(&mut request).await.map(|_| request)
    });
    server.assert_no_request().await;
    pass(Duration::from_secs(61)).await;
    gate.add_permits(10);
    assert_eq!(server.next_authorization().await, Some("DPoP b".to_owned()));
    sent.await.unwrap().unwrap();
    assert_eq!(authorization(&authorizing.await.unwrap().unwrap()), Some("DPoP b"));
}

/// The API issues tokens that have no lifetime. Each is used once nevertheless.
#[tokio::test(start_paused = true)]
async fn a_token_that_was_expired_when_it_arrived_is_sent_after_the_signature() {
    let (key, gate, _calls) = gated();
    let (token_service, _forms) = token_endpoint(vec![answer(200, bound_token("b", 0))]);
    let layer = OAuth2Layer::new(bound(key)).token_service(token_service);
    let (service, mut server) = one_permit(&layer);
    let sent = tokio::spawn(service.oneshot(get(API_URL)));
    for _ in 0..2 {
        pass(Duration::from_secs(1)).await;
        gate.add_permits(1);
    }
    assert_eq!(server.next_authorization().await, Some("DPoP b".to_owned()));
    sent.await.unwrap().unwrap();
}

/// The inner service always takes longer than a proof is good for. The second proof is sent.
#[tokio::test(start_paused = true)]
async fn a_proof_is_made_again_only_once() {
    let (key, gate, calls) = gated();
    gate.add_permits(10);
    let layer = layer(key);
    let slow = SlowReady { wait: Box::pin(tokio::time::sleep(Duration::from_secs(31))), ends: 0 };
    let service = layer.layer(slow);
    let mut service = service;
    let sent = service.ready().await.unwrap().call(get(API_URL));
    sent.await.unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

/// A service that is ready after 31 s, a clone as well.
struct SlowReady {
    wait: std::pin::Pin<Box<tokio::time::Sleep>>,
    ends: usize,
}

impl Clone for SlowReady {
    fn clone(&self) -> Self {
        Self { wait: Box::pin(tokio::time::sleep(Duration::from_secs(31))), ends: self.ends }
    }
}

impl Service<http::Request<Body>> for SlowReady {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.wait.as_mut().poll(cx).map(Ok)
    }

    fn call(&mut self, _request: http::Request<Body>) -> Self::Future {
        std::future::ready(Ok(answer(200, "")))
    }
}

/// The layer, its handles and its services are gone. The request is sent nevertheless.
#[tokio::test(start_paused = true)]
async fn a_request_whose_layer_is_dropped_while_the_signer_works_is_sent() {
    let (key, gate, _calls) = gated();
    let layer = layer(key);
    let (service, mut server) = mock_service(&layer);
    let sent = tokio::spawn(service.oneshot(get(API_URL)));
    server.assert_no_request().await;
    drop(layer);
    gate.add_permits(1);
    assert_eq!(server.next_authorization().await, Some("DPoP a".to_owned()));
    assert_eq!(sent.await.unwrap().unwrap().status(), 200);
}

/// Without a runtime: the request is polled by hand, and the timeout of the signer is one of a thread.
#[test]
fn d27_a_signer_is_waited_for_without_a_runtime() {
    let (key, gate, _calls) = gated();
    let layer = layer(key).token_timeout(Duration::from_millis(50)).unwrap();
    let (service, mut handle) = {
        let (inner, handle) = tower_test::mock::pair();
        let inner: Inner = inner;
        (layer.layer(inner), handle)
    };
    let mut sent = tokio_test::task::spawn(service.clone().oneshot(get(API_URL)));
    assert_pending!(sent.poll());
    gate.add_permits(1);
    assert!(sent.is_woken());
    assert_pending!(sent.poll());
    assert!(tokio_test::task::spawn(handle.next_request()).poll().is_ready());
    let error = ours(futures_block_on(service.oneshot(get(API_URL))).unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Proof);
}

/// Polls a future on this thread until it is ready.
fn futures_block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let (mut future, mut cx) = (std::pin::pin!(future), std::task::Context::from_waker(&waker));
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park_timeout(Duration::from_secs(60)),
        }
    }
}

/// A layer whose tokens are valid for five seconds. Every other signature takes ten: those of the API requests.
fn short_lived() -> OAuth2Layer<ClientCredentials, ThroughService> {
    let calls = AtomicUsize::new(0);
    let key = remote(signer_fn(move |draft: Draft| {
        let is_api = calls.fetch_add(1, Ordering::SeqCst) % 2 == 1;
        async move {
            pass(Duration::from_secs(if is_api { 10 } else { 0 })).await;
            signed(draft)
        }
    }));
    let token_service =
        service_fn(async |_: http::Request<Body>| Ok::<_, Infallible>(answer(200, bound_token("a", 5))));
    OAuth2Layer::new(bound(key)).token_service(token_service)
}

/// A program whose tokens are valid for a shorter time than a signature takes would wait without end.
#[tokio::test(start_paused = true)]
async fn a_request_whose_token_expires_each_time_before_its_proof_is_made_fails() {
    let no_api =
        service_fn(async |_: http::Request<Body>| -> Result<Response<Body>, Infallible> { panic!("it is sent") });
    let error = ours(short_lived().layer(no_api).oneshot(get(API_URL)).await.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Proof);
    assert!(error.to_string().contains("longer than a signature takes"), "{error}");

    let error = short_lived().tokens().authorize(&mut get(API_URL)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Proof);
}
