//! gRPC calls: an error of the layer is a status, and a call whose token was rejected is repeated with a newer one of its tenant.

use std::sync::{Arc, Mutex};

use http::{Request, Response};
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower::{BoxError, Layer, ServiceBuilder, service_fn};
use tower_oauth2::retry::RetryUnauthorized;
use tower_oauth2::tenants::TenantsLayer;
use tower_oauth2::{Error, ErrorKind};

use super::support::{EchoServer, Tenant, grant, tenants};
use crate::grpc::{Channel, channel};
use crate::support::{API_URL, TokenService, answer, token_endpoint};

fn call(tenant: Option<&'static str>) -> tonic::Request<HealthCheckRequest> {
    let mut call = tonic::Request::new(HealthCheckRequest::default());
    if let Some(tenant) = tenant {
        call.extensions_mut().insert(Tenant(tenant));
    }
    call
}

/// Returns the status of a call whose token requests are sent to `tokens`.
async fn status(layer: TenantsLayer<Tenant>, tokens: TokenService, tenant: Option<&'static str>) -> Status {
    let service = layer.token_service(tokens).layer(channel());
    HealthClient::with_origin(service, API_URL.parse().unwrap()).check(call(tenant)).await.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn k1_a_call_without_a_key_is_unauthenticated_and_names_the_type() {
    let status = status(tenants(grant), token_endpoint(vec![]).0, None).await;
    assert_eq!(status.code(), Code::Unauthenticated);
    assert!(status.message().contains("Tenant` into its extensions"), "{status:?}");
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_a_tenant_is_unavailable_and_a_rejection_is_unauthenticated() {
    let (overloaded, _forms) = token_endpoint(vec![answer(503, "")]);
    let (rejected, _forms) = token_endpoint(vec![answer(400, r#"{"error":"invalid_client"}"#)]);
    let silent = TokenService::new(service_fn(async |_| std::future::pending().await));
    for (tokens, code) in
        [(overloaded, Code::Unavailable), (silent, Code::Unavailable), (rejected, Code::Unauthenticated)]
    {
        let status = status(tenants(grant), tokens, Some("one")).await;
        assert_eq!(status.code(), code, "{status:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn k8_k9_the_error_of_the_function_is_a_status() {
    let fails = tenants(|tenant| match tenant.0 {
        "bug" => panic!("a bug"),
        "unknown" => Err(Error::caused_by(ErrorKind::Configuration, "unknown tenant")),
        "down" => Err(Error::caused_by(ErrorKind::Transport, "no configuration")),
        _ => grant(tenant),
    });
    for (tenant, code) in [("down", Code::Unavailable), ("bug", Code::Unavailable), ("unknown", Code::Unauthenticated)]
    {
        let status = status(fails.clone(), token_endpoint(vec![]).0, Some(tenant)).await;
        assert_eq!(status.code(), code, "{status:?}");
    }
}

/// The status is in the headers of the response, because it has no body.
#[tokio::test(start_paused = true)]
async fn k11_a_call_that_is_unauthenticated_is_repeated_with_a_newer_token_of_its_tenant() {
    let received = Arc::new(Mutex::new(Vec::new()));
    let api = {
        let received = received.clone();
        Channel::new(service_fn(move |request: Request<Body>| {
            let token = request.headers()["authorization"].to_str().unwrap().to_owned();
            // `NOT_FOUND` is no rejection.
            let status = if token == "Bearer one-1" { "16" } else { "5" };
            received.lock().unwrap().push(token);
            let response = Response::builder().header("content-type", "application/grpc").header("grpc-status", status);
            async move { Ok::<_, BoxError>(response.body(Body::empty())?) }
        }))
    };
    let server = EchoServer::default();
    let service = ServiceBuilder::new()
        .layer(RetryUnauthorized::new().buffered(1024).into_layer(Body::new))
        .layer(tenants(grant).token_service(server.inner()))
        .service(api);
    let mut client = HealthClient::with_origin(service, API_URL.parse().unwrap());
    for tenant in ["two", "one", "two", "one"] {
        assert_eq!(client.check(call(Some(tenant))).await.unwrap_err().code(), Code::NotFound);
    }
    let expected = ["two-1", "one-1", "one-2", "two-1", "one-2"].map(|token| format!("Bearer {token}"));
    assert_eq!(*received.lock().unwrap(), expected);
    assert_eq!((server.issued("one"), server.issued("two")), (2, 1));
}
