//! A store that fails costs nobody their token.

use std::time::Duration;

use serde_json::json;
use tower_oauth2::store::TokenStore;
use tower_oauth2::{ErrorKind, OAuth2Layer};

use super::scripted::{Fault, Operation, Scripted, Told};
use super::{
    HOURS, anew, answer, is, key, persisted, put, refusal, renewal, renewed, send, served, stored, token, with,
};
use crate::support::{conversation, pass};

const FAULTS: [Fault; 3] = [Fault::Fails, Fault::Hangs, Fault::Panics];

/// What goes wrong at once, from the first request on.
fn worst_cases() -> impl Iterator<Item = (Operation, Fault)> {
    use Operation::{Clear, Load, Lock, Save};
    let all = [Clear, Load, Lock, Save].into_iter().flat_map(|operation| FAULTS.map(|fault| (operation, fault)));
    // A lock that is not to be had is another story: see `locking`.
    all.filter(|case| *case != (Lock, Fault::Hangs))
}

#[tokio::test(start_paused = true)]
async fn requests_are_served_and_nobody_is_logged_out() {
    for (operation, fault) in worst_cases() {
        let (store, told) = (Scripted::default(), Told::default());
        store.script(operation, fault);
        let (service, mut server) = with(persisted(store.clone()).on_store_error(told.ear()));
        renewed(&service, &mut server, "r0", "a", "r1").await;
        served(&service, &mut server, "a").await;
        pass(HOURS).await;
        // The refresh token in memory is the newest, whatever the store has.
        renewed(&service, &mut server, "r1", "b", "r2").await;
        let errors = told.errors();
        assert_eq!(errors.is_empty(), operation == Operation::Clear, "{operation:?} {fault:?}: {errors:?}");
        for error in errors {
            assert_eq!((error.kind(), error.is_transient()), (ErrorKind::Store, true));
            assert!(std::error::Error::source(&error).is_some() || error.to_string().contains("10s"), "{error}");
        }
        // When it is well again, it gets what is new.
        store.heal();
        pass(HOURS).await;
        renewed(&service, &mut server, "r2", "c", "r3").await;
        let (_, access_token, refresh_token) = stored(&store).await.unwrap();
        assert_eq!((access_token.as_str(), refresh_token.as_deref()), ("c", Some("r3")), "{operation:?} {fault:?}");
        assert_eq!(told.errors().len(), 0);
    }
}

/// All of it at once, and nobody who is told.
#[tokio::test(start_paused = true)]
async fn a_store_that_is_gone_altogether() {
    for fault in [Fault::Fails, Fault::Panics] {
        let store = Scripted::default();
        for operation in [Operation::Lock, Operation::Load, Operation::Save, Operation::Clear] {
            store.script(operation, fault);
        }
        let (service, mut server) = with(persisted(store.clone()));
        renewed(&service, &mut server, "r0", "a", "r1").await;
        pass(HOURS).await;
        renewed(&service, &mut server, "r1", "b", "r2").await;
    }
}

