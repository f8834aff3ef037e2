//! Errors of the layer are gRPC statuses for gRPC callers: `UNAVAILABLE` if the error is transient, otherwise `UNAUTHENTICATED`.

use std::error::Error as _;
use std::time::Duration;

use http::{Request, Response};
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Layer, ServiceExt, service_fn};
use tower_oauth2::{ErrorKind, OAuth2Layer, Token};

use crate::support::{self, TokenService, answer, grant, layer, ours, pass, token, token_endpoint};

pub(crate) type Channel = BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>;

/// A channel to a service that requires a token, and returns an empty response with a status.
pub(crate) fn channel() -> Channel {
    Channel::new(service_fn(async |request: Request<Body>| {
        assert!(request.headers().contains_key("authorization"));
        let mut response = Response::new(Body::empty());
        response.headers_mut().insert("content-type", "application/grpc".parse()?);
        response.headers_mut().insert("grpc-status", "0".parse()?);
        Ok(response)
    }))
}

async fn check<G: tower_oauth2::grant::Grant>(layer: OAuth2Layer<G>, tokens: TokenService, origin: &str) -> Status {
    let service = layer.token_service(tokens).layer(channel());
    let mut client = HealthClient::with_origin(service, origin.parse().unwrap());
    client.check(HealthCheckRequest::default()).await.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_unavailable_and_a_rejection_is_unauthenticated() {
    let unreachable = TokenService::new(service_fn(async |_| Err(BoxError::from("no route"))));
    let (rejected, _forms) = token_endpoint(vec![answer(400, r#"{"error":"invalid_client"}"#)]);
    let (overloaded, _forms) = token_endpoint(vec![answer(503, "")]);
    let silent = TokenService::new(service_fn(async |_| std::future::pending().await));
    let (nonsense, _forms) = token_endpoint(vec![answer(200, "<html>")]);
    for (tokens, code, message) in [
        (unreachable, Code::Unavailable, "could not be reached"),
        (overloaded, Code::Unavailable, "overloaded"),
        (silent, Code::Unavailable, "in time"),
        (rejected, Code::Unauthenticated, "rejected the client"),
        (nonsense, Code::Unauthenticated, "cannot be used"),
    ] {
        let status = check(layer(), tokens, "https://api.example.com").await;
        assert_eq!(status.code(), code, "{status:?}");
        assert!(status.message().contains(message), "{status:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn cleartext_is_denied_with_a_status() {
    let status = check(layer(), token_endpoint(vec![]).0, "http://api.example.com").await;
    assert_eq!(status.code(), Code::Unauthenticated);
    assert!(status.message().contains("cleartext"), "{status:?}");
}

/// tonic keeps the error as the source of the status, so a program can inspect it.
#[tokio::test(start_paused = true)]
async fn the_error_itself_is_the_source() {
    let status = check(layer(), token_endpoint(vec![answer(503, "")]).0, "https://api.example.com").await;
    let error = status.source().unwrap().downcast_ref::<tower_oauth2::Error>().unwrap();
    assert_eq!((error.kind(), error.status().unwrap().as_u16()), (ErrorKind::Overloaded, 503));
}

/// A cached error, and an error after `poll_ready`, become the same status.
#[tokio::test(start_paused = true)]
async fn errors_before_and_after_readiness() {
    let (tokens, _forms) = token_endpoint(vec![answer(503, ""), answer(503, "")]);
    let service = layer().token_service(tokens).layer(channel());
    service.tokens().set(Token::bearer("a").unwrap().with_expires_in(Duration::from_secs(3600)));
    let mut stale = service.clone();
    stale.ready().await.unwrap();
    pass(Duration::from_secs(3601)).await;
    let request = |kind: &str| {
        Request::post("https://api.example.com/x").header("content-type", kind).body(Body::empty()).unwrap()
    };
    let met_late = tower::Service::call(&mut stale, request("application/grpc+proto")).await.unwrap_err();
    let remembered = service.clone().oneshot(request("application/grpc")).await.unwrap_err();
    for error in [met_late, remembered] {
        assert_eq!(Status::from_error(error).code(), Code::Unavailable);
    }
    // Other requests get the error itself.
    let plain = ours(service.oneshot(request("application/json")).await.unwrap_err());
    assert!(plain.source().is_none());
}

#[tokio::test(start_paused = true)]
async fn the_cause_is_the_last_source() {
    let unreachable = TokenService::new(service_fn(async |_| Err(BoxError::from("no route"))));
    let status = check(layer(), unreachable, "https://api.example.com").await;
    let mut chain = Vec::new();
    let mut next: Option<&dyn std::error::Error> = status.source();
    while let Some(error) = next {
        chain.push(error.to_string());
        next = error.source();
    }
    assert_eq!(chain.last().unwrap(), "no route", "{chain:?}");
}

/// The deadline of a gRPC call ends the call, and not the token request.
#[tokio::test(start_paused = true)]
async fn the_deadline_of_a_call_does_not_end_the_token_request() {
    let slow = TokenService::new(service_fn(async |_: Request<support::Body>| {
        pass(Duration::from_secs(5)).await;
        Ok::<_, BoxError>(answer(200, token("a", 3600)))
    }));
    let service = OAuth2Layer::new(grant()).token_service(slow).layer(channel());
    let tokens = service.tokens();
    let hurried = tower::timeout::Timeout::new(service, Duration::from_secs(1));
    let mut client = HealthClient::with_origin(hurried, "https://api.example.com".parse().unwrap());
    let mut request = tonic::Request::new(HealthCheckRequest::default());
    request.set_timeout(Duration::from_secs(1));
    let ended = tokio::time::timeout(Duration::from_secs(1), client.check(request)).await;
    assert!(ended.is_err(), "{ended:?}");
    assert_eq!(tokens.peek(), None);
    pass(Duration::from_secs(5)).await;
    assert_eq!(tokens.peek().unwrap().access_token(), "a");
}
