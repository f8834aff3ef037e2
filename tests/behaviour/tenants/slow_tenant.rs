//! K5: a token endpoint that does not respond to one tenant delays no other.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_test::{assert_ready_ok, task};
use tower::limit::ConcurrencyLimit;
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt};
use tower_oauth2::tenants::TenantsLayer;
use tower_oauth2::{Error, ErrorKind};

use super::support::{EchoServer, Number, Tenant, grant, header_in, numbered_grant, request, request_to, tenants};
use crate::support::{API_URL, Body, get, ours, pass};

type Response = http::Response<Body>;

/// A server that does not respond to the token requests of `slow`.
fn server() -> EchoServer {
    let server = EchoServer::default();
    server.hang("slow");
    server
}

/// Sends requests of `slow`, and lets them wait for their token.
async fn send_slow<S>(service: &S) -> Vec<JoinHandle<Result<Response, BoxError>>>
where
    S: Service<http::Request<Body>, Response = Response, Error = BoxError, Future: Send> + Clone + Send + 'static,
{
    let sent = (0..10).map(|_| tokio::spawn(service.clone().oneshot(request("slow")))).collect();
    pass(Duration::from_millis(1)).await;
    sent
}

/// Sends requests of other tenants, which must not wait.
async fn send_others<S>(service: &S)
where
    S: Service<http::Request<Body>, Response = Response, Error = BoxError> + Clone,
{
    let began = Instant::now();
    for round in 0..3 {
        for tenant in ["one", "two", "three"] {
            let response = service.clone().oneshot(request(tenant)).await.unwrap();
            assert_eq!(header_in(response).await, format!("Bearer {tenant}-1"), "{round}");
        }
    }
    assert_eq!(began.elapsed(), Duration::ZERO, "a request of another tenant waited");
}

async fn is_waiting(sent: Vec<JoinHandle<Result<Response, BoxError>>>) {
    assert!(sent.iter().all(|sent| !sent.is_finished()));
    for sent in sent {
        // The timeout of the token request.
        let error = ours(sent.await.unwrap().unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Timeout);
    }
}

#[tokio::test(start_paused = true)]
async fn k5_poll_ready_never_waits_for_a_token() {
    let service = server().service(&tenants(grant));
    let slow = send_slow(&service).await;
    for _ in 0..5 {
        let mut clone = service.clone();
        assert_ready_ok!(task::spawn(clone.ready()).poll());
    }
    send_others(&service).await;
    is_waiting(slow).await;
}

/// The permits that waiting requests would hold are free. The token request of the slow tenant has one of two.
#[tokio::test(start_paused = true)]
async fn k5_a_request_that_waits_holds_no_permit() {
    let service = tenants(grant).layer(ConcurrencyLimit::new(server().inner(), 2));
    let slow = send_slow(&service).await;
    send_others(&service).await;
    is_waiting(slow).await;
}

/// The services exist as long as their requests wait.
#[tokio::test(start_paused = true)]
async fn k5_a_service_whose_request_waits_holds_no_permit() {
    let server = server();
    let limited = tenants(grant).token_service(server.inner()).layer(ConcurrencyLimit::new(server.inner(), 1));
    let mut waiting = Vec::new();
    for _ in 0..3 {
        let mut service = limited.clone();
        let sent = service.ready().await.unwrap().call(request("slow"));
        waiting.push((service, sent));
        send_others(&limited).await;
    }
}

#[tokio::test(start_paused = true)]
async fn k5_with_a_token_service_the_only_permit_is_free() {
    let server = server();
    let service = tenants(grant).token_service(server.inner()).layer(ConcurrencyLimit::new(server.inner(), 1));
    let slow = send_slow(&service).await;
    send_others(&service).await;
    is_waiting(slow).await;
}

/// Requests that fail before they are sent release the permit of `poll_ready`, too.
#[tokio::test(start_paused = true)]
async fn k5_a_request_that_fails_releases_its_permit() {
    let layer = tenants(|tenant| match tenant.0 {
        "failing" => Err(Error::caused_by(ErrorKind::Configuration, "unknown tenant")),
        "panicking" => panic!("a bug"),
        _ => grant(tenant),
    });
    let limited = layer.layer(ConcurrencyLimit::new(server().inner(), 1));
    let mut kept = Vec::new();
    let cleartext = request_to("http://api.example.com/", Tenant("one"));
    for request in [get(API_URL), request("failing"), request("panicking"), cleartext] {
        // The service stays, and is not ready afterwards.
        let mut service = limited.clone();
        service.ready().await.unwrap().call(request).await.unwrap_err();
        kept.push(service);
        send_others(&limited).await;
    }
}

#[tokio::test(start_paused = true)]
async fn k5_load_shed_outside_rejects_no_request_of_others() {
    let service = ServiceBuilder::new().load_shed().layer(tenants(grant)).service(server().inner());
    let slow = send_slow(&service).await;
    send_others(&service).await;
    is_waiting(slow).await;
}

#[tokio::test(start_paused = true)]
async fn k5_a_buffer_outside_passes_the_requests_of_others() {
    let service = ServiceBuilder::new().buffer(1).layer(tenants(grant)).service(server().inner());
    let slow = send_slow(&service).await;
    send_others(&service).await;
    drop(slow);
}

/// One slow tenant among a thousand, whose tokens are obtained at the same time.
#[tokio::test(start_paused = true)]
async fn k5_a_thousand_others_get_their_tokens_at_once() {
    let server = EchoServer::default();
    server.hang("0");
    let layer = TenantsLayer::new(numbered_grant);
    let service = server.service(&layer);
    let slow = tokio::spawn(service.clone().oneshot(request_to(API_URL, Number(0))));
    let began = Instant::now();
    for key in 1..1000 {
        let response = service.clone().oneshot(request_to(API_URL, Number(key)));
        assert_eq!(header_in(response.await.unwrap()).await, format!("Bearer {key}-1"));
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
    is_waiting(vec![slow]).await;
}
