//! K14: what many keys leave behind.

use std::sync::Arc;
use std::time::Duration;

use http::Request;
use tower::{BoxError, Layer, ServiceExt, service_fn};
use tower_oauth2::grant::{Context, Grant};
use tower_oauth2::store::MemoryStore;
use tower_oauth2::tenants::TenantsLayer;
use tower_oauth2::{Error, OAuth2Layer, Token};

use super::support::{EchoServer, Number, numbered_grant, request_to, sent_with};
use crate::support::{API_URL, Body, answer, pass};

const MAX: usize = 40;

/// A grant that exists as long as its cell.
struct Probe(#[expect(dead_code, reason = "it is only dropped")] Arc<()>);

impl Grant for Probe {
    async fn obtain(&self, cx: Context) -> Result<Token, Error> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let had_one = cx.previous().is_some();
        Ok(Token::bearer(if had_one { "next" } else { "first" })?.with_expires_in(Duration::from_secs(3600)))
    }
}

/// Waits for the end of background tasks.
async fn alive_tasks() -> usize {
    pass(Duration::from_secs(120)).await;
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

#[tokio::test(start_paused = true)]
async fn k14_cells_grants_and_tasks_return_to_the_maximum() {
    let probe = Arc::new(());
    let held = probe.clone();
    let layer = TenantsLayer::new(move |_: &Number| Ok(Probe(held.clone()))).max_tenants(MAX).unwrap();
    let inner = service_fn(async |request: Request<Body>| {
        let is_next = request.headers()["authorization"] == "Bearer next";
        Ok::<_, BoxError>(answer(if is_next { 200 } else { 401 }, ""))
    });
    let service = layer.layer(inner);
    for key in 0..20_000 {
        // A token, its rejection, and a refresh.
        for _ in 0..2 {
            let _ = service.clone().oneshot(request_to(API_URL, Number(key))).await.unwrap();
        }
        if key % 7 == 0 {
            layer.forget(&Number(key));
        }
    }
    assert_eq!(alive_tasks().await, 0);
    layer.tokens(&Number(0)).unwrap();
    assert!(layer.len() <= MAX);
    assert!(Arc::strong_count(&probe) <= MAX + 2, "{} grants are left", Arc::strong_count(&probe) - 2);
    drop((service, layer));
    assert_eq!(Arc::strong_count(&probe), 1);
}

/// A layer whose services and handles are dropped leaves nothing, even if refreshes were running.
#[tokio::test(start_paused = true)]
async fn k14_a_layer_that_is_dropped_drops_its_cells() {
    let probe = Arc::new(());
    let held = probe.clone();
    let layer = TenantsLayer::new(move |_: &Number| Ok(Probe(held.clone())));
    let inner = service_fn(async |_: Request<Body>| Ok::<_, BoxError>(answer(200, "")));
    let service = layer.layer(inner);
    for key in 0..100 {
        drop(tokio::spawn(service.clone().oneshot(request_to(API_URL, Number(key)))));
    }
    tokio::task::yield_now().await;
    let kept = tokio::spawn(layer.tokens(&Number(1)).unwrap().keep_fresh());
    drop((service, layer));
    assert_eq!(alive_tasks().await, 0);
    assert!(kept.is_finished());
    assert_eq!(Arc::strong_count(&probe), 1);
}

/// The tasks of persisted grants, which save tokens and watch the store, end with their cells.
#[tokio::test(start_paused = true)]
async fn k14_persisted_grants_leave_no_task() {
    let store = Arc::new(MemoryStore::new().max_entries(10_000));
    let watched = store.clone();
    let layer = TenantsLayer::new(move |key: &Number| {
        let grant = numbered_grant(key)?.persisted(watched.clone()).subject(key.0.to_string());
        Ok(OAuth2Layer::new(grant))
    });
    let layer = layer.max_tenants(MAX).unwrap();
    let server = EchoServer::default();
    let service = server.service(&layer);
    for key in 0..1000 {
        assert_eq!(sent_with(&service, Number(key)).await.unwrap(), format!("Bearer {key}-1"));
    }
    let alive = alive_tasks().await;
    assert!(alive <= MAX, "{alive} tasks for {MAX} cells");
    drop((service, layer));
    assert_eq!(alive_tasks().await, 0);
}
