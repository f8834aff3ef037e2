//! A layer uses the token that an earlier layer has stored.

use std::time::Duration;

use tower_oauth2::store::{Entry, MemoryStore, TokenStore};

use super::scripted::{Fault, Operation, Scripted};
use super::{HOURS, answer, is, key, new_entry, persisted, put, refresh, refreshed, send, served, stored, token, with};
use crate::support::{grant, pairs, pass};

#[tokio::test(start_paused = true)]
async fn a_stored_token_needs_no_token_request() {
    let store = MemoryStore::new();
    put(&store, token("a", "r1", 3600), 1).await;
    let (service, mut server) = with(persisted(store.clone()));
    served(&service, &mut server, "a").await;
    served(&service, &mut server, "a").await;
    assert_eq!(stored(&store).await, is(1, "a", "r1"));
}

#[tokio::test(start_paused = true)]
async fn an_expired_stored_token_is_refreshed_with_its_own_refresh_token() {
    let store = MemoryStore::new();
    put(&store, token("a", "r1", 0), 4).await;
    let (service, mut server) = with(persisted(store.clone()));
    refreshed(&service, &mut server, "r1", "b", "r2").await;
    assert_eq!(stored(&store).await, is(5, "b", "r2"));
    pass(HOURS).await;
    refreshed(&service, &mut server, "r2", "c", "r3").await;
    assert_eq!(stored(&store).await, is(6, "c", "r3"));
}

#[tokio::test(start_paused = true)]
async fn an_expired_stored_token_without_a_refresh_token_counts_as_none() {
    let store = MemoryStore::new();
    put(&store, token("a", "", 0), 4).await;
    let (service, mut server) = with(persisted(store.clone()));
    refreshed(&service, &mut server, "r0", "b", "r1").await;
    assert_eq!(stored(&store).await, is(5, "b", "r1"));
}

/// The program is restarted.
#[tokio::test(start_paused = true)]
async fn a_login_outlives_the_layer() {
    let store = MemoryStore::new();
    let (service, mut server) = with(persisted(store.clone()));
    refreshed(&service, &mut server, "r0", "a", "r1").await;
    drop((service, server));
    let (service, mut server) = with(persisted(store.clone()));
    served(&service, &mut server, "a").await;
    pass(HOURS).await;
    refreshed(&service, &mut server, "r1", "b", "r2").await;
}

/// A crash between use and save would lose a rotated refresh token.
#[tokio::test(start_paused = true)]
async fn a_token_is_saved_before_it_is_used() {
    let store = Scripted::default();
    store.script(Operation::Save, Fault::Takes(Duration::from_secs(5)));
    let (service, mut server) = with(persisted(store.clone()));
    let sent = send(&service);
    refresh(&mut server, 200, answer("a", "r1")).await;
    pass(Duration::from_millis(4_900)).await;
    server.assert_no_request().await;
    assert_eq!((stored(&store).await, service.tokens().peek()), (None, None));
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer a"));
    assert_eq!(new_entry(&store, 0).await, Some(("a".to_owned(), Some("r1".to_owned()))));
    sent.await.unwrap().unwrap();
}

