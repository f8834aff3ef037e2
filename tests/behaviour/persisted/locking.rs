//! A lock that another has for too long: no token call past its back.

use std::time::Duration;

use tower_oauth2::ErrorKind;
use tower_oauth2::store::{MemoryStore, TokenStore};

use super::scripted::{Fault, Operation, Scripted, Told};
use super::{is, key, persisted, put, refusal, renewed, send, served, stored, token, with};
use crate::support::pass;

#[tokio::test(start_paused = true)]
async fn held_for_too_long() {
    let store = MemoryStore::new();
    put(&store, token("a", "r1", 0), 1).await;
    let (service, mut server) = with(persisted(store.clone()));
    let turn = store.lock(&key()).await.unwrap();
    let sent = send(&service);
    pass(Duration::from_secs(59)).await;
    assert!(!sent.is_finished());
    let error = refusal(sent).await;
    assert_eq!((error.kind(), error.is_transient()), (ErrorKind::Store, true));
    assert!(error.to_string().contains("60s") && error.retry_at().is_some(), "{error}");
    server.hears_nothing().await;

    // Whoever gave up has not taken the turn.
    drop(turn);
    assert!(tokio_test::task::spawn(store.lock(&key())).poll().is_ready());
    pass(Duration::from_secs(2)).await;
    renewed(&service, &mut server, "r1", "b", "r2").await;
    assert_eq!(stored(&store).await, is(2, "b", "r2"));
}

#[tokio::test(start_paused = true)]
async fn never_to_be_had() {
    let (store, told) = (Scripted::default(), Told::default());
    store.script(Operation::Lock, Fault::Hangs);
    let login = persisted(store.clone()).lock_deadline(Duration::from_secs(7)).on_store_error(told.ear());
    let (service, mut server) = with(login);
    let error = refusal(send(&service)).await;
    assert!(error.kind() == ErrorKind::Store && error.to_string().contains("7s"), "{error}");
    server.hears_nothing().await;
    assert_eq!(told.errors().len(), 0, "the request is told already");
}

/// What still serves is served, while somebody has the lock.
#[tokio::test(start_paused = true)]
async fn a_token_that_is_only_due_waits_for_no_lock() {
    let store = Scripted::default();
    put(&store, token("a", "r1", 3600), 1).await;
    let (service, mut server) = with(persisted(store.clone()));
    served(&service, &mut server, "a").await;
    let turn = store.lock(&key()).await.unwrap();
    pass(Duration::from_secs(3400)).await;
    served(&service, &mut server, "a").await;
    pass(Duration::from_secs(70)).await;
    served(&service, &mut server, "a").await;
    server.hears_nothing().await;
    drop(turn);
}

/// The turn is held over the whole token call, and then it is over.
#[tokio::test(start_paused = true)]
async fn the_lock_is_held_while_the_server_is_asked() {
    let store = MemoryStore::new();
    let (service, mut server) = with(persisted(store.clone()));
    let sent = send(&service);
    let (_, respond) = server.token_request().await;
    assert!(tokio_test::task::spawn(store.lock(&key())).poll().is_pending());
    respond.send_response(crate::support::answer(503, ""));
    refusal(sent).await;
    assert!(tokio_test::task::spawn(store.lock(&key())).poll().is_ready(), "after a failure too");
}
