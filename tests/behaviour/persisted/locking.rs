//! Without the lock, no token request is sent.

use std::time::Duration;

use tower_oauth2::ErrorKind;
use tower_oauth2::store::{MemoryStore, TokenStore};

use super::scripted::{Fault, Operation, Scripted, StoreErrors};
use super::{cautious, failure, is, key, persisted, put, refreshed, send, served, stored, token, with};
use crate::support::pass;

#[tokio::test(start_paused = true)]
async fn a_lock_that_is_held_for_too_long() {
    let store = MemoryStore::new();
    put(&store, token("a", "r1", 0), 1).await;
    let (service, mut server) = with(persisted(store.clone()));
    let lock = store.lock(&key()).await.unwrap();
    let sent = send(&service);
    pass(Duration::from_secs(59)).await;
    assert!(!sent.is_finished());
    let error = failure(sent).await;
    assert_eq!((error.kind(), error.is_transient()), (ErrorKind::Store, true));
    assert!(error.to_string().contains("60s") && error.retry_at().is_some(), "{error}");
    server.assert_no_request().await;

    // The caller that timed out has not taken the lock.
    drop(lock);
    assert!(tokio_test::task::spawn(store.lock(&key())).poll().is_ready());
    pass(Duration::from_secs(2)).await;
    refreshed(&service, &mut server, "r1", "b", "r2").await;
    assert_eq!(stored(&store).await, is(2, "b", "r2"));
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_hangs() {
    let (store, reported) = (Scripted::default(), StoreErrors::default());
    store.script(Operation::Lock, Fault::Hangs);
    let login = persisted(store.clone()).lock_timeout(Duration::from_secs(7)).on_store_error(reported.callback());
    let (service, mut server) = with(login);
    let error = failure(send(&service)).await;
    assert!(error.kind() == ErrorKind::Store && error.to_string().contains("7s"), "{error}");
    server.assert_no_request().await;
    assert_eq!(reported.take().len(), 0, "the request has the error already");
}

/// A timeout of zero does not wait, and takes a free lock.
#[tokio::test(start_paused = true)]
async fn a_timeout_of_zero() {
    for is_slow in [false, true] {
        let store = Scripted::default();
        if is_slow {
            store.script(Operation::Lock, Fault::Takes(Duration::from_millis(300)));
        }
        put(&store.memory, token("a", "r1", 0), 1).await;
        let (service, mut server) = with(cautious(store.clone()).lock_timeout(Duration::ZERO));
        let lock = store.memory.lock(&key()).await.unwrap();
        let start = tokio::time::Instant::now();
        let error = failure(send(&service)).await;
        assert_eq!((error.kind(), error.is_transient()), (ErrorKind::Store, true), "{error}");
        assert!(start.elapsed() <= Duration::from_secs(1), "{:?}", start.elapsed());
        server.assert_no_request().await;
        drop(lock);
        pass(Duration::from_secs(2)).await;
        refreshed(&service, &mut server, "r1", "b", "r2").await;
    }
}

/// A valid token is used while another process has the lock.
#[tokio::test(start_paused = true)]
async fn requests_with_a_due_token_do_not_wait_for_the_lock() {
    let store = Scripted::default();
    put(&store, token("a", "r1", 3600), 1).await;
    let (service, mut server) = with(persisted(store.clone()));
    served(&service, &mut server, "a").await;
    let lock = store.lock(&key()).await.unwrap();
    pass(Duration::from_secs(3400)).await;
    served(&service, &mut server, "a").await;
    pass(Duration::from_secs(70)).await;
    served(&service, &mut server, "a").await;
    server.assert_no_request().await;
    drop(lock);
}

/// The lock is held during the whole token request, and released after it.
#[tokio::test(start_paused = true)]
async fn the_lock_is_held_during_the_token_request() {
    let store = MemoryStore::new();
    let (service, mut server) = with(persisted(store.clone()));
    let sent = send(&service);
    let (_, respond) = server.token_request().await;
    assert!(tokio_test::task::spawn(store.lock(&key())).poll().is_pending());
    respond.send_response(crate::support::answer(503, ""));
    failure(sent).await;
    assert!(tokio_test::task::spawn(store.lock(&key())).poll().is_ready(), "after a failure too");
}