/// A due token is refreshed although the store has no newer one.
#[tokio::test(start_paused = true)]
async fn a_token_is_refreshed_before_it_expires() {
    let store = MemoryStore::new();
    put(&store, token("a", "r1", 3600), 1).await;
    let (service, mut server) = with(persisted(store.clone()));
    served(&service, &mut server, "a").await;
    pass(Duration::from_secs(3400)).await;
    let sent = send(&service);
    // The order of the two requests is not specified.
    for _ in 0..2 {
        let (request, respond) = server.next().await;
        let is_token_request = request.uri() == crate::support::TOKEN_URL;
        let body = if is_token_request { answer("b", "r2").to_string() } else { String::new() };
        respond.send_response(crate::support::answer(200, body));
    }
    sent.await.unwrap().unwrap();
    served(&service, &mut server, "b").await;
    assert_eq!(stored(&store).await, is(2, "b", "r2"));
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_token_is_removed_from_the_store_by_the_next_request() {
    let store = MemoryStore::new();
    let login = grant().persisted(store.clone());
    let key = login.key().clone();
    let mut lock = store.lock(&key).await.unwrap();
    store.save(&key, &Entry::new(token("a", "r1", 3600), 3), &mut lock).await.unwrap();
    drop(lock);
    let (service, mut server) = with(login);
    served(&service, &mut server, "a").await;
    service.tokens().forget();
    let sent = send(&service);
    let (form, respond) = server.token_request().await;
    assert_eq!(form, pairs(&[("grant_type", "client_credentials")]), "not the refresh token");
    assert_eq!(store.load(&key).await.unwrap(), None);
    respond.send_response(crate::support::answer(200, answer("b", "r2")));
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer b"));
    sent.await.unwrap().unwrap();
    let entry = store.load(&key).await.unwrap().unwrap();
    assert!(entry.generation > 4 && entry.token.access_token() == "b", "{entry:?}");
}

/// The login that another process has made since was not forgotten.
#[tokio::test(start_paused = true)]
async fn a_newer_token_is_not_forgotten_with_the_old_one() {
    let store = Scripted::default();
    put(&store, token("a", "r1", 3600), 3).await;
    let (service, mut server) = with(persisted(store.clone()));
    served(&service, &mut server, "a").await;
    service.tokens().forget();
    put(&store, token("b", "r2", 3600), 4).await;
    served(&service, &mut server, "b").await;
    assert_eq!(stored(&store).await, is(4, "b", "r2"));
}

#[tokio::test(start_paused = true)]
async fn a_token_that_was_set_is_saved_when_it_is_refreshed() {
    let store = MemoryStore::new();
    put(&store, token("a", "r1", 3600), 3).await;
    let (service, mut server) = with(persisted(store.clone()));
    served(&service, &mut server, "a").await;
    service.tokens().set(token("set", "r-set", 60));
    served(&service, &mut server, "set").await;
    pass(HOURS).await;
    refreshed(&service, &mut server, "r-set", "b", "r2").await;
    assert_eq!(stored(&store).await, is(4, "b", "r2"));
}

/// The stored token is older than the one that is set before the first load.
#[tokio::test(start_paused = true)]
async fn a_token_that_was_set_at_the_start_takes_precedence_over_the_stored_one() {
    for stored_lifetime in [0, 1_000_000] {
        let store = Scripted::default();
        put(&store, token("a", "r1", stored_lifetime), 3).await;
        let (service, mut server) = with(persisted(store.clone()));
        service.tokens().set(token("set", "r-set", 60));
        served(&service, &mut server, "set").await;
        pass(HOURS).await;
        refreshed(&service, &mut server, "r-set", "b", "r2").await;
        assert_eq!(stored(&store).await, is(4, "b", "r2"));
        // From then on newer stored tokens are used.
        put(&store, token("c", "r3", 1_000_000), 5).await;
        pass(HOURS).await;
        served(&service, &mut server, "c").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_logout_clears_the_store() {
    let store = MemoryStore::new();
    put(&store, token("a", "r1", 3600), 3).await;
    let login = persisted(store.clone());
    assert_eq!(login.load().await.unwrap().unwrap().access_token(), "a");
    login.clear().await.unwrap();
    assert_eq!(login.load().await.unwrap(), None);
    assert_eq!(store.load(&key()).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn nothing_prints_a_secret() {
    let store = MemoryStore::new();
    put(&store, token("hunter2-access", "hunter2-refresh", 3600), 3).await;
    let login = persisted(store.clone());
    let entry = store.load(&key()).await.unwrap();
    let printed = format!("{login:?} {login:#?} {store:?} {entry:?} {:?}", login.load().await);
    for public in ["Persisted", "RefreshToken", "MemoryStore", "Entry", "generation", "id"] {
        assert!(printed.contains(public), "{public}: {printed}");
    }
    assert!(!printed.contains("hunter2") && !printed.contains("r0"), "{printed}");
}
