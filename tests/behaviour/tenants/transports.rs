//! How token requests are sent: through the service of the request, or the `token_service` of the layer or of a tenant.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use http::Request;
use http_body_util::Full;
use tower::{BoxError, Layer, ServiceExt, service_fn};
use tower_oauth2::tenants::TenantsLayer;
use tower_oauth2::{ErrorKind, OAuth2Layer, Token};

use super::support::{
    EchoServer, EchoService, Number, Tenant, grant, numbered, request, request_to, sent_with, tenants,
};
use crate::support::{API_URL, Body, TOKEN_URL, TokenService, answer, ours, pass, token};

type Client = TokenService;

/// The names of the services that have sent token requests.
type Log = Arc<Mutex<Vec<&'static str>>>;

/// Returns a service whose tokens have its name.
fn named(name: &'static str, log: &Log) -> TokenService {
    let log = log.clone();
    TokenService::new(service_fn(move |request: Request<Body>| {
        let log = log.clone();
        async move {
            if request.uri() != TOKEN_URL {
                return Ok::<_, BoxError>(answer(200, crate::support::authorization(&request).unwrap()));
            }
            log.lock().unwrap().push(name);
            Ok(answer(200, token(name, 3600)))
        }
    }))
}

fn taken(log: &Log) -> Vec<&'static str> {
    std::mem::take(&mut log.lock().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_handle_uses_the_newest_service_that_was_not_dropped() {
    let (layer, log) = (numbered(10), Log::default());
    let handle = layer.tokens(&Number(1)).unwrap();
    assert_eq!(handle.get().await.unwrap_err().kind(), ErrorKind::NoTransport);
    let mut services: Vec<EchoService<Number>> = Vec::new();
    for name in ["one", "two", "three"] {
        services.push(layer.layer(named(name, &log)));
        // A service that was never polled is not used.
        let unpolled = layer.layer(named("unpolled", &log));
        services.last_mut().unwrap().ready().await.unwrap();
        assert_eq!(handle.refresh().await.unwrap().access_token(), name);
        drop(unpolled);
    }
    drop(services.pop());
    assert_eq!(handle.refresh().await.unwrap().access_token(), "two");
    services.remove(0);
    // A clone keeps the service, and a cell that was created before or after uses it.
    let clone = services.remove(0).clone();
    assert_eq!(layer.tokens(&Number(2)).unwrap().get().await.unwrap().access_token(), "two");
    drop(clone);
    for key in [1, 2, 3] {
        let error = layer.tokens(&Number(key)).unwrap().refresh().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoTransport);
    }
    // The error is not cached for requests.
    let service = layer.layer(named("four", &log));
    assert_eq!(sent_with(&service, Number(3)).await.unwrap(), "Bearer four");
    assert_eq!(handle.refresh().await.unwrap().access_token(), "four");
}

#[tokio::test(start_paused = true)]
async fn a_request_uses_its_own_service() {
    let (layer, log) = (numbered(10), Log::default());
    let (one, two) = (layer.layer(named("one", &log)), layer.layer(named("two", &log)));
    two.clone().ready().await.unwrap();
    assert_eq!(sent_with(&one, Number(1)).await.unwrap(), "Bearer one");
    assert_eq!(sent_with(&two, Number(2)).await.unwrap(), "Bearer two");
    // The services share the cells.
    assert_eq!(sent_with(&two, Number(1)).await.unwrap(), "Bearer one");
    drop(one);
    assert_eq!(sent_with(&two, Number(1)).await.unwrap(), "Bearer one");
    assert_eq!(taken(&log), ["one", "two"]);
}

