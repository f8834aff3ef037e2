//! The token with the greater version is used, in whatever order results arrive. Whole tokens are compared.

use std::time::Duration;

use tower_oauth2::store::{BoxStore, MemoryStore, TokenStore};

use super::scripted::{Fault, Operation, Scripted, StoreErrors};
use super::{HOURS, answer, cautious, is, key, persisted, put, refresh, refreshed, send, served, stored, token, with};
use crate::support::pass;
use crate::unlocked_store::UnlockedStore;

/// Returns the store, whose entries can be watched or not.
fn store(memory: &MemoryStore, is_watched: bool) -> BoxStore {
    match is_watched {
        true => memory.clone().boxed(),
        false => Scripted::of(memory.clone()).boxed(),
    }
}

/// The access token is still valid, and the old refresh token was used.
#[tokio::test(start_paused = true)]
async fn a_new_refresh_token_with_the_same_access_token_is_used() {
    for is_watched in [true, false] {
        let memory = MemoryStore::new();
        put(&memory, token("a", "r1", 3600), 1).await;
        let (service, mut server) = with(cautious(store(&memory, is_watched)));
        served(&service, &mut server, "a").await;
        put(&memory, token("a", "r2", 3600), 2).await;
        pass(Duration::from_secs(1)).await;
        served(&service, &mut server, "a").await;
        if is_watched {
            assert_eq!(service.tokens().peek().unwrap().refresh_token(), Some("r2"));
        }
        pass(HOURS).await;
        refreshed(&service, &mut server, "r2", "b", "r3").await;
    }
}

/// An access token that was invalidated or rejected is not sent again because another process has stored it with a new refresh token.
#[tokio::test(start_paused = true)]
async fn a_new_refresh_token_does_not_restore_its_access_token() {
    for is_watched in [true, false] {
        for ended_by in ["invalidate", "reject", "refresh"] {
            let memory = MemoryStore::new();
            put(&memory, token("a", "r1", 3600), 1).await;
            let (service, mut server) = with(cautious(store(&memory, is_watched)));
            served(&service, &mut server, "a").await;
            let tokens = service.tokens();
            if ended_by == "invalidate" {
                tokens.invalidate();
            }
            put(&memory, token("a", "r2", 3600), 2).await;
            pass(Duration::from_millis(1)).await;
            match ended_by {
                "invalidate" => assert_eq!(tokens.peek(), None),
                "reject" => tokens.reject(&tokens.peek().unwrap()),
                _ => drop(tokio::spawn(async move { tokens.refresh().await })),
            }
            let sent = (ended_by == "invalidate").then(|| send(&service));
            assert_eq!(refresh(&mut server, 200, answer("b", "r3")).await, "r2", "{is_watched} {ended_by}");
            match sent {
                Some(sent) => {
                    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer b"));
                    sent.await.unwrap().unwrap();
                }
                None => {
                    pass(Duration::from_millis(1)).await;
                    served(&service, &mut server, "b").await;
                }
            }
        }
    }
}

/// The server extends an access token instead of replacing it. One process refreshes it for all processes.
#[tokio::test(start_paused = true)]
async fn an_access_token_that_another_process_has_extended_is_used() {
    let memory = MemoryStore::new();
    let store = Scripted::of(memory.clone());
    put(&memory, token("a", "r1", 3600), 1).await;
    let (service, mut server) = with(cautious(store));
    served(&service, &mut server, "a").await;
    for (wait, version) in [(3400, 2), (3 * 3600, 3)] {
        pass(Duration::from_secs(wait)).await;
        put(&memory, token("a", &format!("r{version}"), 3600), version).await;
        served(&service, &mut server, "a").await;
        pass(Duration::from_millis(1)).await;
        server.assert_no_request().await;
        assert_eq!(service.tokens().peek().unwrap().refresh_token(), Some(&*format!("r{version}")));
    }
}

/// A newer token is saved while the response with an older one is outstanding.
#[tokio::test(start_paused = true)]
async fn an_older_result_that_arrives_later_is_not_used() {
    let store = UnlockedStore::default();
    put(&store.0, token("a", "r1", 3600), 1).await;
    let (service, mut server) = with(cautious(store.clone()));
    served(&service, &mut server, "a").await;
    let tokens = service.tokens();
    let refreshing = tokio::spawn(async move { tokens.refresh().await });
    let (_, respond) = server.token_request().await;
    put(&store.0, token("newest", "r9", 3600), 9).await;
    pass(Duration::from_millis(1)).await;
    served(&service, &mut server, "newest").await;
    respond.send_response(crate::support::answer(200, answer("late", "r2")));
    refreshing.await.unwrap().unwrap();
    pass(Duration::from_secs(200)).await;
    served(&service, &mut server, "newest").await;
    assert_eq!(stored(&store).await, is(9, "newest", "r9"));
    pass(HOURS).await;
    refreshed(&service, &mut server, "r9", "b", "r10").await;
}

