//! Without the store, no refresh token that other processes may have used is sent.

use std::time::Duration;

use tower_oauth2::ErrorKind;
use tower_oauth2::client::Client;
use tower_oauth2::grant::ClientCredentials;

use super::scripted::{Fault, Operation, Scripted};
use super::{HOURS, cautious, failure, is, put, refreshed, send, served, stored, token, with};
use crate::support::{TOKEN_URL, pass};

/// The refresh token of the configuration may have been used long ago. Only the store has the newest one.
#[tokio::test(start_paused = true)]
async fn the_first_request_waits_for_the_store() {
    for operation in [Operation::Lock, Operation::Load] {
        let store = Scripted::default();
        put(&store.memory, token("a", "r7", 0), 7).await;
        store.script(operation, Fault::Fails);
        let (service, mut server) = with(cautious(store.clone()));
        let error = failure(send(&service)).await;
        assert_eq!((error.kind(), error.is_transient()), (ErrorKind::Store, true), "{operation:?}");
        server.assert_no_request().await;

        store.heal();
        pass(Duration::from_secs(2)).await;
        refreshed(&service, &mut server, "r7", "b", "r8").await;
    }
}

/// Client credentials can be sent at any time.
#[tokio::test(start_paused = true)]
async fn client_credentials_do_not_wait_for_the_store() {
    for lock_timeout in [60, 0] {
        let store = Scripted::default();
        store.script(Operation::Lock, Fault::Fails);
        let grant = ClientCredentials::new(TOKEN_URL, Client::basic("id", "secret")).unwrap().persisted(store);
        let (service, mut server) = with(grant.lock_timeout(Duration::from_secs(lock_timeout)));
        let sent = send(&service);
        server.issue_token(crate::support::token("a", 3600)).await;
        assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer a"));
        sent.await.unwrap().unwrap();
    }
}

/// While the token is valid, a refresh is not urgent.
#[tokio::test(start_paused = true)]
async fn no_proactive_refresh_without_the_store() {
    for operation in [Operation::Lock, Operation::Load] {
        let store = Scripted::default();
        put(&store.memory, token("a", "r1", 3600), 1).await;
        let (service, mut server) = with(cautious(store.clone()));
        served(&service, &mut server, "a").await;
        pass(Duration::from_secs(3600 - 200)).await;
        store.script(operation, Fault::Fails);
        for _ in 0..10 {
            served(&service, &mut server, "a").await;
            server.assert_no_request().await;
            pass(Duration::from_secs(10)).await;
        }
        store.heal();
        pass(Duration::from_secs(60)).await;
        served(&service, &mut server, "a").await;
        assert_eq!(super::refresh(&mut server, 200, super::answer("b", "r2")).await, "r1");
        pass(Duration::from_secs(1)).await;
        assert_eq!(stored(&store.memory).await, is(2, "b", "r2"));
    }
}

/// When it has expired, requests wait for the store, because other processes may use the same refresh token.
#[tokio::test(start_paused = true)]
async fn requests_with_an_expired_token_wait_for_the_store() {
    for operation in [Operation::Lock, Operation::Load] {
        let store = Scripted::default();
        put(&store.memory, token("a", "r1", 3600), 1).await;
        let (service, mut server) = with(cautious(store.clone()));
        served(&service, &mut server, "a").await;
        pass(HOURS).await;
        store.script(operation, Fault::Fails);
        let waiting = send(&service);
        pass(Duration::from_secs(30)).await;
        server.assert_no_request().await;
        store.heal();
        assert_eq!(super::refresh(&mut server, 200, super::answer("b", "r2")).await, "r1");
        assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer b"));
        waiting.await.unwrap().unwrap();

        pass(HOURS).await;
        store.script(operation, Fault::Fails);
        let error = failure(send(&service)).await;
        assert_eq!((error.kind(), error.is_transient()), (ErrorKind::Store, true), "{operation:?}");
        server.assert_no_request().await;
    }
}

/// A proactive refresh that could not reach the store does not fail requests after the expiry.
#[tokio::test(start_paused = true)]
async fn a_failed_proactive_refresh_does_not_fail_later_waiters() {
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
    assert_eq!(super::refresh(&mut server, 200, super::answer("b", "r2")).await, "r1");
    server.next_authorization().await;
    waiting.await.unwrap().unwrap();
}

/// A login after a logout has a greater version than all before, and no process removes it.
#[tokio::test(start_paused = true)]
async fn a_new_login_has_a_greater_version_than_all_before() {
    let store = Scripted::default();
    put(&store, token("a", "r5", 3600), 5).await;
    let (other, mut other_server) = with(cautious(store.clone()));
    served(&other, &mut other_server, "a").await;

    let login = cautious(store.clone());
    login.clear().await.unwrap();
    let (service, mut server) = with(login);
    refreshed(&service, &mut server, "r0", "b", "r1").await;
    assert!(stored(&store).await.unwrap().0 > 5);
    pass(Duration::from_secs(3600 - 200)).await;
    // The token of the other process is due. It uses the new login, and does not send its own refresh token.
    served(&other, &mut other_server, "a").await;
    pass(Duration::from_millis(10)).await;
    other_server.assert_no_request().await;
}

/// After a dead refresh token, the next attempt finds the login that another process has made.
#[tokio::test(start_paused = true)]
async fn a_login_of_another_process_ends_login_required() {
    let store = Scripted::default();
    put(&store, token("a", "dead", 0), 1).await;
    let (service, mut server) = with(cautious(store.clone()));
    let sent = send(&service);
    let rejected = serde_json::json!({"error": "invalid_grant"});
    assert_eq!(super::refresh(&mut server, 400, rejected).await, "dead");
    assert_eq!(failure(sent).await.kind(), ErrorKind::LoginRequired);
    assert_eq!(stored(&store).await, None);

    put(&store, token("b", "r1", 3600), 2).await;
    pass(Duration::from_secs(2)).await;
    served(&service, &mut server, "b").await;
}
