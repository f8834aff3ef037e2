//! Clients that wait for readiness themselves, such as tonic's, limit the wait for a token with `max_wait`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::Request;
use tokio::time::Instant;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower::{Layer, service_fn};
use tower_oauth2::{OAuth2Layer, Tokens};

use crate::grpc::channel;
use crate::support::{self, TokenService, answer, grant, pass, token};

const HALF: Duration = Duration::from_millis(500);

/// Makes a gRPC call with a deadline of half a second. The token endpoint takes ten seconds.
async fn call(max_wait: Option<Duration>) -> (Status, Duration, Tokens, Arc<AtomicUsize>) {
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = requests.clone();
    let slow = TokenService::new(service_fn(move |_: Request<support::Body>| {
        counter.fetch_add(1, Ordering::SeqCst);
        async {
            pass(Duration::from_secs(10)).await;
            Ok(answer(200, token("a", 3600)))
        }
    }));
    let mut layer = OAuth2Layer::new(grant()).token_service(slow);
    if let Some(max_wait) = max_wait {
        layer = layer.max_wait(max_wait);
    }
    let tokens = layer.tokens();
    let mut client = HealthClient::with_origin(layer.layer(channel()), "https://api.example.com".parse().unwrap());
    let mut request = tonic::Request::new(HealthCheckRequest::default());
    request.set_timeout(HALF);
    let began = Instant::now();
    let status = client.check(request).await.unwrap_err();
    (status, began.elapsed(), tokens, requests)
}

#[tokio::test(start_paused = true)]
async fn the_call_is_unavailable_in_time_and_the_refresh_continues() {
    let (status, elapsed, tokens, requests) = call(Some(HALF)).await;
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert_eq!(elapsed, HALF);
    assert_eq!(tokens.peek(), None);
    pass(Duration::from_secs(10)).await;
    assert_eq!(tokens.peek().unwrap().access_token(), "a");
    assert_eq!(requests.load(Ordering::SeqCst), 1);
}

/// The deadline of the call applies only to the API, and not to the wait for the token.
#[tokio::test(start_paused = true)]
async fn without_it_the_call_waits_for_the_token() {
    let (status, elapsed, ..) = call(None).await;
    assert_ne!(status.code(), Code::Unavailable, "{status:?}");
    assert_eq!(elapsed, Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn zero_is_unavailable_at_once() {
    let (status, elapsed, ..) = call(Some(Duration::ZERO)).await;
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(elapsed < Duration::from_millis(2), "{elapsed:?}");
}
