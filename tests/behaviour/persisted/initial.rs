//! A grant with an initial token and a store, and a forced refresh as the first call.

use std::time::Duration;

use tower_oauth2::client::Client;
use tower_oauth2::grant::{DeviceCode, Grant, Persisted, RefreshToken};
use tower_oauth2::store::{Entry, MemoryStore, TokenStore};
use tower_oauth2::{ErrorKind, OAuth2Layer, Token, Tokens};

use super::scripted::{Fault, Operation, Scripted};
use super::{
    answer, cautious, failure, is, key, new_entry, put, refresh, refreshed, send, served, stored, token, with,
};
use crate::support::{Forms, TOKEN_URL, pass, spawn_refresh, token_endpoint};

const HOUR: Duration = Duration::from_secs(3600);

fn with_initial<S: TokenStore>(initial: Token, store: S) -> Persisted<RefreshToken, S> {
    RefreshToken::new(TOKEN_URL, Client::public("id"), "r0").unwrap().token(initial).persisted(store)
}

#[tokio::test(start_paused = true)]
async fn the_layer_does_not_start_with_it() {
    let grant = with_initial(token("initial", "r1", 3600), MemoryStore::new());
    assert_eq!(grant.initial_token(), None);
    assert_eq!(OAuth2Layer::new(grant).tokens().peek(), None);
}

#[tokio::test(start_paused = true)]
async fn it_is_used_and_saved_if_nothing_is_stored() {
    let store = MemoryStore::new();
    let (service, mut server) = with(with_initial(token("initial", "r1", 3600), store.clone()));
    served(&service, &mut server, "initial").await;
    assert_eq!(new_entry(&store, 0).await, Some(("initial".into(), Some("r1".into()))));
    pass(HOUR).await;
    refreshed(&service, &mut server, "r1", "b", "r2").await;
    assert_eq!(new_entry(&store, 0).await, Some(("b".into(), Some("r2".into()))));
}

#[tokio::test(start_paused = true)]
async fn a_stored_token_takes_precedence() {
    let store = MemoryStore::new();
    put(&store, token("stored", "r5", 60), 5).await;
    let (service, mut server) = with(with_initial(token("initial", "r1", 3600), store.clone()));
    served(&service, &mut server, "stored").await;
    pass(Duration::from_secs(60)).await;
    refreshed(&service, &mut server, "r5", "b", "r6").await;
    assert_eq!(stored(&store).await, is(6, "b", "r6"));
}

#[tokio::test(start_paused = true)]
async fn it_replaces_an_expired_stored_token_without_a_refresh_token() {
    let store = MemoryStore::new();
    put(&store, Token::bearer("ended").unwrap().with_expires_in(Duration::ZERO), 5).await;
    let (service, mut server) = with(with_initial(token("initial", "r1", 3600), store.clone()));
    served(&service, &mut server, "initial").await;
    assert_eq!(stored(&store).await, is(6, "initial", "r1"));
}

#[tokio::test(start_paused = true)]
async fn an_expired_initial_token_is_refreshed_and_retried_after_an_outage() {
    let store = MemoryStore::new();
    let (service, mut server) = with(with_initial(token("initial", "r1", 0), store.clone()));
    let sent = send(&service);
    assert_eq!(refresh(&mut server, 503, answer("", "")).await, "r1");
    assert_eq!(failure(sent).await.kind(), ErrorKind::Overloaded);
    pass(Duration::from_secs(2)).await;
    refreshed(&service, &mut server, "r1", "b", "r2").await;
    assert_eq!(new_entry(&store, 0).await, Some(("b".into(), Some("r2".into()))));
}

#[tokio::test(start_paused = true)]
async fn an_initial_token_without_a_refresh_token_has_that_of_the_grant() {
    let ended = Token::bearer("initial").unwrap().with_expires_in(Duration::ZERO);
    let (service, mut server) = with(with_initial(ended, MemoryStore::new()));
    refreshed(&service, &mut server, "r0", "b", "r2").await;
}

#[tokio::test(start_paused = true)]
async fn it_is_not_used_again_after_a_logout() {
    let store = MemoryStore::new();
    let (service, mut server) = with(with_initial(token("initial", "r1", 3600), store.clone()));
    served(&service, &mut server, "initial").await;
    service.tokens().forget();
    assert_eq!(failure(send(&service)).await.kind(), ErrorKind::LoginRequired);
    assert_eq!(stored(&store).await, None);
    assert_eq!(failure(send(&service)).await.kind(), ErrorKind::LoginRequired);
    server.assert_no_request().await;
}

