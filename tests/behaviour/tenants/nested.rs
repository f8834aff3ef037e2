//! Several layers in one stack, and grants that use their own layer for another key.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tower::steer::Steer;
use tower::{Layer, ServiceBuilder, ServiceExt};
use tower_oauth2::client::Client;
use tower_oauth2::grant::{ClientCredentials, Context, grant_fn};
use tower_oauth2::tenants::TenantsLayer;
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token};

use super::support::{EchoServer, Tenant, grant, header_in, request, request_to, sent_with, tenants};
use crate::support::{API_URL, TOKEN_URL, TokenService, get, ours};

fn own_layer(name: &str) -> OAuth2Layer<ClientCredentials> {
    OAuth2Layer::new(ClientCredentials::new(TOKEN_URL, Client::post(name, "secret")).unwrap())
}

/// The token request of the layer outside has no key, and so no token of a tenant.
#[tokio::test(start_paused = true)]
async fn a_layer_outside_needs_its_own_service_for_token_requests() {
    let (layer, server) = (tenants(grant), EchoServer::default());
    let inner = server.service(&layer);
    let errors = [
        own_layer("outside").layer(inner.clone()).oneshot(request("one")).await.unwrap_err(),
        tenants(grant).layer(inner.clone()).oneshot(request("one")).await.unwrap_err(),
    ];
    for error in errors.map(ours) {
        assert_eq!(error.kind(), ErrorKind::Recursion);
        assert!(format!("{error:?}").contains("set a `token_service`"), "{error:?}");
    }
    assert_eq!(server.all_issued(), 0);

    let outside = own_layer("outside").token_service(server.inner()).layer(inner.clone());
    assert_eq!(header_in(outside.oneshot(request("one")).await.unwrap()).await, "Bearer outside-1");
    let outside = tenants(grant).token_service(server.inner()).layer(inner);
    assert_eq!(header_in(outside.oneshot(request("two")).await.unwrap()).await, "Bearer two-1");
    // The layer inside keeps the header, and obtains no token.
    assert_eq!(server.all_issued(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_layer_inside_keeps_the_token_of_the_tenant() {
    let (layer, server) = (tenants(grant), EchoServer::default());
    let service = layer.layer(own_layer("inside").origin(API_URL).unwrap().layer(server.inner()));
    let response = service.oneshot(request("one")).await.unwrap();
    assert_eq!(header_in(response).await, "Bearer one-1");
    // The layer inside obtains its own token in `poll_ready`.
    assert_eq!((server.issued("inside"), server.issued("one")), (1, 1));
}

/// Returns a layer whose grants send a request through the layer itself, with the key that `next` returns.
fn chained(next: fn(&str) -> Option<&'static str>) -> TenantsLayer<Tenant> {
    let service = Arc::new(OnceLock::<TokenService>::new());
    let of_grants = service.clone();
    let layer = tenants(move |tenant: &Tenant| {
        let (service, next) = (of_grants.clone(), next(tenant.0));
        OAuth2Layer::new(grant_fn(move |_: Context| {
            let service = service.get().unwrap().clone();
            async move {
                let Some(next) = next else { return Token::bearer("last") };
                let response =
                    service.oneshot(request(next)).await.map_err(|error| *error.downcast::<Error>().unwrap())?;
                Token::bearer(header_in(response).await.replace("Bearer ", "after-"))
            }
        }))
        .max_wait(Duration::from_secs(60))
        .origin(API_URL)
    });
    let itself = EchoServer::default().service(&layer);
    assert!(service.set(TokenService::new(itself)).is_ok());
    layer
}

#[tokio::test(start_paused = true)]
async fn a_grant_may_use_the_layer_for_another_key() {
    let layer = chained(|tenant| match tenant {
        "one" => Some("two"),
        "two" => Some("three"),
        _ => None,
    });
    let service = EchoServer::default().service(&layer);
    assert_eq!(sent_with(&service, Tenant("one")).await.unwrap(), "Bearer after-after-last");
    assert_eq!(layer.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_grant_that_uses_the_layer_for_its_own_key_is_an_error() {
    let service = EchoServer::default().service(&chained(|_| Some("one")));
    assert_eq!(ours(sent_with(&service, Tenant("one")).await.unwrap_err()).kind(), ErrorKind::Recursion);
}

/// Each of them is a wait for another key, so it is not detected.
#[tokio::test(start_paused = true)]
async fn grants_that_wait_for_each_other_end_with_the_wait_of_the_request() {
    let layer = chained(|tenant| Some(if tenant == "one" { "two" } else { "one" }));
    let service = EchoServer::default().service(&layer);
    let sent = tokio::time::timeout(Duration::from_secs(61), sent_with(&service, Tenant("one")));
    let error = ours(sent.await.expect("a deadlock").unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Timeout);
}

#[tokio::test(start_paused = true)]
async fn a_steer_and_a_load_shed_outside_pass_the_requests_of_others() {
    let (layer, server) = (tenants(grant), EchoServer::default());
    server.hang("slow");
    let services = [server.service(&layer), server.service(&layer)];
    let steer = Steer::new(services, |request: &http::Request<_>, _: &[_]| {
        usize::from(request.extensions().get() == Some(&Tenant("one")))
    });
    let mut stack = ServiceBuilder::new().load_shed().service(steer);
    let slow = tokio::spawn(stack.ready().await.map(|ready| tower::Service::call(ready, request("slow"))).unwrap());
    for tenant in ["one", "two", "one"] {
        let sent = tower::Service::call(stack.ready().await.unwrap(), request_to(API_URL, Tenant(tenant)));
        assert_eq!(header_in(sent.await.unwrap()).await, format!("Bearer {tenant}-1"));
    }
    assert!(!slow.is_finished());
    let error = tower::Service::call(stack.ready().await.unwrap(), get(API_URL)).await.unwrap_err();
    assert_eq!(ours(error).kind(), ErrorKind::Configuration);
}
