//! `invalid_grant` applies only to the refresh token that was sent.

use std::time::Duration;

use serde_json::json;
use tower::ServiceExt;
use tower_oauth2::client::Client;
use tower_oauth2::grant::RefreshToken;
use tower_oauth2::store::{Entry, Key, MemoryStore, TokenStore};
use tower_oauth2::{ErrorKind, OAuth2Layer, Token};

use crate::support::{API_URL, Body, TOKEN_URL, answer, get, mock_service, pass, spawn_refresh, token_endpoint};
use crate::unlocked_store::UnlockedStore;

const LATER: Duration = Duration::from_secs(150);
const HOUR: Duration = Duration::from_secs(3600);

fn grant() -> RefreshToken {
    RefreshToken::new(TOKEN_URL, Client::public("id"), "r0").unwrap()
}

fn token(refresh_token: &str, lifetime: Duration) -> Token {
    Token::bearer("a").unwrap().with_expires_in(lifetime).with_refresh_token(refresh_token)
}

fn dead() -> http::Response<Body> {
    answer(400, json!({"error": "invalid_grant"}))
}

async fn put(store: &MemoryStore, key: &Key, token: Token, generation: u64) {
    let mut lock = store.lock(key).await.unwrap();
    store.save(key, &Entry::new(token, generation), &mut lock).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_set_meanwhile_is_kept() {
    let (service, mut server) = mock_service(&OAuth2Layer::new(grant()));
    let tokens = service.tokens();
    tokens.set(token("r1", Duration::ZERO));
    let waiting = tokio::spawn(service.clone().oneshot(get(API_URL)));
    let (_, respond) = server.token_request().await;
    tokens.set(token("r2", HOUR));
    respond.send_response(dead());
    server.next_authorization().await;
    waiting.await.unwrap().unwrap();
    assert_eq!(tokens.peek().unwrap().refresh_token(), Some("r2"));
}

/// Another process saves a newer token, before the refresh and after its start.
#[tokio::test(start_paused = true)]
async fn the_token_that_another_process_saves_meanwhile_is_kept() {
    let store = MemoryStore::new();
    let grant = grant().persisted(UnlockedStore(store.clone()));
    let key = grant.key().clone();
    put(&store, &key, token("r1", HOUR), 5).await;
    let (service, mut server) = mock_service(&OAuth2Layer::new(grant));
    let tokens = service.tokens();
    let request = tokio::spawn(service.clone().oneshot(get(API_URL)));
    server.next_authorization().await;
    request.await.unwrap().unwrap();
    assert_eq!(tokens.peek().unwrap().refresh_token(), Some("r1"));
    let waiting = spawn_refresh(&tokens);
    let (_, respond) = server.token_request().await;
    put(&store, &key, token("r2", HOUR), 6).await;
    pass(Duration::from_secs(1)).await;
    respond.send_response(dead());
    let _ = waiting.await.unwrap();
    assert_eq!(tokens.peek().unwrap().refresh_token(), Some("r2"));
    assert_eq!(store.load(&key).await.unwrap().unwrap().token.refresh_token(), Some("r2"));
}

/// The refresh token of the store is sent, because it is newer than that of the cell. Its rejection ends the login for all processes.
#[tokio::test(start_paused = true)]
async fn the_older_refresh_token_of_the_cell_ends_with_that_of_the_store() {
    let store = MemoryStore::new();
    let grant = grant().persisted(UnlockedStore(store.clone()));
    let key = grant.key().clone();
    put(&store, &key, token("r1", HOUR), 5).await;
    let (service, mut forms) = token_endpoint(vec![dead()]);
    let tokens = OAuth2Layer::new(grant).token_service(service).tokens();
    tokens.get().await.unwrap();
    pass(HOUR).await;
    put(&store, &key, token("r6", Duration::ZERO), 6).await;
    assert_eq!(tokens.get().await.unwrap_err().kind(), ErrorKind::LoginRequired);
    assert!(store.load(&key).await.unwrap().is_none());
    pass(LATER).await;
    assert_eq!(tokens.get().await.unwrap_err().kind(), ErrorKind::LoginRequired);
    assert_eq!(forms.try_recv().unwrap()[1].1, "r6");
    assert!(forms.try_recv().is_err(), "the older refresh token is not sent");
}