/// The one of the tenant, then the one of the layer, for requests, handles and rejections.
#[tokio::test(start_paused = true)]
async fn the_token_service_of_a_tenant_is_used_before_the_one_of_the_layer() {
    let log = Log::default();
    let of_tenant = named("of-tenant", &log);
    let layer =
        TenantsLayer::new(move |tenant: &Tenant| Ok(OAuth2Layer::new(grant(tenant)?).token_service(of_tenant.clone())));
    let both = layer.token_service(named("of-layer", &log));
    let only_layer = tenants(grant).token_service(named("of-layer", &log));
    let rejecting = service_fn(async |request: Request<Body>| {
        assert_ne!(request.uri(), TOKEN_URL, "a token request through the inner service");
        Ok::<_, BoxError>(answer(401, ""))
    });
    for (layer, name) in [(both, "of-tenant"), (only_layer, "of-layer")] {
        let handle = layer.tokens(&Tenant("one")).unwrap();
        handle.set(Token::bearer("a").unwrap());
        let service = layer.layer(rejecting);
        // The rejection starts a refresh, and so does the handle.
        service.clone().oneshot(request("one")).await.unwrap();
        pass(Duration::from_millis(1)).await;
        assert_eq!(taken(&log), [name]);
        handle.refresh().await.unwrap();
        assert_eq!(taken(&log), [name]);
        service.oneshot(request("two")).await.unwrap();
        pass(Duration::from_millis(1)).await;
        assert_eq!(taken(&log)[0], name);
    }
}

/// Each tenant can have its own.
#[tokio::test(start_paused = true)]
async fn tenants_may_have_different_token_services() {
    let log = Log::default();
    let (one, other) = (named("one", &log), named("other", &log));
    let layer = tenants(move |tenant| {
        let service = if tenant.0 == "one" { one.clone() } else { other.clone() };
        Ok(OAuth2Layer::new(grant(tenant)?).token_service(service))
    });
    let service = EchoServer::default().service(&layer);
    for (tenant, name) in [("one", "one"), ("two", "other"), ("three", "other"), ("one", "one")] {
        assert_eq!(sent_with(&service, Tenant(tenant)).await.unwrap(), format!("Bearer {name}"));
    }
    assert_eq!(taken(&log).len(), 3);
}

/// A request body that cannot be created from bytes.
struct OwnBody(Full<bytes::Bytes>);

#[tokio::test(start_paused = true)]
async fn a_conversion_for_the_body_of_the_inner_service() {
    let server = EchoServer::default().inner();
    let inner = service_fn(move |request: Request<OwnBody>| server.clone().oneshot(request.map(|body| body.0)));
    let layer = tenants(grant).token_body(OwnBody);
    let service = layer.layer(inner);
    let response = service.clone().oneshot(request("one").map(OwnBody)).await.unwrap();
    assert_eq!(super::support::header_in(response).await, "Bearer one-1");
    assert_eq!(layer.tokens(&Tenant("one")).unwrap().refresh().await.unwrap().access_token(), "one-2");
}

/// The token request of a tenant is sent through the same layer: without a key, or with its own.
#[tokio::test(start_paused = true)]
async fn a_token_service_that_is_wrapped_by_the_same_layer() {
    for key in [None, Some(Tenant("one"))] {
        let wrapped = Arc::new(OnceLock::<Client>::new());
        let by_mistake = wrapped.clone();
        let token_service = service_fn(move |mut request: Request<Body>| {
            if let Some(key) = &key {
                request.extensions_mut().insert(key.clone());
            }
            by_mistake.get().unwrap().clone().oneshot(request)
        });
        let service = tenants(grant).token_service(token_service).layer(EchoServer::default().inner());
        assert!(wrapped.set(Client::new(service.clone())).is_ok());
        let sent = tokio::time::timeout(Duration::from_secs(1), service.oneshot(request("one")));
        let error = ours(sent.await.expect("a deadlock").unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Recursion, "{error:?}");
    }
}

/// A service that was dropped is not kept alive by cells, handles or the layer.
#[tokio::test(start_paused = true)]
async fn a_dropped_service_is_not_kept_alive() {
    let (layer, open) = (numbered(10), Arc::new(()));
    let held = open.clone();
    let server = EchoServer::default().inner();
    let service = layer.layer(service_fn(move |request: Request<Body>| {
        let _held = held.clone();
        server.clone().oneshot(request)
    }));
    let handle = layer.tokens(&Number(1)).unwrap();
    for key in [1, 2] {
        service.clone().oneshot(request_to(API_URL, Number(key))).await.unwrap();
    }
    handle.refresh().await.unwrap();
    pass(Duration::from_secs(1)).await;
    drop(service);
    assert_eq!(Arc::strong_count(&open), 1);
    assert_eq!(layer.len(), 2);
}
