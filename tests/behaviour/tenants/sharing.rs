//! K13: what tenants share, and what they do not.

use std::sync::Arc;

use tower::{Layer, ServiceExt};
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::Issuer;
use tower_oauth2::grant::{ClientCredentials, RefreshToken};
use tower_oauth2::store::MemoryStore;

use super::support::{EchoServer, Tenant, client_of, grant, mock_service, request, sent_with, spawn, tenants};
use crate::discovery::site::{ISSUER, OAUTH_DOCUMENT, Site};
use crate::support::{API_URL, TOKEN_URL, answer, token};

#[tokio::test(start_paused = true)]
async fn k13_one_issuer_is_discovered_once() {
    let site = Site::new();
    site.status(API_URL, 200);
    let issuer = Issuer::new(ISSUER).unwrap();
    let layer = tenants(move |tenant| ClientCredentials::from_issuer(&issuer, Client::basic(tenant.0, "secret")));
    let service = layer.layer(site.service());
    let sent = ["one", "two", "three", "one"].map(|tenant| tokio::spawn(service.clone().oneshot(request(tenant))));
    for sent in sent {
        assert_eq!(sent.await.unwrap().unwrap().status(), 200);
    }
    let urls = site.take_urls();
    assert_eq!(urls.iter().filter(|url| *url == OAUTH_DOCUMENT).count(), 1, "{urls:?}");
    assert_eq!(urls.iter().filter(|url| *url == TOKEN_URL).count(), 3, "{urls:?}");
}

#[tokio::test(start_paused = true)]
async fn k13_one_store_keeps_the_tokens_of_subjects_apart() {
    let store = Arc::new(MemoryStore::new());
    // One client for all of them. Its entries differ in the subject only.
    let shared = move |tenant: &Tenant| {
        let grant = RefreshToken::new(TOKEN_URL, Client::public("app"), format!("r-{}", tenant.0))?;
        Ok(grant.persisted(store.clone()).subject(tenant.0))
    };
    let layer = tenants(shared.clone());
    let (service, mut server) = mock_service(&layer);
    for tenant in ["one", "two"] {
        let sent = spawn(&service, request(tenant));
        let (form, respond) = server.token_request().await;
        assert!(form.contains(&("refresh_token".into(), format!("r-{tenant}"))), "{form:?}");
        respond.send_response(answer(200, token(&format!("of-{tenant}"), 3600)));
        assert_eq!(server.next_authorization().await.unwrap(), format!("Bearer of-{tenant}"));
        sent.await.unwrap().unwrap();
    }
    // Another layer, as after a restart.
    let (service, mut server) = mock_service(&tenants(shared));
    for tenant in ["two", "one"] {
        let sent = spawn(&service, request(tenant));
        assert_eq!(server.next_authorization().await.unwrap(), format!("Bearer of-{tenant}"));
        sent.await.unwrap().unwrap();
    }
}

/// A persisted token outlives its cell.
#[tokio::test(start_paused = true)]
async fn k13_a_dropped_cell_finds_its_token_in_the_store() {
    let store = Arc::new(MemoryStore::new());
    let layer = tenants(move |tenant| Ok(grant(tenant)?.persisted(store.clone()).subject(tenant.0)));
    let layer = layer.max_tenants(1).unwrap();
    let server = EchoServer::default();
    let service = server.service(&layer);
    for _ in 0..3 {
        for tenant in ["one", "two", "three"] {
            assert_eq!(sent_with(&service, Tenant(tenant)).await.unwrap(), format!("Bearer {tenant}-1"));
            assert_eq!(layer.len(), 1);
        }
    }
    assert_eq!(server.all_issued(), 3);
}

/// Without a subject, entries differ in the client.
#[tokio::test(start_paused = true)]
async fn k13_different_clients_share_no_entry() {
    let store = Arc::new(MemoryStore::new());
    let layer = tenants(move |tenant| Ok(grant(tenant)?.persisted(store.clone())));
    let (service, mut server) = mock_service(&layer);
    for tenant in ["one", "two"] {
        let sent = spawn(&service, request(tenant));
        let (form, respond) = server.token_request().await;
        assert_eq!(client_of(&form), tenant);
        respond.send_response(answer(200, token(tenant, 3600)));
        assert_eq!(server.next_authorization().await.unwrap(), format!("Bearer {tenant}"));
        sent.await.unwrap().unwrap();
    }
}
