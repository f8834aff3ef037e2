//! The three routes of token requests: the inner service, the inner service with a conversion of the body, and another service.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::client::legacy::Client as Http;
use hyper_util::rt::TokioExecutor;
use tower::buffer::Buffer;
use tower::util::BoxCloneService;
use tower::{BoxError, Layer, ServiceExt, service_fn};
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::TokenEndpoint;
use tower_oauth2::form::Form;
use tower_oauth2::transport::Transport;

use crate::support::{API_URL, Body, TOKEN_URL, answer, authorization, get, layer, token};

#[tokio::test]
async fn through_the_inner_service() {
    let inner = service_fn(async |request: Request<Body>| {
        let body = match authorization(&request) {
            Some("Bearer a") => String::from("served"),
            _ => token("a", 60).to_string(),
        };
        Ok::<_, Infallible>(answer(200, body))
    });
    let response = layer().layer(inner).oneshot(get(API_URL)).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "served");
}

/// A body without `From<Bytes>`, like that of tonic.
struct Opaque(Full<Bytes>);

#[tokio::test]
async fn with_a_conversion_of_the_body() {
    let inner = service_fn(async |request: Request<Opaque>| {
        let (parts, Opaque(body)) = request.into_parts();
        let form = body.collect().await.unwrap().to_bytes();
        let body = if parts.uri == TOKEN_URL {
            assert_eq!(form, "grant_type=client_credentials");
            token("a", 60).to_string()
        } else {
            parts.headers["authorization"].to_str().unwrap().to_owned()
        };
        Ok::<_, Infallible>(answer(200, body))
    });
    let request = Request::get(API_URL).body(Opaque(Full::default())).unwrap();
    let response = layer().token_body(Opaque).layer(inner).oneshot(request).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "Bearer a");
}

#[tokio::test]
async fn through_another_service() {
    // The inner service must not receive token requests: its body cannot contain a form.
    let inner = service_fn(async |request: Request<Empty<Bytes>>| {
        assert_ne!(request.uri(), TOKEN_URL);
        Ok::<_, Infallible>(Response::new(request.headers()["authorization"].clone()))
    });
    let token_service = service_fn(async |request: Request<Full<Bytes>>| {
        assert_eq!(request.uri(), TOKEN_URL);
        Ok::<_, Infallible>(answer(200, token("a", 60)))
    });
    let request = Request::get(API_URL).body(Empty::new()).unwrap();
    let response = layer().token_service(token_service).layer(inner).oneshot(request).await.unwrap();
    assert_eq!(response.body(), "Bearer a");
}

/// Sends a token request through this transport.
async fn request_token(http: Transport) -> String {
    let endpoint = TokenEndpoint::new(TOKEN_URL, Client::basic("id", "secret")).unwrap();
    let token = endpoint.token(&http, Form::new("client_credentials")).await.unwrap();
    token.access_token().to_owned()
}

/// Creates a token service with request bodies of type `B`, which `bytes` collects.
macro_rules! token_service {
    ($B:ty, $bytes:expr) => {
        service_fn(async |request: Request<$B>| {
            let bytes: fn($B) -> _ = $bytes;
            let form = bytes(request.into_body()).await;
            assert_eq!(form, "grant_type=client_credentials");
            Ok::<_, BoxError>(answer(200, token("a", 60)))
        })
    };
}

async fn collected<B: http_body::Body<Error: std::fmt::Debug>>(body: B) -> Bytes {
    body.collect().await.unwrap().to_bytes()
}

/// The type of the body is inferred, because the service accepts only one.
#[tokio::test]
async fn any_body_that_implements_from_bytes() {
    let full = token_service!(Full<Bytes>, collected);
    let bytes = token_service!(Bytes, std::future::ready);
    let vec = token_service!(Vec<u8>, |body| std::future::ready(Bytes::from(body)));
    let axum = token_service!(axum::body::Body, collected);
    let reqwest = token_service!(reqwest::Body, collected);
    for http in [
        Transport::new(full),
        Transport::new(bytes),
        Transport::new(vec),
        Transport::new(axum),
        Transport::new(reqwest),
        Transport::new(BoxCloneService::new(full)),
        Transport::new(Buffer::new(reqwest, 1)),
    ] {
        assert_eq!(request_token(http).await, "a");
    }
    for layer in [
        layer().token_service(full),
        layer().token_service(bytes),
        layer().token_service(vec),
        layer().token_service(axum),
        layer().token_service(reqwest),
    ] {
        assert_eq!(layer.tokens().get().await.unwrap().access_token(), "a");
    }
}

/// If a service accepts several types of bodies, one of them must be named.
#[tokio::test]
async fn a_service_that_accepts_several_bodies() {
    let router = axum::Router::new().fallback(async || token("a", 60).to_string());
    assert_eq!(request_token(Transport::new::<_, Full<Bytes>, _>(router.clone())).await, "a");
    let tokens = layer().token_service::<_, axum::body::Body, _>(router).tokens();
    assert_eq!(tokens.get().await.unwrap().access_token(), "a");
}

/// The types of clients that applications use.
#[tokio::test]
async fn the_body_of_a_client_is_inferred() {
    let hyper = || Http::builder(TokioExecutor::new());
    let reqwest = tower_reqwest::HttpClientLayer.layer(reqwest::Client::new());
    let _ = [
        Transport::new(hyper().build_http::<Full<Bytes>>()),
        Transport::new(hyper().build_http::<axum::body::Body>()),
        Transport::new(tower_http::follow_redirect::FollowRedirect::new(hyper().build_http::<Full<Bytes>>())),
        Transport::new(reqwest.clone()),
    ];
    // Fails on a system without certificates.
    #[cfg(feature = "https")]
    let _ = tower_oauth2::https::client::<Full<Bytes>>().map(Transport::new);
    // With reqwest, API requests and token requests have the same body.
    let _ = layer().token_service(reqwest.clone()).layer(reqwest);
}

/// A service whose body does not implement `From<Bytes>` needs a conversion in front of it.
#[tokio::test]
async fn a_body_that_map_request_converts() {
    let boxed = token_service!(UnsyncBoxBody<Bytes, Infallible>, collected);
    let converted = tower::ServiceBuilder::new()
        .map_request(|request: Request<Full<Bytes>>| request.map(UnsyncBoxBody::new))
        .service(boxed);
    assert_eq!(request_token(Transport::new(converted)).await, "a");
}
