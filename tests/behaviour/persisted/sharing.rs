//! Several layers share a store: the token of one is the token of all.

use std::sync::Arc;
use std::time::Duration;

use tower::ServiceExt;
use tower_oauth2::OAuth2Layer;
use tower_oauth2::store::{Entry, MemoryStore, TokenStore};

use super::scripted::{Fault, Operation, Scripted};
use super::{HOURS, answer, cautious, is, key, persisted, put, refresh, refreshed, send, served, stored, token, with};
use crate::support::{get, mock_service, pass, spawn_refresh};

#[tokio::test(start_paused = true)]
async fn a_newer_token_of_another_process_is_used_without_the_lock() {
    let store = Scripted::default();
    put(&store, token("a", "r1", 60), 1).await;
    let (service, mut server) = with(persisted(store.clone()));
    served(&service, &mut server, "a").await;
    pass(HOURS).await;
    put(&store, token("b", "r2", 3600), 2).await;
    store.operations();
    served(&service, &mut server, "b").await;
    assert_eq!(store.operations(), [Operation::Load]);
}

#[tokio::test(start_paused = true)]
async fn a_newer_token_of_another_process_is_found_with_the_lock() {
    let store = Scripted::default();
    put(&store, token("a", "r1", 0), 1).await;
    let (service, mut server) = with(persisted(store.clone()));
    // The other process refreshes the token while this one waits for the lock.
    let mut lock = store.lock(&key()).await.unwrap();
    let sent = send(&service);
    pass(Duration::from_secs(5)).await;
    server.assert_no_request().await;
    store.save(&key(), &Entry::new(token("b", "r2", 3600), 2), &mut lock).await.unwrap();
    drop(lock);
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer b"));
    sent.await.unwrap().unwrap();
    assert_eq!(stored(&store).await, is(2, "b", "r2"));
}

/// The token of the other process has expired too, but its refresh token is the newest.
#[tokio::test(start_paused = true)]
async fn the_refresh_token_that_is_sent_is_the_one_in_the_store() {
    let store = Scripted::default();
    put(&store, token("a", "r1", 60), 1).await;
    let (service, mut server) = with(persisted(store.clone()));
    served(&service, &mut server, "a").await;
    pass(HOURS).await;
    put(&store, token("b", "r2", 0), 2).await;
    refreshed(&service, &mut server, "r2", "c", "r3").await;
    assert_eq!(stored(&store).await, is(3, "c", "r3"));
}