/// Ten seconds, and no more.
#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_waited_for_briefly() {
    let (store, told) = (Scripted::default(), Told::default());
    store.script(Operation::Load, Fault::Hangs);
    let (service, mut server) = with(persisted(store).on_store_error(told.ear()));
    let start = tokio::time::Instant::now();
    let sent = send(&service);
    assert_eq!(renewal(&mut server, 200, answer("a", "r1")).await, "r0");
    // One look without the lock, and one with it.
    assert_eq!(start.elapsed().as_secs(), 20);
    server.serves().await;
    sent.await.unwrap().unwrap();
    assert_eq!(told.errors().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_saved_is_saved_in_the_background_with_the_lock_held() {
    for fault in FAULTS {
        let (store, told) = (Scripted::default(), Told::default());
        put(&store, token("a", "r1", 0), 1).await;
        store.script(Operation::Save, fault);
        let (service, mut server) = with(persisted(store.clone()).on_store_error(told.ear()));
        renewed(&service, &mut server, "r1", "b", "r2").await;
        assert_eq!(told.errors().len(), 1, "{fault:?}");
        assert_eq!(stored(&store).await, is(1, "a", "r1"));

        // A sibling would find the spent refresh token: it has to wait.
        let key = key();
        let mut turn = tokio_test::task::spawn(store.memory.lock(&key));
        assert!(turn.poll().is_pending(), "{fault:?}");
        store.heal();
        pass(Duration::from_secs(20)).await;
        assert!(turn.is_woken() && turn.poll().is_ready());
        assert_eq!(stored(&store).await, is(2, "b", "r2"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_save_that_never_works_does_not_keep_the_lock_for_ever() {
    let store = Scripted::default();
    store.script(Operation::Save, Fault::Fails);
    let (service, mut server) = with(persisted(store.clone()));
    renewed(&service, &mut server, "r0", "a", "r1").await;
    assert!(tokio_test::task::spawn(store.lock(&key())).poll().is_pending());
    pass(Duration::from_secs(180)).await;
    assert!(tokio_test::task::spawn(store.lock(&key())).poll().is_ready());
    served(&service, &mut server, "a").await;
}

/// It is the user's, and what it does is not the token's fault.
#[tokio::test(start_paused = true)]
async fn a_panic_of_the_one_who_is_told() {
    let store = Scripted::default();
    store.script(Operation::Save, Fault::Fails);
    let (service, mut server) = with(persisted(store).on_store_error(|_| panic!("told")));
    renewed(&service, &mut server, "r0", "a", "r1").await;
}

#[tokio::test(start_paused = true)]
async fn a_spent_refresh_token_is_cleared() {
    let store = Scripted::default();
    put(&store, token("a", "r1", 0), 3).await;
    let (service, mut server) = with(persisted(store.clone()));
    let sent = send(&service);
    assert_eq!(renewal(&mut server, 400, json!({"error": "invalid_grant"})).await, "r1");
    assert_eq!(refusal(sent).await.kind(), ErrorKind::LoginNeeded);
    assert_eq!(stored(&store).await, None);
}

/// Somebody who heeds no lock, such as a person who logs in with another program, has brought a newer one meanwhile.
#[tokio::test(start_paused = true)]
async fn a_newer_token_is_not_cleared_for_the_spent_one() {
    let store = Scripted::default();
    put(&store, token("a", "r1", 0), 3).await;
    let (service, mut server) = with(persisted(store.clone()));
    let sent = send(&service);
    let (_, respond) = server.token_request().await;
    let mut nobodys_turn = store.memory.lock(&tower_oauth2::store::Key::new("another", "one")).await.unwrap();
    let newer = tower_oauth2::store::Entry::new(token("b", "r2", 3600), 4);
    store.memory.save(&key(), &newer, &mut nobodys_turn).await.unwrap();
    respond.send_response(crate::support::answer(400, json!({"error": "invalid_grant"})));
    refusal(sent).await;
    assert_eq!(stored(&store).await, is(4, "b", "r2"));
}

/// An outage says nothing about the refresh token.
#[tokio::test(start_paused = true)]
async fn an_outage_clears_nothing() {
    let store = Scripted::default();
    put(&store, token("a", "r1", 0), 3).await;
    let (service, mut server) = with(persisted(store.clone()));
    let sent = send(&service);
    renewal(&mut server, 503, json!({"error": "invalid_grant"})).await;
    assert_eq!(refusal(sent).await.kind(), ErrorKind::Overloaded);
    assert_eq!(stored(&store).await, is(3, "a", "r1"));
    pass(Duration::from_secs(2)).await;
    renewed(&service, &mut server, "r1", "b", "r2").await;
}

/// The answer is there before the one who asked for it is gone: it is saved.
#[tokio::test(start_paused = true)]
async fn whoever_goes_away_the_token_is_saved() {
    let store = Scripted::default();
    store.script(Operation::Save, Fault::Takes(Duration::from_secs(5)));
    let layer = OAuth2Layer::new(persisted(store.clone()));
    let (service, mut server) = conversation(&layer);
    let sent = send(&service);
    renewal(&mut server, 200, answer("a", "r1")).await;
    sent.abort();
    drop((service, layer));
    pass(Duration::from_secs(6)).await;
    assert_eq!(anew(&store, 0).await, Some(("a".to_owned(), Some("r1".to_owned()))));
}

/// Without the turn, or without having seen what is there, it is saved as soon as both can be had.
#[tokio::test(start_paused = true)]
async fn what_was_renewed_without_the_store_is_saved_when_it_is_back() {
    for operation in [Operation::Lock, Operation::Load] {
        for fault in [Fault::Fails, Fault::Panics] {
            let store = Scripted::default();
            put(&store, token("a", "r1", 3600), 7).await;
            let (service, mut server) = with(persisted(store.clone()));
            served(&service, &mut server, "a").await;

            pass(HOURS).await;
            store.script(operation, fault);
            renewed(&service, &mut server, "r1", "b", "r2").await;
            assert_eq!(stored(&store.memory).await, is(7, "a", "r1"), "{operation:?} {fault:?}");
            store.heal();
            pass(Duration::from_secs(60)).await;
            assert_eq!(stored(&store.memory).await, is(8, "b", "r2"), "{operation:?} {fault:?}");
        }
    }
}

/// What a sibling has saved in the meantime is newer, and stays.
#[tokio::test(start_paused = true)]
async fn a_late_save_does_not_replace_a_siblings_token() {
    let store = Scripted::default();
    put(&store, token("a", "r1", 3600), 7).await;
    let (service, mut server) = with(persisted(store.clone()));
    served(&service, &mut server, "a").await;

    pass(HOURS).await;
    store.script(Operation::Lock, Fault::Fails);
    renewed(&service, &mut server, "r1", "b", "r2").await;
    put(&store.memory, token("c", "r3", 3600), 8).await;
    store.heal();
    pass(Duration::from_secs(60)).await;
    assert_eq!(stored(&store.memory).await, is(8, "c", "r3"));
}

#[tokio::test(start_paused = true)]
async fn what_is_forgotten_goes_even_where_no_lock_is_to_be_had() {
    let store = Scripted::default();
    put(&store, token("a", "r1", 3600), 7).await;
    let (service, mut server) = with(persisted(store.clone()));
    served(&service, &mut server, "a").await;

    store.script(Operation::Lock, Fault::Fails);
    service.tokens().forget();
    renewed(&service, &mut server, "r0", "b", "r2").await;
    assert_eq!(stored(&store.memory).await, None);
}
