//! Several at once: a token that one has got is everybody's.

use std::time::Duration;

use tower::ServiceExt;
use tower_oauth2::OAuth2Layer;
use tower_oauth2::store::{Entry, MemoryStore, TokenStore};

use super::scripted::{Operation, Scripted};
use super::{HOURS, answer, is, key, persisted, put, renewal, renewed, send, served, stored, token, with};
use crate::support::{conversation, get, pass};

#[tokio::test(start_paused = true)]
async fn a_siblings_newer_token_is_taken_without_the_lock() {
    let store = Scripted::default();
    put(&store, token("a", "r1", 60), 1).await;
    let (service, mut server) = with(persisted(store.clone()));
    served(&service, &mut server, "a").await;
    pass(HOURS).await;
    put(&store, token("b", "r2", 3600), 2).await;
    store.asked();
    served(&service, &mut server, "b").await;
    assert_eq!(store.asked(), [Operation::Load]);
}

#[tokio::test(start_paused = true)]
async fn a_siblings_newer_token_is_taken_under_the_lock() {
    let store = Scripted::default();
    put(&store, token("a", "r1", 0), 1).await;
    let (service, mut server) = with(persisted(store.clone()));
    // The sibling renews while we wait for our turn.
    let mut turn = store.lock(&key()).await.unwrap();
    let sent = send(&service);
    pass(Duration::from_secs(5)).await;
    server.hears_nothing().await;
    store.save(&key(), &Entry::new(token("b", "r2", 3600), 2), &mut turn).await.unwrap();
    drop(turn);
    assert_eq!(server.serves().await.as_deref(), Some("Bearer b"));
    sent.await.unwrap().unwrap();
    assert_eq!(stored(&store).await, is(2, "b", "r2"));
}

/// The sibling's token has ended too, but its refresh token is the one that the server knows.
#[tokio::test(start_paused = true)]
async fn the_refresh_token_that_is_sent_is_the_one_in_the_store() {
    let store = Scripted::default();
    put(&store, token("a", "r1", 60), 1).await;
    let (service, mut server) = with(persisted(store.clone()));
    served(&service, &mut server, "a").await;
    pass(HOURS).await;
    put(&store, token("b", "r2", 0), 2).await;
    renewed(&service, &mut server, "r2", "c", "r3").await;
    assert_eq!(stored(&store).await, is(3, "c", "r3"));
}

/// It is read under the lock: what was read before that may be spent by now.
#[tokio::test(start_paused = true)]
async fn the_refresh_token_is_read_under_the_lock() {
    let store = Scripted::default();
    put(&store, token("a", "r1", 0), 1).await;
    let (service, mut server) = with(persisted(store.clone()));
    let mut turn = store.lock(&key()).await.unwrap();
    let sent = send(&service);
    pass(Duration::from_secs(1)).await;
    store.save(&key(), &Entry::new(token("b", "r2", 0), 2), &mut turn).await.unwrap();
    drop(turn);
    assert_eq!(renewal(&mut server, 200, answer("c", "r3")).await, "r2");
    server.serves().await;
    sent.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn two_layers_make_one_token_call() {
    let store = MemoryStore::new();
    put(&store, token("a", "r1", 0), 1).await;
    let login = persisted(store.clone());
    let ((one, mut first), (two, mut second)) = (with(login.clone()), with(login));
    let one = send(&one);
    // Only after the first has begun does the second.
    let (_, respond) = first.token_request().await;
    let two = send(&two);
    second.hears_nothing().await;
    respond.send_response(crate::support::answer(200, answer("b", "r2")));
    for (sent, server) in [(one, &mut first), (two, &mut second)] {
        assert_eq!(server.serves().await.as_deref(), Some("Bearer b"));
        sent.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_siblings_token_arrives_without_a_request() {
    let store = MemoryStore::new();
    put(&store, token("a", "r1", 3600), 1).await;
    let login = persisted(store.clone());
    let ((one, mut first), (two, mut second)) = (with(login.clone()), with(login));
    served(&one, &mut first, "a").await;
    served(&two, &mut second, "a").await;
    let mut changes = two.tokens().changes();
    changes.mark_unchanged();
    let refreshing = tokio::spawn({
        let tokens = one.tokens();
        async move { tokens.refresh().await }
    });
    assert_eq!(renewal(&mut first, 200, answer("b", "r2")).await, "r1");
    refreshing.await.unwrap().unwrap();
    tokio::time::timeout(Duration::from_secs(60), changes.changed()).await.expect("it does not arrive").unwrap();
    assert_eq!(two.tokens().peek().unwrap().access_token(), "b");
    second.hears_nothing().await;
    // And the other way round, with the refresh token that came along.
    let refreshing = tokio::spawn({
        let tokens = two.tokens();
        async move { tokens.refresh().await }
    });
    assert_eq!(renewal(&mut second, 200, answer("c", "r3")).await, "r2");
    refreshing.await.unwrap().unwrap();
    pass(Duration::from_millis(1)).await;
    assert_eq!(one.tokens().peek().unwrap().access_token(), "c");
    assert_eq!(stored(&store).await, is(3, "c", "r3"));
}

/// An old one that shows up late, or one that has ended, is not taken.
#[tokio::test(start_paused = true)]
async fn what_is_no_newer_token_does_not_arrive() {
    let store = MemoryStore::new();
    put(&store, token("a", "r1", 3600), 5).await;
    let (service, mut server) = with(persisted(store.clone()));
    served(&service, &mut server, "a").await;
    for (late, generation) in
        [(token("old", "r", 3600), 5), (token("older", "r", 3600), 4), (token("ended", "r", 0), 6)]
    {
        put(&store, late, generation).await;
        pass(Duration::from_millis(1)).await;
        assert_eq!(service.tokens().peek().unwrap().access_token(), "a");
    }
    store.clear(&key(), 9).await.unwrap();
    pass(Duration::from_millis(1)).await;
    served(&service, &mut server, "a").await;
}

/// The grant that follows is not kept alive by it, nor is the layer.
#[tokio::test(start_paused = true)]
async fn nobody_follows_when_the_layer_is_gone() {
    let store = MemoryStore::new();
    put(&store, token("a", "r1", 3600), 1).await;
    let (service, mut server) = with(persisted(store.clone()));
    served(&service, &mut server, "a").await;
    drop((service, server));
    pass(Duration::from_millis(1)).await;
    put(&store, token("b", "r2", 3600), 2).await;
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
}

/// Two layers with options of their own and one token in memory.
#[tokio::test(start_paused = true)]
async fn clones_of_a_layer_share_the_token_and_the_look_at_the_store() {
    let store = Scripted::default();
    put(&store, token("a", "r1", 0), 1).await;
    store.asked();
    let layer = OAuth2Layer::new(persisted(store.clone()));
    let (one, mut first) = conversation(&layer.clone().origin("https://api.example.com").unwrap());
    let (two, mut second) = conversation(&layer.origin("https://other.example.com").unwrap());
    renewed(&one, &mut first, "r1", "b", "r2").await;
    let asked = store.asked();
    assert_eq!(asked, [Operation::Load, Operation::Lock, Operation::Load, Operation::Save]);
    let sent = tokio::spawn(two.oneshot(get("https://other.example.com/")));
    assert_eq!(second.serves().await.as_deref(), Some("Bearer b"));
    sent.await.unwrap().unwrap();
    assert_eq!(store.asked(), []);
}