/// Two processes save different tokens under one version. Both use the one that was saved first.
#[tokio::test(start_paused = true)]
async fn another_token_under_the_same_version_is_recognized() {
    let store = Scripted::unlocked();
    put(&store, token("a", "r1", 0), 1).await;
    store.script(Operation::Save, Fault::Fails);
    let (service, mut server) = with(persisted(store.clone()));
    refreshed(&service, &mut server, "r1", "mine", "r2").await;
    put(&store.memory, token("theirs", "r3", 1_000_000), 2).await;
    store.heal();
    pass(Duration::from_secs(60)).await;
    assert_eq!(stored(&store).await, is(2, "theirs", "r3"));
    pass(HOURS).await;
    served(&service, &mut server, "theirs").await;
}

/// A save returned an error, and the token was saved all the same.
#[tokio::test(start_paused = true)]
async fn a_save_with_a_lost_response_is_recognized() {
    let store = Scripted::unlocked();
    put(&store, token("a", "r1", 0), 1).await;
    store.script(Operation::Save, Fault::Fails);
    let (service, mut server) = with(cautious(store.clone()));
    refreshed(&service, &mut server, "r1", "b", "r2").await;
    put(&store.memory, service.tokens().peek().unwrap(), 2).await;
    store.heal();
    pass(Duration::from_secs(60)).await;
    assert_eq!(stored(&store).await, is(2, "b", "r2"));
    // It is not treated as a newer token of another process.
    pass(Duration::from_secs(3400)).await;
    served(&service, &mut server, "b").await;
    assert_eq!(refresh(&mut server, 200, answer("c", "r3")).await, "r2");
    pass(Duration::from_millis(1)).await;
    assert_eq!(stored(&store).await, is(3, "c", "r3"));
}

/// A token that was saved in the background is not treated as the token of another process.
#[tokio::test(start_paused = true)]
async fn a_token_that_was_saved_later_is_refreshed_when_it_is_due() {
    for fault in [Operation::Save, Operation::Lock] {
        let store = Scripted::default();
        put(&store, token("a", "r1", 3600), 1).await;
        let (service, mut server) = with(persisted(store.clone()));
        served(&service, &mut server, "a").await;
        pass(HOURS).await;
        store.script(fault, Fault::Fails);
        refreshed(&service, &mut server, "r1", "b", "r2").await;
        store.heal();
        pass(Duration::from_secs(60)).await;
        assert_eq!(stored(&store).await, is(2, "b", "r2"));
        pass(Duration::from_secs(3350)).await;
        served(&service, &mut server, "b").await;
        assert_eq!(refresh(&mut server, 200, answer("c", "r3")).await, "r2", "{fault:?}");
        pass(Duration::from_millis(1)).await;
    }
}

/// There is no version after the greatest one. The token is used, and the error has advice.
#[tokio::test(start_paused = true)]
async fn after_the_greatest_version() {
    let (store, reported) = (Scripted::default(), StoreErrors::default());
    put(&store, token("a", "r1", 0), u64::MAX).await;
    let login = cautious(store.clone()).on_store_error(reported.callback());
    let (service, mut server) = with(login.clone());
    refreshed(&service, &mut server, "r1", "b", "r2").await;
    let errors = reported.take();
    assert!(errors.len() == 1 && errors[0].to_string().contains("clear it"), "{errors:?}");
    assert_eq!(stored(&store).await, is(u64::MAX, "a", "r1"));
    // The lock is free again at once.
    assert!(tokio_test::task::spawn(store.lock(&key())).poll().is_ready());
    // The token in memory is the newest.
    pass(HOURS).await;
    refreshed(&service, &mut server, "r2", "c", "r3").await;
    assert!(login.save(token("d", "r4", 60)).await.is_err());
    login.clear().await.unwrap();
    login.save(token("d", "r4", 60)).await.unwrap();
    assert_eq!(login.load().await.unwrap().unwrap().access_token(), "d");
}

/// A token that cannot be loaded again is used, and not saved. The lock is released.
#[tokio::test(start_paused = true)]
async fn a_token_that_cannot_be_loaded_again_is_not_saved() {
    let (store, reported) = (Scripted::default(), StoreErrors::default());
    put(&store, token("a", "r1", 0), 1).await;
    let login = cautious(store.clone()).on_store_error(reported.callback());
    let (service, mut server) = with(login.clone());
    let sent = send(&service);
    let (_, respond) = server.token_request().await;
    let deep = format!(
        r#"{{"access_token": "b", "refresh_token": "r2", "expires_in": 3600, "deep": {}{}}}"#,
        "[".repeat(123),
        "]".repeat(123)
    );
    respond.send_response(crate::support::answer(200, deep));
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer b"));
    sent.await.unwrap().unwrap();
    let errors = reported.take();
    assert!(errors.len() == 1 && errors[0].to_string().contains("nested too deeply"), "{errors:?}");
    assert!(!errors[0].is_transient());
    assert!(tokio_test::task::spawn(store.lock(&key())).poll().is_ready());
    pass(HOURS).await;
    refreshed(&service, &mut server, "r2", "c", "r3").await;
    assert_eq!(stored(&store).await, is(2, "c", "r3"));
    let deep = service.tokens().peek().unwrap();
    login.save(deep).await.unwrap();
}