/// A login that has ended does not start another one automatically.
#[tokio::test(start_paused = true)]
async fn a_dead_refresh_token_is_sent_once_and_starts_no_login() {
    for is_stored in [false, true] {
        let store = MemoryStore::new();
        let prompt = |_: &_| panic!("a login has started");
        let mut device =
            DeviceCode::new("https://auth.example.com/device", TOKEN_URL, Client::public("id"), prompt).unwrap();
        match is_stored {
            true => put(&store, token("stored", "r1", 0), 5).await,
            false => device = device.token(token("initial", "r1", 0)),
        }
        let (service, mut server) = with(device.persisted(store.clone()));
        let sent = send(&service);
        let dead = serde_json::json!({"error": "invalid_grant"});
        assert_eq!(refresh(&mut server, 400, dead).await, "r1");
        assert_eq!(failure(sent).await.kind(), ErrorKind::LoginRequired);
        for _ in 0..3 {
            pass(HOUR).await;
            assert_eq!(failure(send(&service)).await.kind(), ErrorKind::LoginRequired);
        }
        server.assert_no_request().await;
        // Another process has logged in.
        pass(HOUR).await;
        put(&store, token("theirs", "r7", 3600), 9).await;
        served(&service, &mut server, "theirs").await;
    }
}

#[tokio::test(start_paused = true)]
async fn it_does_not_replace_the_entry_of_a_store_that_cannot_be_reached() {
    let store = Scripted::default();
    put(&store.memory, token("stored", "r5", 3600), 5).await;
    store.script(Operation::Lock, Fault::Fails);
    store.script(Operation::Load, Fault::Fails);
    let grant = with_initial(token("initial", "r1", 3600), store.clone()).refresh_without_store();
    let (service, mut server) = with(grant);
    served(&service, &mut server, "initial").await;
    store.heal();
    pass(Duration::from_secs(600)).await;
    assert_eq!(stored(&store.memory).await, is(5, "stored", "r5"));
}

/// `refresh` is the first call, so the token service is not that of a request.
fn tokens<S: TokenStore>(grant: Persisted<RefreshToken, S>) -> (Tokens, Forms) {
    let (service, forms) = token_endpoint(vec![crate::support::answer(200, answer("b", "r9"))]);
    (OAuth2Layer::new(grant).token_service(service).tokens(), forms)
}

fn sent(forms: &mut Forms) -> String {
    forms.try_recv().expect("no token request was sent").swap_remove(1).1
}

#[tokio::test(start_paused = true)]
async fn refresh_as_the_first_call_refreshes_the_initial_token() {
    let store = MemoryStore::new();
    let (tokens, mut forms) = tokens(with_initial(token("initial", "r1", 3600), store.clone()));
    assert_eq!(tokens.refresh().await.unwrap().access_token(), "b");
    assert_eq!(sent(&mut forms), "r1");
    assert_eq!(new_entry(&store, 0).await, Some(("b".into(), Some("r9".into()))));
}

#[tokio::test(start_paused = true)]
async fn refresh_as_the_first_call_refreshes_the_stored_token() {
    let store = MemoryStore::new();
    put(&store, token("stored", "r5", 3600), 5).await;
    let (tokens, mut forms) = tokens(cautious(store.clone()));
    assert_eq!(tokens.refresh().await.unwrap().access_token(), "b");
    assert_eq!(sent(&mut forms), "r5");
    assert_eq!(stored(&store).await, is(6, "b", "r9"));
    assert_eq!(tokens.get().await.unwrap().access_token(), "b");
    assert!(forms.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn refresh_as_the_first_call_uses_the_token_that_another_process_saves_meanwhile() {
    for before in [None, Some(5)] {
        let store = MemoryStore::new();
        if let Some(generation) = before {
            put(&store, token("stored", "r5", 3600), generation).await;
        }
        let (tokens, mut forms) = tokens(cautious(store.clone()));
        // The other process refreshes the token.
        let mut lock = store.lock(&key()).await.unwrap();
        let refreshed = spawn_refresh(&tokens);
        pass(Duration::from_secs(1)).await;
        store.save(&key(), &Entry::new(token("theirs", "r6", 3600), 6), &mut lock).await.unwrap();
        drop(lock);
        assert_eq!(refreshed.await.unwrap().unwrap().access_token(), "theirs");
        assert!(forms.try_recv().is_err(), "a token request was sent");
    }
}

#[tokio::test(start_paused = true)]
async fn refresh_as_the_first_call_waits_for_a_store_that_fails() {
    let store = Scripted::default();
    put(&store.memory, token("stored", "r5", 3600), 5).await;
    store.script(Operation::Load, Fault::Fails);
    let (tokens, mut forms) = tokens(cautious(store.clone()));
    let refreshed = tokio::spawn(async move { tokens.refresh().await });
    pass(Duration::from_secs(5)).await;
    store.heal();
    assert_eq!(refreshed.await.unwrap().unwrap().access_token(), "b");
    assert_eq!(sent(&mut forms), "r5");
    assert_eq!(stored(&store.memory).await, is(6, "b", "r9"));
}
