//! `TenantsLayer::flush` waits for the refreshes of all keys.

use std::task::Poll;
use std::time::Duration;

use http::{Request, Response};
use tokio_test::task;
use tower::{Layer, ServiceExt};
use tower_test::mock;

use super::support::{Tenant, grant, mock_service, request, spawn, tenants};
use crate::support::{Body, answer, pass, token};

#[tokio::test(start_paused = true)]
async fn it_waits_for_each_refresh_also_if_the_requests_were_dropped() {
    // In both orders, because it could wait for one cell only.
    for last_first in [false, true] {
        let layer = tenants(grant);
        let (service, mut server) = mock_service(&layer);
        let mut refreshes = Vec::new();
        for tenant in ["one", "two", "three"] {
            let sent = spawn(&service, request(tenant));
            refreshes.push((tenant, server.token_request().await.1));
            sent.abort();
        }
        // It has no refresh.
        layer.tokens(&Tenant("idle")).unwrap();
        let mut flush = task::spawn(layer.flush());
        assert!(flush.poll().is_pending());
        while !refreshes.is_empty() {
            let (tenant, respond) = refreshes.remove(if last_first { refreshes.len() - 1 } else { 0 });
            respond.send_response(answer(200, token(tenant, 3600)));
            pass(Duration::from_millis(1)).await;
            assert!(layer.tokens(&Tenant(tenant)).unwrap().peek().is_some());
            assert_eq!(flush.poll().is_ready(), refreshes.is_empty());
        }
        server.assert_no_request().await;
    }
}

#[tokio::test(start_paused = true)]
async fn it_starts_no_refresh_and_creates_no_cell() {
    let layer = tenants(grant);
    layer.flush().await;
    assert!(layer.is_empty());
    let (_service, mut server) = mock_service(&layer);
    layer.tokens(&Tenant("one")).unwrap();
    layer.flush().await;
    server.assert_no_request().await;
    assert_eq!(layer.len(), 1);
}

/// Without a runtime, `flush` polls the refreshes itself, and one of them does not delay another.
#[test]
fn without_a_runtime_it_continues_all_refreshes() {
    let (inner, mut handle) = mock::pair::<Request<Body>, Response<Body>>();
    let (layer, mut server) = (tenants(grant), Vec::new());
    let service = layer.layer(inner);
    for tenant in ["one", "two"] {
        assert!(task::spawn(service.clone().oneshot(request(tenant))).poll().is_pending());
        match task::spawn(handle.next_request()).poll() {
            Poll::Ready(Some((_, respond))) => server.push(respond),
            _ => panic!("no token request"),
        }
    }
    let mut flush = task::spawn(layer.flush());
    assert!(flush.poll().is_pending());
    let has_token = |tenant| layer.tokens(&Tenant(tenant)).unwrap().peek().is_some();
    server.pop().unwrap().send_response(answer(200, token("a", 3600)));
    assert!(flush.is_woken() && flush.poll().is_pending());
    assert!(has_token("two") && !has_token("one"));
    server.pop().unwrap().send_response(answer(200, token("a", 3600)));
    assert!(flush.is_woken() && flush.poll().is_ready());
    assert!(has_token("one"));
}
