//! A logout is final: a refresh or save that is running, in this process or in another one, does not restore the login.

use std::time::Duration;

use tower_oauth2::ErrorKind;
use tower_oauth2::client::Client;
use tower_oauth2::grant::{ClientCredentials, Persisted, RefreshToken};
use tower_oauth2::store::{MemoryStore, TokenStore};

use super::scripted::{Fault, Operation, Scripted, StoreErrors};
use super::{
    HOURS, answer, cautious, failure, is, key, new_entry, put, refresh, refreshed, send, served, stored, token, with,
};
use crate::support::{Server, Service, TOKEN_URL, pass};

type Login<S> = Persisted<RefreshToken, S>;

/// Checks that the login has ended: requests fail, no token request is sent, and nothing is stored.
async fn is_over<S: TokenStore + Clone>(service: &Service<Login<S>>, server: &mut Server, store: &S) {
    for _ in 0..3 {
        pass(HOURS).await;
        assert_eq!(failure(send(service)).await.kind(), ErrorKind::LoginRequired);
        assert_eq!(stored(store).await, None);
    }
    server.assert_no_token_request().await;
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Clear,
    Forget,
}

/// The steps of a logout, in any order and repeated.
const ORDERS: [&[Act]; 5] = [
    &[Act::Clear],
    &[Act::Clear, Act::Clear],
    &[Act::Clear, Act::Forget],
    &[Act::Forget, Act::Clear],
    &[Act::Forget, Act::Clear, Act::Forget, Act::Clear],
];

