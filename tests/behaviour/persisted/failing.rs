//! A store that fails does not lose tokens.

use std::time::Duration;

use serde_json::json;
use tower_oauth2::store::TokenStore;
use tower_oauth2::{ErrorKind, OAuth2Layer};

use super::scripted::{Fault, Operation, Scripted, StoreErrors};
use super::{
    HOURS, answer, failure, is, key, new_entry, persisted, put, refresh, refreshed, send, served, stored, token, with,
};
use crate::support::{mock_service, pass};

const FAULTS: [Fault; 3] = [Fault::Fails, Fault::Hangs, Fault::Panics];

/// The operations that fail from the first request on.
fn worst_cases() -> impl Iterator<Item = (Operation, Fault)> {
    use Operation::{Clear, Load, Lock, Save};
    let all = [Clear, Load, Lock, Save].into_iter().flat_map(|operation| FAULTS.map(|fault| (operation, fault)));
    // A lock that hangs is tested in `locking`.
    all.filter(|case| *case != (Lock, Fault::Hangs))
}

#[tokio::test(start_paused = true)]
async fn requests_are_authorized_and_no_login_is_lost() {
    for (operation, fault) in worst_cases() {
        let (store, reported) = (Scripted::default(), StoreErrors::default());
        store.script(operation, fault);
        let (service, mut server) = with(persisted(store.clone()).on_store_error(reported.callback()));
        refreshed(&service, &mut server, "r0", "a", "r1").await;
        served(&service, &mut server, "a").await;
        pass(HOURS).await;
        // The refresh token in memory is newer than the stored one.
        refreshed(&service, &mut server, "r1", "b", "r2").await;
        let errors = reported.take();
        assert_eq!(errors.is_empty(), operation == Operation::Clear, "{operation:?} {fault:?}: {errors:?}");
        for error in errors {
            assert_eq!((error.kind(), error.is_transient()), (ErrorKind::Store, true));
            assert!(std::error::Error::source(&error).is_some() || error.to_string().contains("10s"), "{error}");
        }
        // When the store works again, new tokens are saved.
        store.heal();
        pass(HOURS).await;
        refreshed(&service, &mut server, "r2", "c", "r3").await;
        let (_, access_token, refresh_token) = stored(&store).await.unwrap();
        assert_eq!((access_token.as_str(), refresh_token.as_deref()), ("c", Some("r3")), "{operation:?} {fault:?}");
        assert_eq!(reported.take().len(), 0);
    }
}

/// All operations fail, and there is no callback.
#[tokio::test(start_paused = true)]
async fn a_store_without_any_working_operation() {
    for fault in [Fault::Fails, Fault::Panics] {
        let store = Scripted::default();
        for operation in [Operation::Lock, Operation::Load, Operation::Save, Operation::Clear] {
            store.script(operation, fault);
        }
        let (service, mut server) = with(persisted(store.clone()));
        refreshed(&service, &mut server, "r0", "a", "r1").await;
        pass(HOURS).await;
        refreshed(&service, &mut server, "r1", "b", "r2").await;
    }
}

/// The tokens of other processes are then found by the next refresh.
#[tokio::test(start_paused = true)]
async fn a_store_that_panics_when_it_is_watched() {
    let store = Scripted::default();
    store.script(Operation::Changes, Fault::Panics);
    put(&store, token("a", "r1", 0), 1).await;
    let (service, mut server) = with(persisted(store.clone()));
    refreshed(&service, &mut server, "r1", "b", "r2").await;
}

