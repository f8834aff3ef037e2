//! K10: a handle and the layer use the same cell while the handle exists.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tower_oauth2::tenants::TenantsLayer;
use tower_oauth2::{OAuth2Layer, Token};

use super::support::{EchoServer, Number, numbered, numbered_grant, sent_with};
use crate::support::pass;

/// Creates cells until an idle one is dropped.
fn evict(layer: &TenantsLayer<Number>) {
    for key in 1000..1100 {
        layer.tokens(&Number(key)).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn k10_a_handle_keeps_its_cell_whatever_is_dropped_around_it() {
    let (layer, server) = (numbered(1), EchoServer::default());
    let service = server.service(&layer);
    let handle = layer.tokens(&Number(1)).unwrap();
    assert_eq!(sent_with(&service, Number(1)).await.unwrap(), "Bearer 1-1");
    for number in 2..5 {
        evict(&layer);
        assert!(layer.len() <= 2);
        // The handle sees the token of the services, and they see the one of the handle.
        handle.refresh().await.unwrap();
        assert_eq!(sent_with(&service, Number(1)).await.unwrap(), format!("Bearer 1-{number}"));
        assert_eq!(handle.peek(), layer.tokens(&Number(1)).unwrap().peek());
    }
    handle.set(Token::bearer("set").unwrap());
    evict(&layer);
    assert_eq!(sent_with(&service, Number(1)).await.unwrap(), "Bearer set");
}

#[tokio::test(start_paused = true)]
async fn k10_the_last_clone_of_a_handle_releases_the_cell() {
    let (layer, server) = (numbered(1), EchoServer::default());
    let service = server.service(&layer);
    let handle = layer.tokens(&Number(1)).unwrap();
    assert_eq!(sent_with(&service, Number(1)).await.unwrap(), "Bearer 1-1");
    let clone = handle.clone();
    drop(handle);
    evict(&layer);
    assert_eq!(sent_with(&service, Number(1)).await.unwrap(), "Bearer 1-1");
    drop(clone);
    evict(&layer);
    assert_eq!(layer.len(), 1);
    assert_eq!(sent_with(&service, Number(1)).await.unwrap(), "Bearer 1-2");
}

/// A future of a handle uses its cell.
#[tokio::test(start_paused = true)]
async fn k10_a_call_of_a_handle_keeps_the_cell() {
    let (layer, server) = (numbered(1), EchoServer::default());
    server.hang("1");
    let service = server.service(&layer);
    tower::ServiceExt::ready(&mut service.clone()).await.unwrap();
    let handle = layer.tokens(&Number(1)).unwrap();
    let waiting = tokio::spawn(async move { handle.get().await });
    pass(Duration::from_millis(1)).await;
    evict(&layer);
    layer.tokens(&Number(1)).unwrap().set(Token::bearer("set").unwrap());
    assert_eq!(waiting.await.unwrap().unwrap().access_token(), "set");
}

#[tokio::test(start_paused = true)]
async fn k10_receivers_and_keep_fresh_end_with_the_cell() {
    let (layer, server) = (numbered(1), EchoServer::default());
    let service = server.service(&layer);
    let handle = layer.tokens(&Number(1)).unwrap();
    let (mut changes, kept) = (handle.changes(), tokio::spawn(handle.keep_fresh()));
    assert_eq!(sent_with(&service, Number(1)).await.unwrap(), "Bearer 1-1");
    changes.changed().await.unwrap();
    assert_eq!(changes.borrow_and_update().as_ref().unwrap().access_token(), "1-1");
    // With the handle, the token is refreshed without a request.
    for number in 2..4 {
        evict(&layer);
        pass(Duration::from_secs(3400)).await;
        assert_eq!(handle.peek().unwrap().access_token(), format!("1-{number}"));
        assert!(changes.has_changed().unwrap());
        changes.mark_unchanged();
    }
    drop(handle);
    pass(Duration::from_secs(10)).await;
    assert!(!kept.is_finished(), "the cell exists until it is dropped for another");
    evict(&layer);
    kept.await.unwrap();
    assert!(changes.changed().await.is_err(), "the cell and its sender were dropped");
    assert_eq!(changes.borrow().as_ref().unwrap().access_token(), "1-3");
}

#[tokio::test(start_paused = true)]
async fn k10_after_forget_a_handle_refers_to_the_removed_cell() {
    let (layer, server) = (numbered(10), EchoServer::default());
    let service = server.service(&layer);
    let removed = layer.tokens(&Number(1)).unwrap();
    removed.set(Token::bearer("old").unwrap());
    layer.forget(&Number(1));
    assert_eq!(removed.peek(), None);
    removed.set(Token::bearer("removed").unwrap());
    assert_eq!(sent_with(&service, Number(1)).await.unwrap(), "Bearer 1-1");
    assert_eq!(removed.peek().unwrap().access_token(), "removed");
    // It can still obtain a token, through the services of the layer.
    assert_eq!(removed.refresh().await.unwrap().access_token(), "1-2");
    assert_eq!(layer.tokens(&Number(1)).unwrap().peek().unwrap().access_token(), "1-1");
}

/// The origins that the function sets apply to handles.
#[tokio::test(start_paused = true)]
async fn k10_a_handle_has_the_options_of_its_tenant() {
    let layer = TenantsLayer::new(|key: &Number| {
        OAuth2Layer::new(numbered_grant(key)?).origin(format!("https://api-{}.example.com", key.0))
    });
    for key in [1, 2] {
        let handle = layer.tokens(&Number(key)).unwrap();
        handle.set(Token::bearer("a").unwrap());
        for host in [1, 2] {
            let mut request = http::Request::get(format!("https://api-{host}.example.com/")).body(()).unwrap();
            assert_eq!(handle.authorize(&mut request).await.unwrap(), key == host);
        }
    }
}

/// A clone of the layer that the function has returned counts like a handle.
#[tokio::test(start_paused = true)]
async fn k10_a_layer_that_the_program_keeps_keeps_its_cell() {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let layer = TenantsLayer::new({
        let kept = kept.clone();
        move |key: &Number| {
            let layer = OAuth2Layer::new(numbered_grant(key)?);
            kept.lock().unwrap().push(layer.clone());
            Ok(layer)
        }
    });
    let layer = layer.max_tenants(2).unwrap();
    (0..5).for_each(|key| drop(layer.tokens(&Number(key)).unwrap()));
    assert_eq!(layer.len(), 5);
    kept.lock().unwrap().clear();
    layer.tokens(&Number(5)).unwrap();
    assert!(layer.len() <= 2);
}
