//! K3: the number of cells is bounded, and a cell in use is kept.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tower::{BoxError, ServiceExt};
use tower_oauth2::client::Client;
use tower_oauth2::grant::ClientCredentials;
use tower_oauth2::store::{Entry, Key, MemoryStore, TokenStore};
use tower_oauth2::tenants::TenantsLayer;
use tower_oauth2::{ErrorKind, Token};

use super::support::{
    EchoServer, Number, Tenant, grant, issue, mock_service, numbered, numbered_grant, request, request_to, sent_with,
    spawn, tenants,
};
use crate::support::{API_URL, TOKEN_URL, pass};

/// Creates the cells of many other keys, without using them.
fn create_others(layer: &TenantsLayer<Number>, keys: impl IntoIterator<Item = usize>) {
    for key in keys {
        layer.tokens(&Number(key)).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn k3_ten_thousand_keys_never_have_more_cells_than_the_maximum() {
    let (layer, server) = (numbered(100), EchoServer::default());
    let service = server.service(&layer);
    for key in 0..10_000 {
        assert_eq!(sent_with(&service, Number(key)).await.unwrap(), format!("Bearer {key}-1"));
        assert!(layer.len() <= 100, "{} cells after {key}", layer.len());
    }
    assert!(layer.len() > 50, "only {} of 100 cells are used", layer.len());
    // The last key has its token, and most of the others get another one.
    assert_eq!(sent_with(&service, Number(9_999)).await.unwrap(), "Bearer 9999-1");
    for key in 5_000..5_100 {
        sent_with(&service, Number(key)).await.unwrap();
    }
    assert!(server.all_issued() > 10_050, "cells were not dropped");
}

/// The map consists of several parts, whose number depends on the maximum.
#[tokio::test(start_paused = true)]
async fn k3_each_maximum_holds() {
    for max in [1, 2, 3, 31, 32, 33, 47, 63, 64, 65, 79, 97, 99, 100, 101, 257] {
        let (layer, server) = (numbered(max), EchoServer::default());
        let service = server.service(&layer);
        for key in 0..4 * max + 20 {
            assert_eq!(sent_with(&service, Number(key)).await.unwrap(), format!("Bearer {key}-1"));
            assert!((1..=max).contains(&layer.len()), "{} cells with a maximum of {max}", layer.len());
        }
        assert!(layer.len() > max / 2, "{} of {max}", layer.len());
        // A key that is used all the time stays, at the latest from its second cell on.
        for key in 0..100 {
            sent_with(&service, Number(1_000_000)).await.unwrap();
            sent_with(&service, Number(2_000_000 + key)).await.unwrap();
        }
        let requests = server.issued("1000000");
        assert!(requests <= 2 || max < 31, "{requests} token requests of a key in use, with a maximum of {max}");
    }
}

#[tokio::test(start_paused = true)]
async fn k3_the_maximum_can_be_huge_and_not_zero() {
    let (layer, server) = (numbered(usize::MAX), EchoServer::default());
    let service = server.service(&layer);
    for round in 0..2 {
        for key in 0..500 {
            assert_eq!(sent_with(&service, Number(key)).await.unwrap(), format!("Bearer {key}-1"), "{round}");
        }
    }
    assert_eq!(layer.len(), 500);
    let error = TenantsLayer::new(numbered_grant).max_tenants(0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(format!("{error:?}").contains("max_tenants"), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn k3_the_maximum_is_set_before_the_first_use() {
    let layer = numbered(5);
    let clone = layer.clone();
    let layer = layer.max_tenants(7).unwrap();
    // Neither of these creates a cell.
    layer.forget(&Number(1));
    assert!(layer.is_empty());
    let layer = layer.max_tenants(9).unwrap();
    layer.tokens(&Number(1)).unwrap();
    let error = clone.max_tenants(10).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    create_others(&layer, 0..100);
    assert_eq!(layer.len(), 9);
}

#[tokio::test(start_paused = true)]
async fn k3_cells_in_use_may_exceed_the_maximum_until_the_next_one_is_created() {
    let layer = numbered(3);
    let handles: Vec<_> = (0..100).map(|key| layer.tokens(&Number(key)).unwrap()).collect();
    assert_eq!(layer.len(), 100);
    drop(handles);
    assert_eq!(layer.len(), 100, "nothing is dropped automatically");
    create_others(&layer, [1000]);
    assert_eq!(layer.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn k3_requests_that_wait_keep_their_cells() {
    let layer = tenants(grant).max_tenants(1).unwrap();
    let (service, mut server) = mock_service(&layer);
    let sent: Vec<_> = ["a", "b", "c"].map(|tenant| (tenant, spawn(&service, request(tenant)))).into();
    let mut responds = Vec::new();
    for _ in &sent {
        let (form, respond) = server.token_request().await;
        responds.push((super::support::client_of(&form), respond));
    }
    assert_eq!(layer.len(), 3);
    for (client, respond) in responds {
        respond.send_response(crate::support::answer(200, crate::support::token(&client, 3600)));
        assert_eq!(server.next_authorization().await.unwrap(), format!("Bearer {client}"));
    }
    for (_, sent) in sent {
        assert_eq!(sent.await.unwrap().unwrap(), 200);
    }
    server.assert_no_request().await;
    layer.tokens(&Tenant("d")).unwrap();
    assert_eq!(layer.len(), 1);
}

/// The request is under way at the API. Its rejection must find the cell.
#[tokio::test(start_paused = true)]
async fn k3_a_request_under_way_keeps_its_cell() {
    let layer = tenants(grant).max_tenants(1).unwrap();
    layer.tokens(&Tenant("a")).unwrap().set(Token::bearer("old").unwrap());
    let (service, mut server) = mock_service(&layer);
    let sent = spawn(&service, request("a"));
    let (_, respond) = server.next().await;
    for other in ["b", "c", "d"] {
        layer.tokens(&Tenant(other)).unwrap().set(Token::bearer(other).unwrap());
    }
    respond.send_response(crate::support::answer(401, ""));
    assert_eq!(sent.await.unwrap().unwrap(), 401);
    assert_eq!(issue(&mut server).await, "a");
}

#[tokio::test(start_paused = true)]
async fn k3_a_cell_whose_refresh_runs_is_kept_without_a_waiter() {
    let layer = tenants(grant).max_tenants(1).unwrap();
    let (service, mut server) = mock_service(&layer);
    let abandoned = spawn(&service, request("a"));
    let (_, respond) = server.token_request().await;
    abandoned.abort();
    assert!(abandoned.await.unwrap_err().is_cancelled());
    for other in ["b", "c", "d", "e"] {
        layer.tokens(&Tenant(other)).unwrap();
    }
    // A request that joins gets the result, too.
    let joined = spawn(&service, request("a"));
    server.assert_no_request().await;
    respond.send_response(crate::support::answer(200, crate::support::token("of-a", 3600)));
    assert_eq!(server.next_authorization().await.unwrap(), "Bearer of-a");
    assert_eq!(joined.await.unwrap().unwrap(), 200);
    let sent = spawn(&service, request("a"));
    assert_eq!(server.next_authorization().await.unwrap(), "Bearer of-a");
    sent.await.unwrap().unwrap();
}

/// A store that saves when it is permitted.
#[derive(Clone)]
struct SlowStore(Arc<MemoryStore>, Arc<Semaphore>);

impl TokenStore for SlowStore {
    type Lock = <MemoryStore as TokenStore>::Lock;

    async fn lock(&self, key: &Key) -> Result<Self::Lock, BoxError> {
        self.0.lock(key).await
    }

    async fn load(&self, key: &Key) -> Result<Option<Entry>, BoxError> {
        self.0.load(key).await
    }

    async fn save(&self, key: &Key, entry: &Entry, lock: &mut Self::Lock) -> Result<(), BoxError> {
        let _permit = self.1.acquire().await?;
        self.0.save(key, entry, lock).await
    }

    async fn clear(&self, key: &Key, generation: u64) -> Result<(), BoxError> {
        self.0.clear(key, generation).await
    }
}

#[tokio::test(start_paused = true)]
async fn k3_a_cell_whose_token_is_being_saved_is_kept() {
    let (saving, permits) = (Arc::new(MemoryStore::new()), Arc::new(Semaphore::new(0)));
    let store = SlowStore(saving, permits.clone());
    let layer = TenantsLayer::new(move |key: &Number| {
        let grant = ClientCredentials::new(TOKEN_URL, Client::post(key.0.to_string(), "secret"))?;
        Ok(grant.persisted(store.clone()).subject(key.0.to_string()))
    });
    let layer = layer.max_tenants(1).unwrap();
    let server = EchoServer::default();
    let service = server.service(&layer);
    let request = tokio::spawn(service.clone().oneshot(request_to(API_URL, Number(1))));
    pass(Duration::from_secs(20)).await;
    // The request may be sent before the end of the save, and is over.
    request.abort();
    let _ = request.await;
    create_others(&layer, 2..6);
    assert_eq!(layer.len(), 2, "the cell in use and the newest one");
    permits.add_permits(10);
    pass(Duration::from_secs(1)).await;
    assert_eq!(sent_with(&service, Number(1)).await.unwrap(), "Bearer 1-1");
    create_others(&layer, 7..9);
    assert_eq!(layer.len(), 1);
}