/// An operation takes at most ten seconds.
#[tokio::test(start_paused = true)]
async fn the_wait_for_a_store_that_hangs_is_bounded() {
    let (store, reported) = (Scripted::default(), StoreErrors::default());
    store.script(Operation::Load, Fault::Hangs);
    let (service, mut server) = with(persisted(store).on_store_error(reported.callback()));
    let start = tokio::time::Instant::now();
    let sent = send(&service);
    assert_eq!(refresh(&mut server, 200, answer("a", "r1")).await, "r0");
    // One load without the lock, and one with it.
    assert_eq!(start.elapsed().as_secs(), 20);
    server.next_authorization().await;
    sent.await.unwrap().unwrap();
    assert_eq!(reported.take().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_failed_save_is_tried_again_in_the_background_with_the_lock_held() {
    for fault in FAULTS {
        let (store, reported) = (Scripted::default(), StoreErrors::default());
        put(&store, token("a", "r1", 0), 1).await;
        store.script(Operation::Save, fault);
        let (service, mut server) = with(persisted(store.clone()).on_store_error(reported.callback()));
        refreshed(&service, &mut server, "r1", "b", "r2").await;
        assert_eq!(reported.take().len(), 1, "{fault:?}");
        assert_eq!(stored(&store).await, is(1, "a", "r1"));

        // Another process would find the used refresh token, so it has to wait.
        let key = key();
        let mut lock = tokio_test::task::spawn(store.memory.lock(&key));
        assert!(lock.poll().is_pending(), "{fault:?}");
        store.heal();
        pass(Duration::from_secs(20)).await;
        assert!(lock.is_woken() && lock.poll().is_ready());
        assert_eq!(stored(&store).await, is(2, "b", "r2"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_save_that_always_fails_releases_the_lock_in_the_end() {
    let store = Scripted::default();
    store.script(Operation::Save, Fault::Fails);
    let (service, mut server) = with(persisted(store.clone()));
    refreshed(&service, &mut server, "r0", "a", "r1").await;
    assert!(tokio_test::task::spawn(store.lock(&key())).poll().is_pending());
    pass(Duration::from_secs(180)).await;
    assert!(tokio_test::task::spawn(store.lock(&key())).poll().is_ready());
    served(&service, &mut server, "a").await;
}

/// The program learns that the token in the store is still the old one.
#[tokio::test(start_paused = true)]
async fn the_errors_of_a_background_save_are_reported() {
    for fault in [Fault::Fails, Fault::Denied] {
        let (store, reported) = (Scripted::default(), StoreErrors::default());
        put(&store, token("a", "r1", 0), 1).await;
        store.script(Operation::Save, Fault::Fails);
        let (service, mut server) = with(persisted(store.clone()).on_store_error(reported.callback()));
        refreshed(&service, &mut server, "r1", "b", "r2").await;
        assert_eq!(reported.take().len(), 1);
        store.heal();
        store.script(Operation::Save, fault);
        pass(Duration::from_secs(300)).await;
        let errors = reported.take();
        assert_eq!(errors.len(), if fault == Fault::Denied { 1 } else { 28 });
        assert!(errors.iter().all(|error| error.is_transient() == (fault == Fault::Fails)));
    }
}

/// A panic of the user's callback does not lose the token.
#[tokio::test(start_paused = true)]
async fn a_panic_of_the_callback() {
    let store = Scripted::default();
    store.script(Operation::Save, Fault::Fails);
    let (service, mut server) = with(persisted(store).on_store_error(|_| panic!("scripted")));
    refreshed(&service, &mut server, "r0", "a", "r1").await;
}

#[tokio::test(start_paused = true)]
async fn a_dead_refresh_token_is_cleared() {
    let store = Scripted::default();
    put(&store, token("a", "r1", 0), 3).await;
    let (service, mut server) = with(persisted(store.clone()));
    let sent = send(&service);
    assert_eq!(refresh(&mut server, 400, json!({"error": "invalid_grant"})).await, "r1");
    assert_eq!(failure(sent).await.kind(), ErrorKind::LoginRequired);
    assert_eq!(stored(&store).await, None);
}

/// A program that does not use the lock has saved a newer login meanwhile.
#[tokio::test(start_paused = true)]
async fn a_newer_token_is_not_cleared_with_the_dead_one() {
    let store = Scripted::unlocked();
    put(&store, token("a", "r1", 0), 3).await;
    let (service, mut server) = with(persisted(store.clone()));
    let sent = send(&service);
    let (_, respond) = server.token_request().await;
    put(&store.memory, token("b", "r2", 3600), 4).await;
    respond.send_response(crate::support::answer(400, json!({"error": "invalid_grant"})));
    failure(sent).await;
    assert_eq!(stored(&store).await, is(4, "b", "r2"));
}

/// An outage says nothing about the refresh token.
#[tokio::test(start_paused = true)]
async fn an_outage_clears_nothing() {
    let store = Scripted::default();
    put(&store, token("a", "r1", 0), 3).await;
    let (service, mut server) = with(persisted(store.clone()));
    let sent = send(&service);
    refresh(&mut server, 503, json!({"error": "invalid_grant"})).await;
    assert_eq!(failure(sent).await.kind(), ErrorKind::Overloaded);
    assert_eq!(stored(&store).await, is(3, "a", "r1"));
    pass(Duration::from_secs(2)).await;
    refreshed(&service, &mut server, "r1", "b", "r2").await;
}

/// The token is saved even if the request and the layer were dropped.
#[tokio::test(start_paused = true)]
async fn a_token_is_saved_after_the_layer_was_dropped() {
    let store = Scripted::default();
    store.script(Operation::Save, Fault::Takes(Duration::from_secs(5)));
    let layer = OAuth2Layer::new(persisted(store.clone()));
    let (service, mut server) = mock_service(&layer);
    let sent = send(&service);
    refresh(&mut server, 200, answer("a", "r1")).await;
    sent.abort();
    drop((service, layer));
    pass(Duration::from_secs(6)).await;
    assert_eq!(new_entry(&store, 0).await, Some(("a".to_owned(), Some("r1".to_owned()))));
}

/// Without the lock or without a load, the token is saved as soon as the store works.
#[tokio::test(start_paused = true)]
async fn a_token_that_was_refreshed_without_the_store_is_saved_later() {
    for operation in [Operation::Lock, Operation::Load] {
        for fault in [Fault::Fails, Fault::Panics] {
            let store = Scripted::default();
            put(&store, token("a", "r1", 3600), 7).await;
            let (service, mut server) = with(persisted(store.clone()));
            served(&service, &mut server, "a").await;

            pass(HOURS).await;
            store.script(operation, fault);
            refreshed(&service, &mut server, "r1", "b", "r2").await;
            assert_eq!(stored(&store.memory).await, is(7, "a", "r1"), "{operation:?} {fault:?}");
            store.heal();
            pass(Duration::from_secs(60)).await;
            assert_eq!(stored(&store.memory).await, is(8, "b", "r2"), "{operation:?} {fault:?}");
        }
    }
}

/// The token that another process has saved meanwhile is newer, and is kept.
#[tokio::test(start_paused = true)]
async fn a_late_save_does_not_replace_the_token_of_another_process() {
    let store = Scripted::default();
    put(&store, token("a", "r1", 3600), 7).await;
    let (service, mut server) = with(persisted(store.clone()));
    served(&service, &mut server, "a").await;

    pass(HOURS).await;
    store.script(Operation::Lock, Fault::Fails);
    refreshed(&service, &mut server, "r1", "b", "r2").await;
    put(&store.memory, token("c", "r3", 3600), 8).await;
    store.heal();
    pass(Duration::from_secs(60)).await;
    assert_eq!(stored(&store.memory).await, is(8, "c", "r3"));
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_token_is_removed_even_if_the_lock_fails() {
    let store = Scripted::default();
    put(&store, token("a", "r1", 3600), 7).await;
    let (service, mut server) = with(persisted(store.clone()));
    served(&service, &mut server, "a").await;

    store.script(Operation::Lock, Fault::Fails);
    service.tokens().forget();
    refreshed(&service, &mut server, "r0", "b", "r2").await;
    assert_eq!(stored(&store.memory).await, None);
}
