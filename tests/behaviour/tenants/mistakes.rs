//! Mistakes of the application that would mix up keys, or never end.

use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};

use tower::ServiceExt;
use tower_oauth2::client::Client;
use tower_oauth2::grant::{ClientCredentials, RefreshToken};
use tower_oauth2::store::MemoryStore;
use tower_oauth2::tenants::TenantsLayer;
use tower_oauth2::{Error, ErrorKind, OAuth2Layer};

use super::support::{Tenant, grant, issue, mock_service, request, spawn, tenants};
use crate::support::{TOKEN_URL, ours};

/// Otherwise two keys would have one token, and their cell would never be dropped.
#[tokio::test(start_paused = true)]
async fn k2_a_clone_of_the_layer_of_another_key_is_an_error() {
    let shared = OAuth2Layer::new(grant(&Tenant("one")).unwrap());
    let layer = tenants(move |_| Ok(shared.clone()));
    layer.tokens(&Tenant("one")).unwrap();
    let error = layer.tokens(&Tenant("two")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("another key"), "{error}");
    assert_eq!(layer.len(), 1);
    // The application may keep one layer for each key.
    layer.forget(&Tenant("one"));
    layer.tokens(&Tenant("one")).unwrap();
}

/// Each layer has its own maximum and function, so a cell belongs to one of them.
#[tokio::test(start_paused = true)]
async fn k2_a_clone_of_a_layer_of_another_tenants_layer_is_an_error() {
    let shared = OAuth2Layer::new(grant(&Tenant("one")).unwrap());
    let [first, second] = [shared.clone(), shared].map(|shared| tenants(move |_| Ok(shared.clone())));
    first.tokens(&Tenant("one")).unwrap();
    let error = second.tokens(&Tenant("one")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("another `TenantsLayer`"), "{error}");
}

/// Otherwise two users could get the same entry of the store.
#[tokio::test(start_paused = true)]
async fn k13_a_stored_login_names_its_user() {
    let store = MemoryStore::new();
    let layer = tenants({
        let store = store.clone();
        move |_| Ok(RefreshToken::stored(TOKEN_URL, Client::public("app"))?.persisted(store.clone()))
    });
    let (service, mut server) = mock_service(&layer);
    let error = ours(service.oneshot(request("one")).await.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("subject(name)"), "{error}");
    server.assert_no_request().await;
}

/// The key of a program's own token names the client.
#[tokio::test(start_paused = true)]
async fn k13_a_stored_token_of_a_client_needs_no_name() {
    let store = MemoryStore::new();
    let layer = tenants(move |tenant| {
        Ok(ClientCredentials::new(TOKEN_URL, Client::post(tenant.0, "secret"))?.persisted(store.clone()))
    });
    let (service, mut server) = mock_service(&layer);
    for tenant in ["one", "two"] {
        let sent = spawn(&service, request(tenant));
        assert_eq!(issue(&mut server).await, tenant);
        assert_eq!(server.next_authorization().await.unwrap(), format!("Bearer {tenant}"));
        assert_eq!(sent.await.unwrap().unwrap(), 200);
    }
}

/// Like `f64::NAN` in a key.
#[derive(Clone)]
struct Unequal;

impl Hash for Unequal {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl PartialEq for Unequal {
    fn eq(&self, _: &Self) -> bool {
        false
    }
}

impl Eq for Unequal {}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_not_equal_to_itself_does_not_loop() {
    let calls = AtomicUsize::new(0);
    let layer = TenantsLayer::new(move |_: &Unequal| match calls.fetch_add(1, Ordering::SeqCst) {
        0..100 => grant(&Tenant("one")),
        _ => Err(Error::caused_by(ErrorKind::Configuration, "called again and again")),
    });
    layer.tokens(&Unequal).unwrap();
}
