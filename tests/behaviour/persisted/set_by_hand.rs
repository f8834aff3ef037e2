//! A stored login does not replace a token that was set.

use std::time::Duration;

use tower_oauth2::store::MemoryStore;
use tower_oauth2::{ErrorKind, Token};

use super::scripted::Scripted;
use super::{HOURS, answer, cautious, failure, is, put, refresh, refreshed, send, served, stored, token, with};
use crate::support::pass;

/// Another process refreshes the old login, before and after the set token is due.
#[tokio::test(start_paused = true)]
async fn another_process_refreshes_the_old_login() {
    let store = MemoryStore::new();
    put(&store, token("a", "r1", 3600), 1).await;
    let ((one, mut first), (two, mut second)) = (with(cautious(store.clone())), with(cautious(store.clone())));
    served(&one, &mut first, "a").await;
    served(&two, &mut second, "a").await;
    one.tokens().set(token("set", "s1", 3600));
    for (sent, access_token, next) in [("r1", "b", "r2"), ("r2", "c", "r3")] {
        let tokens = two.tokens();
        let refreshing = tokio::spawn(async move { tokens.refresh().await });
        assert_eq!(refresh(&mut second, 200, answer(access_token, next)).await, sent);
        refreshing.await.unwrap().unwrap();
        pass(Duration::from_millis(1)).await;
        served(&one, &mut first, "set").await;
    }
    let theirs = stored(&store).await.unwrap().0;
    pass(HOURS).await;
    // It is refreshed with its own refresh token, and is then the login of all processes.
    refreshed(&one, &mut first, "s1", "d", "s2").await;
    assert_eq!(stored(&store).await, is(theirs + 1, "d", "s2"));
    served(&two, &mut second, "d").await;
    pass(HOURS).await;
    refreshed(&two, &mut second, "s2", "e", "s3").await;
    served(&one, &mut first, "e").await;
}

/// The token is set while another process sends the old refresh token.
#[tokio::test(start_paused = true)]
async fn another_process_saves_the_old_login_afterwards() {
    let store = Scripted::default();
    put(&store, token("a", "r1", 0), 1).await;
    let ((one, mut first), (two, mut second)) = (with(cautious(store.clone())), with(cautious(store.clone())));
    let sent = send(&two);
    let (_, respond) = second.token_request().await;
    one.tokens().set(token("set", "s1", 0));
    let waiting = send(&one);
    pass(Duration::from_secs(1)).await;
    first.assert_no_request().await;
    respond.send_response(crate::support::answer(200, answer("b", "r2")));
    second.next_authorization().await;
    sent.await.unwrap().unwrap();
    assert_eq!(refresh(&mut first, 200, answer("c", "s2")).await, "s1");
    assert_eq!(first.next_authorization().await.as_deref(), Some("Bearer c"));
    waiting.await.unwrap().unwrap();
    assert_eq!(stored(&store).await, is(3, "c", "s2"));
}

/// A stored login does not replace a token that cannot be refreshed either.
#[tokio::test(start_paused = true)]
async fn a_token_without_a_refresh_token_ends_with_login_required() {
    let store = MemoryStore::new();
    put(&store, token("a", "r1", 1_000_000), 1).await;
    let (service, mut server) = with(cautious(store.clone()));
    served(&service, &mut server, "a").await;
    service.tokens().set(Token::bearer("set").unwrap().with_expires_in(Duration::from_secs(60)));
    served(&service, &mut server, "set").await;
    pass(HOURS).await;
    assert_eq!(failure(send(&service)).await.kind(), ErrorKind::LoginRequired);
    server.assert_no_request().await;
    assert_eq!(stored(&store).await, is(1, "a", "r1"));
}

/// A token that was loaded from the store and set belongs to the stored login.
#[tokio::test(start_paused = true)]
async fn a_token_that_was_loaded_from_the_store_is_the_stored_login() {
    let store = Scripted::default();
    put(&store, token("a", "r1", 60), 1).await;
    let login = cautious(store.clone());
    let (service, mut server) = with(login.clone());
    service.tokens().set(login.load().await.unwrap().unwrap());
    served(&service, &mut server, "a").await;
    // Another process has used its refresh token.
    put(&store, token("b", "r2", 0), 2).await;
    pass(HOURS).await;
    refreshed(&service, &mut server, "r2", "c", "r3").await;
    assert_eq!(stored(&store).await, is(3, "c", "r3"));
}
