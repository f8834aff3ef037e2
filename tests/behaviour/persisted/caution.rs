//! What is not done without the store, for the sake of a refresh token that can be spent once.

use std::time::Duration;

use tower_oauth2::ErrorKind;
use tower_oauth2::client::Client;
use tower_oauth2::grant::ClientCredentials;

use super::scripted::{Fault, Operation, Scripted};
use super::{HOURS, cautious, is, put, refusal, renewed, send, served, stored, token, with};
use crate::support::{TOKEN_URL, pass};

/// The refresh token that the program brings may be long spent: the store knows, and is waited for.
#[tokio::test(start_paused = true)]
async fn a_start_waits_for_the_store() {
    for operation in [Operation::Lock, Operation::Load] {
        let store = Scripted::default();
        put(&store.memory, token("a", "r7", 0), 7).await;
        store.script(operation, Fault::Fails);
        let (service, mut server) = with(cautious(store.clone()));
        let error = refusal(send(&service)).await;
        assert_eq!((error.kind(), error.is_transient()), (ErrorKind::Store, true), "{operation:?}");
        server.hears_nothing().await;

        store.heal();
        pass(Duration::from_secs(2)).await;
        renewed(&service, &mut server, "r7", "b", "r8").await;
    }
}

/// A grant that can be repeated loses nothing.
#[tokio::test(start_paused = true)]
async fn a_program_that_acts_for_itself_does_not_wait() {
    for lock_deadline in [60, 0] {
        let store = Scripted::default();
        store.script(Operation::Lock, Fault::Fails);
        let grant = ClientCredentials::new(TOKEN_URL, Client::basic("id", "secret")).unwrap().persisted(store);
        let (service, mut server) = with(grant.lock_deadline(Duration::from_secs(lock_deadline)));
        let sent = send(&service);
        server.grants(crate::support::token("a", 3600)).await;
        assert_eq!(server.serves().await.as_deref(), Some("Bearer a"));
        sent.await.unwrap().unwrap();
    }
}

/// While the token serves there is time.
#[tokio::test(start_paused = true)]
async fn nothing_is_renewed_ahead_of_time_without_the_store() {
    for operation in [Operation::Lock, Operation::Load] {
        let store = Scripted::default();
        put(&store.memory, token("a", "r1", 3600), 1).await;
        let (service, mut server) = with(cautious(store.clone()));
        served(&service, &mut server, "a").await;
        pass(Duration::from_secs(3600 - 200)).await;
        store.script(operation, Fault::Fails);
        for _ in 0..10 {
            served(&service, &mut server, "a").await;
            server.hears_nothing().await;
            pass(Duration::from_secs(10)).await;
        }
        store.heal();
        pass(Duration::from_secs(60)).await;
        served(&service, &mut server, "a").await;
        assert_eq!(super::renewal(&mut server, 200, super::answer("b", "r2")).await, "r1");
        pass(Duration::from_secs(1)).await;
        assert_eq!(stored(&store.memory).await, is(2, "b", "r2"));
    }
}

/// When it has ended, requests wait for the store, for there may be siblings who would spend the same refresh token.
#[tokio::test(start_paused = true)]
async fn a_token_that_has_ended_waits_for_the_store() {
    for operation in [Operation::Lock, Operation::Load] {
        let store = Scripted::default();
        put(&store.memory, token("a", "r1", 3600), 1).await;
        let (service, mut server) = with(cautious(store.clone()));
        served(&service, &mut server, "a").await;
        pass(HOURS).await;
        store.script(operation, Fault::Fails);
        let waiting = send(&service);
        pass(Duration::from_secs(30)).await;
        server.hears_nothing().await;
        store.heal();
        assert_eq!(super::renewal(&mut server, 200, super::answer("b", "r2")).await, "r1");
        assert_eq!(server.serves().await.as_deref(), Some("Bearer b"));
        waiting.await.unwrap().unwrap();

        pass(HOURS).await;
        store.script(operation, Fault::Fails);
        let error = refusal(send(&service)).await;
        assert_eq!((error.kind(), error.is_transient()), (ErrorKind::Store, true), "{operation:?}");
        server.hears_nothing().await;
    }
}

/// A try ahead of time that met no store says nothing about the time when the token has ended.
#[tokio::test(start_paused = true)]
async fn a_try_ahead_of_time_is_not_held_against_those_who_wait_later() {
    let store = Scripted::default();
    put(&store.memory, token("a", "r1", 10), 1).await;
    let (service, mut server) = with(cautious(store.clone()));
    served(&service, &mut server, "a").await;
    store.script(Operation::Lock, Fault::Fails);
    for _ in 0..9 {
        pass(Duration::from_secs(1)).await;
        served(&service, &mut server, "a").await;
    }
    pass(Duration::from_millis(1_100)).await;
    let waiting = send(&service);
    pass(Duration::from_secs(1)).await;
    store.heal();
    assert_eq!(super::renewal(&mut server, 200, super::answer("b", "r2")).await, "r1");
    server.serves().await;
    waiting.await.unwrap().unwrap();
}

/// Somebody logs out and in again: the new login is newer than any that was seen, and nobody takes it away.
#[tokio::test(start_paused = true)]
async fn a_new_login_is_newer_than_all_before() {
    let store = Scripted::default();
    put(&store, token("a", "r5", 3600), 5).await;
    let (sibling, mut siblings_server) = with(cautious(store.clone()));
    served(&sibling, &mut siblings_server, "a").await;

    let login = cautious(store.clone());
    login.clear().await.unwrap();
    let (service, mut server) = with(login);
    renewed(&service, &mut server, "r0", "b", "r1").await;
    assert!(stored(&store).await.unwrap().0 > 5);
    pass(Duration::from_secs(3600 - 200)).await;
    // Theirs is due, and ours is taken: their own refresh token is not sent.
    served(&sibling, &mut siblings_server, "a").await;
    pass(Duration::from_millis(10)).await;
    siblings_server.hears_nothing().await;
}

/// Whoever was logged out looks again for the login that another has made.
#[tokio::test(start_paused = true)]
async fn a_siblings_login_ends_the_need_for_one() {
    let store = Scripted::default();
    put(&store, token("a", "dead", 0), 1).await;
    let (service, mut server) = with(cautious(store.clone()));
    let sent = send(&service);
    let refused = serde_json::json!({"error": "invalid_grant"});
    assert_eq!(super::renewal(&mut server, 400, refused).await, "dead");
    assert_eq!(refusal(sent).await.kind(), ErrorKind::LoginNeeded);
    assert_eq!(stored(&store).await, None);

    put(&store, token("b", "r1", 3600), 2).await;
    pass(Duration::from_secs(2)).await;
    served(&service, &mut server, "b").await;
}