async fn log_out<S: TokenStore>(login: &Login<S>, service: &Service<Login<S>>, order: &[Act]) {
    for act in order {
        match act {
            Act::Clear => login.clear().await.unwrap(),
            Act::Forget => service.tokens().forget(),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn during_the_token_request() {
    for is_stored in [true, false] {
        for order in ORDERS {
            let store = Scripted::default();
            if is_stored {
                put(&store, token("a", "r0", 0), 1).await;
            }
            let login = cautious(store.clone());
            let (service, mut server) = with(login.clone());
            let sent = send(&service);
            let (_, respond) = server.token_request().await;
            log_out(&login, &service, order).await;
            respond.send_response(crate::support::answer(200, answer("b", "r1")));
            pass(Duration::from_secs(1)).await;
            assert_eq!(stored(&store).await, None, "{order:?}");
            // The waiting request may have received the last token.
            sent.abort();
            service.tokens().forget();
            is_over(&service, &mut server, &store).await;
        }
    }
}

/// The token was forgotten before it was saved, so it had no version yet.
#[tokio::test(start_paused = true)]
async fn forgetting_during_the_first_token_request() {
    for is_saving in [false, true] {
        let store = Scripted::default();
        if is_saving {
            store.script(Operation::Save, Fault::Takes(Duration::from_secs(5)));
        }
        let (service, mut server) = with(cautious(store.clone()));
        let sent = send(&service);
        let (_, respond) = server.token_request().await;
        let response = crate::support::answer(200, answer("b", "r1"));
        if is_saving {
            respond.send_response(response);
            pass(Duration::from_secs(1)).await;
            service.tokens().forget();
        } else {
            service.tokens().forget();
            pass(Duration::from_secs(1)).await;
            respond.send_response(response);
        }
        assert_eq!(failure(sent).await.kind(), ErrorKind::LoginRequired, "{is_saving}");
        is_over(&service, &mut server, &store).await;
    }
}

/// Without `forget`, the layer uses its token until it expires.
#[tokio::test(start_paused = true)]
async fn without_forgetting() {
    let store = Scripted::default();
    put(&store, token("a", "r1", 0), 1).await;
    let login = cautious(store.clone());
    let (service, mut server) = with(login.clone());
    let sent = send(&service);
    let (_, respond) = server.token_request().await;
    login.clear().await.unwrap();
    respond.send_response(crate::support::answer(200, answer("b", "r2")));
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer b"));
    sent.await.unwrap().unwrap();
    served(&service, &mut server, "b").await;
    is_over(&service, &mut server, &store).await;
}

#[tokio::test(start_paused = true)]
async fn during_the_save() {
    for is_stored in [true, false] {
        for order in ORDERS {
            let store = Scripted::default();
            if is_stored {
                put(&store, token("a", "r0", 0), 1).await;
            }
            store.script(Operation::Save, Fault::Takes(Duration::from_secs(5)));
            let login = cautious(store.clone());
            let (service, mut server) = with(login.clone());
            let sent = send(&service);
            refresh(&mut server, 200, answer("b", "r1")).await;
            pass(Duration::from_secs(2)).await;
            log_out(&login, &service, order).await;
            pass(Duration::from_secs(10)).await;
            assert_eq!(stored(&store).await, None, "{order:?} {is_stored}");
            sent.abort();
            service.tokens().forget();
            is_over(&service, &mut server, &store).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn during_a_background_save() {
    for (fault, is_same_process) in [(Operation::Save, true), (Operation::Lock, true), (Operation::Save, false)] {
        for order in ORDERS {
            let store = Scripted::default();
            put(&store, token("a", "r1", 0), 1).await;
            store.script(fault, Fault::Fails);
            let login = cautious(store.clone()).refresh_without_store();
            let (service, mut server) = with(login.clone());
            match fault {
                Operation::Save => refreshed(&service, &mut server, "r1", "b", "r2").await,
                _ => refreshed(&service, &mut server, "r0", "b", "r2").await,
            }
            let login = if is_same_process { login } else { cautious(store.clone()) };
            log_out(&login, &service, order).await;
            store.heal();
            pass(Duration::from_secs(60)).await;
            assert_eq!(stored(&store).await, None, "{fault:?} {order:?}");
            service.tokens().forget();
            is_over(&service, &mut server, &store).await;
        }
    }
}

/// The refresh could not read the store, and the other process logs out before the store can be reached again.
#[tokio::test(start_paused = true)]
async fn another_process_logs_out_before_a_token_can_be_saved() {
    for operation in [Operation::Lock, Operation::Load] {
        let store = Scripted::default();
        put(&store, token("a", "r1", 60), 1).await;
        let (service, mut server) = with(cautious(store.clone()).refresh_without_store());
        served(&service, &mut server, "a").await;
        pass(HOURS).await;
        store.script(operation, Fault::Fails);
        refreshed(&service, &mut server, "r1", "b", "r2").await;
        cautious(store.clone()).clear().await.unwrap();
        store.heal();
        pass(Duration::from_secs(60)).await;
        is_over(&service, &mut server, &store).await;
    }
}

/// Another process has sent the refresh token and has not saved the new one.
#[tokio::test(start_paused = true)]
async fn during_a_refresh_of_another_process() {
    for is_saving in [false, true] {
        let (store, reported) = (Scripted::default(), StoreErrors::default());
        put(&store, token("a", "r1", 0), 1).await;
        let (service, mut server) = with(cautious(store.clone()).on_store_error(reported.callback()));
        if is_saving {
            store.script(Operation::Save, Fault::Takes(Duration::from_secs(5)));
        }
        let sent = send(&service);
        let (_, respond) = server.token_request().await;
        if is_saving {
            respond.send_response(crate::support::answer(200, answer("b", "r2")));
            pass(Duration::from_secs(2)).await;
            cautious(store.clone()).clear().await.unwrap();
        } else {
            cautious(store.clone()).clear().await.unwrap();
            respond.send_response(crate::support::answer(200, answer("b", "r2")));
        }
        // The waiting request uses the token. It is not saved, which is not an error of the store.
        assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer b"));
        sent.await.unwrap().unwrap();
        assert_eq!(stored(&store).await, None);
        is_over(&service, &mut server, &store).await;
        assert_eq!(reported.take().len(), 0);
    }
}

/// Another process has the token in memory, and is idle.
#[tokio::test(start_paused = true)]
async fn another_process_uses_its_token_until_it_expires_and_then_the_next_login() {
    for is_due in [false, true] {
        let store = MemoryStore::new();
        put(&store, token("a", "r1", 3600), 1).await;
        let (service, mut server) = with(cautious(store.clone()));
        served(&service, &mut server, "a").await;
        cautious(store.clone()).clear().await.unwrap();
        served(&service, &mut server, "a").await;
        if is_due {
            pass(Duration::from_secs(3400)).await;
            served(&service, &mut server, "a").await;
            pass(Duration::from_millis(1)).await;
            server.assert_no_request().await;
            served(&service, &mut server, "a").await;
        }
        is_over(&service, &mut server, &store).await;

        let (other, mut other_server) = with(cautious(store.clone()));
        refreshed(&other, &mut other_server, "r0", "b", "r9").await;
        pass(Duration::from_secs(10)).await;
        served(&service, &mut server, "b").await;
    }
}

/// An entry that the store has lost is not a logout.
#[tokio::test(start_paused = true)]
async fn a_store_that_loses_an_entry_does_not_end_the_login() {
    for is_lost_meanwhile in [false, true] {
        let store = Scripted::default();
        store.lose();
        put(&store, token("a", "r1", 60), 1).await;
        let (service, mut server) = with(cautious(store.clone()));
        served(&service, &mut server, "a").await;
        pass(HOURS).await;
        if !is_lost_meanwhile {
            store.memory.clear(&key(), u64::MAX).await.unwrap();
        }
        let sent = send(&service);
        let (_, respond) = server.token_request().await;
        store.memory.clear(&key(), u64::MAX).await.unwrap();
        respond.send_response(crate::support::answer(200, answer("b", "r2")));
        server.next_authorization().await;
        sent.await.unwrap().unwrap();
        pass(Duration::from_secs(1)).await;
        assert_eq!(new_entry(&store, 1).await, Some(("b".to_owned(), Some("r2".to_owned()))));
        pass(HOURS).await;
        refreshed(&service, &mut server, "r2", "c", "r3").await;
    }
}

/// After a failed logout the store still has the login, and its next token is saved.
#[tokio::test(start_paused = true)]
async fn a_failed_logout_changes_nothing() {
    let store = Scripted::default();
    put(&store, token("a", "r1", 0), 1).await;
    store.script(Operation::Clear, Fault::Fails);
    let login = cautious(store.clone());
    let (service, mut server) = with(login.clone());
    let sent = send(&service);
    let (_, respond) = server.token_request().await;
    assert_eq!(login.clear().await.unwrap_err().kind(), ErrorKind::Store);
    respond.send_response(crate::support::answer(200, answer("b", "r2")));
    server.next_authorization().await;
    sent.await.unwrap().unwrap();
    assert_eq!(stored(&store).await, is(2, "b", "r2"));
    pass(HOURS).await;
    refreshed(&service, &mut server, "r2", "c", "r3").await;
}

/// The refresh ends before the logout fails. Its token is saved, so that no other process finds the used refresh token.
#[tokio::test(start_paused = true)]
async fn a_logout_that_fails_after_a_refresh_changes_nothing() {
    for is_refreshing in [true, false] {
        let store = Scripted::default();
        put(&store, token("a", "r1", 60), 1).await;
        store.script(Operation::Clear, Fault::Hangs);
        let login = cautious(store.clone());
        let (service, mut server) = with(login.clone());
        served(&service, &mut server, "a").await;
        pass(HOURS).await;
        let log_out = || {
            let login = login.clone();
            tokio::spawn(async move { login.clear().await })
        };
        let logout = (!is_refreshing).then(log_out);
        pass(Duration::from_secs(1)).await;
        let sent = send(&service);
        let (form, respond) = server.token_request().await;
        let logout = logout.unwrap_or_else(log_out);
        pass(Duration::from_secs(1)).await;
        respond.send_response(crate::support::answer(200, answer("b", "r2")));
        assert_eq!(form[1].1, "r1");
        server.next_authorization().await;
        sent.await.unwrap().unwrap();
        assert_eq!(logout.await.unwrap().unwrap_err().kind(), ErrorKind::Store);
        assert_eq!(stored(&store).await, is(2, "b", "r2"), "{is_refreshing}");
    }
}

/// A login directly after a logout.
#[tokio::test(start_paused = true)]
async fn the_next_login_is_saved() {
    let store = MemoryStore::new();
    put(&store, token("a", "r1", 3600), 1).await;
    let login = cautious(store.clone());
    let (service, mut server) = with(login.clone());
    served(&service, &mut server, "a").await;
    login.clear().await.unwrap();
    service.tokens().forget();
    login.save(token("b", "r5", 60)).await.unwrap();
    served(&service, &mut server, "b").await;
    pass(HOURS).await;
    refreshed(&service, &mut server, "r5", "c", "r6").await;
    assert_eq!(new_entry(&store, 1).await, Some(("c".to_owned(), Some("r6".to_owned()))));
}

/// A program needs no login, and obtains another token.
#[tokio::test(start_paused = true)]
async fn client_credentials_obtain_another_token() {
    let store = MemoryStore::new();
    let grant = ClientCredentials::new(TOKEN_URL, Client::basic("id", "secret")).unwrap().persisted(store.clone());
    let (service, mut server) = with(grant.clone());
    for name in ["a", "b", "c"] {
        let sent = send(&service);
        let (form, respond) = server.token_request().await;
        assert_eq!(form[0].1, "client_credentials");
        respond.send_response(crate::support::answer(200, answer(name, "r")));
        assert_eq!(server.next_authorization().await, Some(format!("Bearer {name}")));
        sent.await.unwrap().unwrap();
        let saved = store.load(grant.key()).await.unwrap().unwrap();
        assert_eq!(saved.token.access_token(), name);
        grant.clear().await.unwrap();
        pass(HOURS).await;
    }
}

/// The token that another process refreshes belongs to the forgotten login.
#[tokio::test(start_paused = true)]
async fn another_process_does_not_restore_a_forgotten_login() {
    for store in [Watching::Yes, Watching::No] {
        let memory = MemoryStore::new();
        put(&memory, token("a", "r1", 3600), 1).await;
        let blind = Scripted::of(memory.clone());
        let (other, mut other_server) = with(cautious(memory.clone()));
        served(&other, &mut other_server, "a").await;
        match store {
            Watching::Yes => forgets(with(cautious(memory.clone())), &other, &mut other_server, &memory).await,
            Watching::No => forgets(with(cautious(blind)), &other, &mut other_server, &memory).await,
        }
    }
}

enum Watching {
    Yes,
    No,
}

async fn forgets<S: TokenStore>(
    (service, mut server): (Service<Login<S>>, Server),
    other: &Service<Login<MemoryStore>>,
    other_server: &mut Server,
    store: &MemoryStore,
) {
    served(&service, &mut server, "a").await;
    service.tokens().forget();
    let tokens = other.tokens();
    let refreshing = tokio::spawn(async move { tokens.refresh().await });
    assert_eq!(refresh(other_server, 200, answer("b", "r2")).await, "r1");
    refreshing.await.unwrap().unwrap();
    pass(Duration::from_secs(1)).await;
    assert_eq!(service.tokens().peek(), None);
    // The refresh token of the grant has not been sent yet.
    refreshed(&service, &mut server, "r0", "mine", "r7").await;
    assert_eq!(new_entry(store, 2).await, Some(("mine".to_owned(), Some("r7".to_owned()))));
    // The other process does not restore it either.
    pass(HOURS).await;
    refreshes_the_stored_login(other, other_server).await;
    assert_ne!(stored(store).await.unwrap().2.as_deref(), Some("r2"));
}

/// Sends a request of the other process, which refreshes the stored login.
async fn refreshes_the_stored_login<S: TokenStore>(other: &Service<Login<S>>, server: &mut Server) {
    let sent = send(other);
    assert_eq!(refresh(server, 200, answer("next", "r8")).await, "r7");
    server.next_authorization().await;
    sent.await.unwrap().unwrap();
}