/// The refresh token that was loaded before the lock was taken may have been used.
#[tokio::test(start_paused = true)]
async fn the_refresh_token_is_loaded_with_the_lock() {
    let store = Scripted::default();
    put(&store, token("a", "r1", 0), 1).await;
    let (service, mut server) = with(persisted(store.clone()));
    let mut lock = store.lock(&key()).await.unwrap();
    let sent = send(&service);
    pass(Duration::from_secs(1)).await;
    store.save(&key(), &Entry::new(token("b", "r2", 0), 2), &mut lock).await.unwrap();
    drop(lock);
    assert_eq!(refresh(&mut server, 200, answer("c", "r3")).await, "r2");
    server.next_authorization().await;
    sent.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn two_layers_send_one_token_request() {
    let store = MemoryStore::new();
    put(&store, token("a", "r1", 0), 1).await;
    let login = persisted(store.clone());
    let ((one, mut first), (two, mut second)) = (with(login.clone()), with(login));
    let one = send(&one);
    // The second one starts after the first one.
    let (_, respond) = first.token_request().await;
    let two = send(&two);
    second.assert_no_request().await;
    respond.send_response(crate::support::answer(200, answer("b", "r2")));
    for (sent, server) in [(one, &mut first), (two, &mut second)] {
        assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer b"));
        sent.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_token_of_another_process_arrives_without_a_request() {
    let store = MemoryStore::new();
    put(&store, token("a", "r1", 3600), 1).await;
    let login = persisted(store.clone());
    let ((one, mut first), (two, mut second)) = (with(login.clone()), with(login));
    served(&one, &mut first, "a").await;
    served(&two, &mut second, "a").await;
    let mut changes = two.tokens().changes();
    changes.mark_unchanged();
    let refreshing = spawn_refresh(&one.tokens());
    assert_eq!(refresh(&mut first, 200, answer("b", "r2")).await, "r1");
    refreshing.await.unwrap().unwrap();
    tokio::time::timeout(Duration::from_secs(60), changes.changed()).await.expect("the token does not arrive").unwrap();
    assert_eq!(two.tokens().peek().unwrap().access_token(), "b");
    second.assert_no_request().await;
    // In the other direction, with the new refresh token.
    let refreshing = spawn_refresh(&two.tokens());
    assert_eq!(refresh(&mut second, 200, answer("c", "r3")).await, "r2");
    refreshing.await.unwrap().unwrap();
    pass(Duration::from_millis(1)).await;
    assert_eq!(one.tokens().peek().unwrap().access_token(), "c");
    assert_eq!(stored(&store).await, is(3, "c", "r3"));
}

/// An older token, or an expired one, is not used.
#[tokio::test(start_paused = true)]
async fn only_a_newer_valid_token_arrives() {
    let store = MemoryStore::new();
    put(&store, token("a", "r1", 3600), 5).await;
    let (service, mut server) = with(persisted(store.clone()));
    served(&service, &mut server, "a").await;
    for (late, generation, is_saved) in
        [(token("old", "r", 3600), 5, false), (token("older", "r", 3600), 4, false), (token("ended", "r", 0), 6, true)]
    {
        let mut lock = store.lock(&key()).await.unwrap();
        assert_eq!(store.save(&key(), &Entry::new(late, generation), &mut lock).await.is_ok(), is_saved);
        pass(Duration::from_millis(1)).await;
        assert_eq!(service.tokens().peek().unwrap().access_token(), "a");
    }
    store.clear(&key(), 9).await.unwrap();
    pass(Duration::from_millis(1)).await;
    served(&service, &mut server, "a").await;
}

/// The watch task does not keep the grant or the layer alive.
#[tokio::test(start_paused = true)]
async fn the_watch_task_ends_with_the_layer() {
    let store = MemoryStore::new();
    put(&store, token("a", "r1", 3600), 1).await;
    let (service, mut server) = with(persisted(store.clone()));
    served(&service, &mut server, "a").await;
    drop((service, server));
    pass(Duration::from_millis(1)).await;
    put(&store, token("b", "r2", 3600), 2).await;
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
}

/// Two layers with different options share one token in memory.
#[tokio::test(start_paused = true)]
async fn clones_of_a_layer_share_the_token_and_the_store_operations() {
    let store = Scripted::default();
    put(&store, token("a", "r1", 0), 1).await;
    store.operations();
    let layer = OAuth2Layer::new(persisted(store.clone()));
    let (one, mut first) = mock_service(&layer.clone().origin("https://api.example.com").unwrap());
    let (two, mut second) = mock_service(&layer.origin("https://other.example.com").unwrap());
    refreshed(&one, &mut first, "r1", "b", "r2").await;
    let operations = store.operations();
    assert_eq!(operations, [Operation::Load, Operation::Lock, Operation::Load, Operation::Save]);
    let sent = tokio::spawn(two.oneshot(get("https://other.example.com/")));
    assert_eq!(second.next_authorization().await.as_deref(), Some("Bearer b"));
    sent.await.unwrap().unwrap();
    assert_eq!(store.operations(), []);
}

/// The layers share the grant itself, and each has its own token in memory.
#[tokio::test(start_paused = true)]
async fn two_layers_of_one_grant_both_receive_new_tokens() {
    let store = MemoryStore::new();
    put(&store, token("a", "r1", 3600), 1).await;
    let login = Arc::new(cautious(store.clone()));
    let ((one, mut first), (two, mut second)) = (with(login.clone()), with(login));
    served(&one, &mut first, "a").await;
    served(&two, &mut second, "a").await;
    put(&store, token("b", "r2", 3600), 2).await;
    pass(Duration::from_millis(1)).await;
    for service in [&one, &two] {
        assert_eq!(service.tokens().peek().unwrap().access_token(), "b");
    }
    let refreshing = spawn_refresh(&one.tokens());
    assert_eq!(refresh(&mut first, 200, answer("c", "r3")).await, "r2");
    refreshing.await.unwrap().unwrap();
    pass(Duration::from_millis(1)).await;
    assert_eq!(two.tokens().peek().unwrap().access_token(), "c");
}

/// The second layer must not send the refresh token that the first one has used.
#[tokio::test(start_paused = true)]
async fn two_layers_of_one_grant_do_not_end_each_others_saves() {
    let store = Scripted::default();
    put(&store, token("a", "r1", 60), 1).await;
    let login = Arc::new(cautious(store.clone()));
    let ((one, mut first), (two, mut second)) = (with(login.clone()), with(login));
    served(&one, &mut first, "a").await;
    served(&two, &mut second, "a").await;
    pass(HOURS).await;
    store.script(Operation::Save, Fault::Fails);
    refreshed(&one, &mut first, "r1", "b", "r2").await;
    let sent = send(&two);
    pass(Duration::from_secs(1)).await;
    second.assert_no_request().await;
    store.heal();
    assert_eq!(second.next_authorization().await.as_deref(), Some("Bearer b"));
    sent.await.unwrap().unwrap();
}
