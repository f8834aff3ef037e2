//! Three ways for token calls: through the inner service, with a body of the user's, through another service.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use tower::{Layer, ServiceExt, service_fn};

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

/// A body that nothing is converted into, as tonic's.
struct Opaque(Full<Bytes>);

#[tokio::test]
async fn with_a_body_of_the_users() {
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
    // This one never sees the token endpoint, and its body cannot carry a form.
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
