//! A login that is only in the store, and a token that is saved by hand.

use tower_oauth2::client::Client;
use tower_oauth2::grant::RefreshToken;
use tower_oauth2::store::MemoryStore;
use tower_oauth2::{ErrorKind, OAuth2Layer};

use super::scripted::{Fault, Operation, Scripted};
use super::{HOURS, failure, is, key, new_entry, put, refreshed, send, served, stored, token, with};
use crate::support::{TOKEN_URL, mock_service, pass};

fn grant() -> RefreshToken {
    RefreshToken::stored(TOKEN_URL, Client::public("id")).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_stored_refresh_token_is_used() {
    let store = MemoryStore::new();
    put(&store, token("a", "r1", 0), 1).await;
    let (service, mut server) = with(grant().persisted(store.clone()));
    refreshed(&service, &mut server, "r1", "b", "r2").await;
    assert_eq!(stored(&store).await, is(2, "b", "r2"));
}

#[tokio::test(start_paused = true)]
async fn without_an_entry_or_a_store_the_error_has_advice() {
    let (with_store, mut one) = with(grant().persisted(MemoryStore::new()));
    let (without, mut two) = mock_service(&OAuth2Layer::new(grant()));
    for error in [failure(send(&with_store)).await, failure(send(&without)).await] {
        assert_eq!(error.kind(), ErrorKind::LoginRequired);
        for advice in ["Persisted::save", "RefreshToken::new", "log in"] {
            assert!(error.to_string().contains(advice), "{advice}: {error}");
        }
    }
    one.assert_no_request().await;
    two.assert_no_request().await;
}

#[tokio::test(start_paused = true)]
async fn a_token_obtained_by_hand_is_saved_and_used() {
    let store = Scripted::default();
    let login = grant().persisted(store.clone());
    let (service, mut server) = with(login.clone());
    assert_eq!(failure(send(&service)).await.kind(), ErrorKind::LoginRequired);
    login.save(token("a", "r1", 60)).await.unwrap();
    assert_eq!(new_entry(&store, 0).await, Some(("a".to_owned(), Some("r1".to_owned()))));
    assert_eq!(login.load().await.unwrap().unwrap().access_token(), "a");
    pass(std::time::Duration::from_secs(2)).await;
    served(&service, &mut server, "a").await;
    // Another login replaces the first one, which is in use.
    login.save(token("b", "s1", 60)).await.unwrap();
    pass(HOURS).await;
    refreshed(&service, &mut server, "s1", "c", "s2").await;
}

/// The save waits for the refresh of the old login, and replaces its token.
#[tokio::test(start_paused = true)]
async fn a_save_waits_for_a_running_refresh() {
    let store = MemoryStore::new();
    put(&store, token("a", "r1", 0), 1).await;
    let login = grant().persisted(store.clone());
    let (service, mut server) = with(login.clone());
    let sent = send(&service);
    let (_, respond) = server.token_request().await;
    let saving = tokio::spawn(async move { login.save(token("by-hand", "s1", 1_000_000)).await });
    pass(std::time::Duration::from_secs(5)).await;
    assert!(!saving.is_finished());
    respond.send_response(crate::support::answer(200, super::answer("b", "r2")));
    server.next_authorization().await;
    sent.await.unwrap().unwrap();
    saving.await.unwrap().unwrap();
    assert_eq!(stored(&store).await, is(3, "by-hand", "s1"));
    served(&service, &mut server, "by-hand").await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_save_returns_the_error() {
    for operation in [Operation::Lock, Operation::Load, Operation::Save] {
        for fault in [Fault::Fails, Fault::Denied, Fault::Hangs] {
            let store = Scripted::default();
            store.script(operation, fault);
            let error = grant().persisted(store.clone()).save(token("a", "r1", 60)).await.unwrap_err();
            assert_eq!((error.kind(), error.is_transient()), (ErrorKind::Store, fault != Fault::Denied), "{error}");
            // The lock is free again.
            assert!(tokio_test::task::spawn(super::TokenStore::lock(&store.memory, &key())).poll().is_ready());
        }
    }
}
