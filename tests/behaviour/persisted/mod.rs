//! A token that is kept in a store: it outlives the layer, and several share it.

mod caution;
mod failing;
mod keeping;
mod keys;
mod locking;
mod scripted;
mod sharing;

use std::time::Duration;

use http::Response;
use tokio::task::JoinHandle;
use tower::{BoxError, ServiceExt};
use tower_oauth2::client::Client;
use tower_oauth2::grant::{Grant, Persisted, RefreshToken};
use tower_oauth2::store::{Entry, Key, TokenStore};
use tower_oauth2::{Error, OAuth2Layer, Token};

use crate::support::{API_URL, Body, Server, Service, TOKEN_URL, conversation, get, ours};

/// Longer than any token of these tests lives.
const HOURS: Duration = Duration::from_secs(3 * 3600);

/// A login that somebody has brought from elsewhere: its first refresh token is `r0`. Nobody else renews it.
fn persisted<S: TokenStore>(store: S) -> Persisted<RefreshToken, S> {
    cautious(store).renew_without_store()
}

/// As [`persisted`], by default: others may renew it too.
fn cautious<S: TokenStore>(store: S) -> Persisted<RefreshToken, S> {
    RefreshToken::new(TOKEN_URL, Client::public("id"), "r0").unwrap().persisted(store)
}

/// Where [`persisted`] has its entry.
fn key() -> Key {
    Key::new(TOKEN_URL, "id")
}

fn with<G: Grant>(grant: G) -> (Service<G>, Server) {
    conversation(&OAuth2Layer::new(grant))
}

fn send<G: Grant>(service: &Service<G>) -> JoinHandle<Result<Response<Body>, BoxError>> {
    tokio::spawn(service.clone().oneshot(get(API_URL)))
}

/// A token that lives so many seconds.
fn token(access_token: &str, refresh_token: &str, expires_in: u64) -> Token {
    let token = Token::bearer(access_token).unwrap().with_expires_in(Duration::from_secs(expires_in));
    token.with_refresh_token(refresh_token)
}

/// As a server grants it.
fn answer(access_token: &str, refresh_token: &str) -> serde_json::Value {
    serde_json::json!({"access_token": access_token, "refresh_token": refresh_token, "expires_in": 3600})
}

/// Saves as a sibling does.
async fn put(store: &impl TokenStore, token: Token, generation: u64) {
    let mut turn = store.lock(&key()).await.unwrap();
    store.save(&key(), &Entry::new(token, generation), &mut turn).await.unwrap();
}

/// Generation, access token and refresh token of what is stored.
async fn stored(store: &impl TokenStore) -> Option<(u64, String, Option<String>)> {
    let entry = store.load(&key()).await.unwrap()?;
    let refresh_token = entry.token.refresh_token().map(ToOwned::to_owned);
    Some((entry.generation, entry.token.access_token().to_owned(), refresh_token))
}

/// As [`stored`] has it.
fn is(generation: u64, access_token: &str, refresh_token: &str) -> Option<(u64, String, Option<String>)> {
    Some((generation, access_token.to_owned(), Some(refresh_token.to_owned())))
}

/// What was saved where nothing was, or nothing any more: newer than all that may have been there.
async fn anew(store: &impl TokenStore, former: u64) -> Option<(String, Option<String>)> {
    let (generation, access_token, refresh_token) = stored(store).await?;
    assert!(generation > former, "{generation}");
    Some((access_token, refresh_token))
}

/// The next request must be a renewal: the refresh token that it sends.
async fn renewal(server: &mut Server, answer_status: u16, answer_body: serde_json::Value) -> String {
    let (form, respond) = server.token_request().await;
    respond.send_response(crate::support::answer(answer_status, answer_body));
    let sent = form.into_iter().find(|(name, _)| name == "refresh_token");
    sent.expect("a refresh token is sent").1
}

/// What a request ends with that is not served; within a time, so that one which never ends is a failure and not a hang.
async fn refusal(sent: JoinHandle<Result<Response<Body>, BoxError>>) -> Error {
    ours(tokio::time::timeout(HOURS, sent).await.expect("no end").unwrap().unwrap_err())
}

/// A request is sent and served, with this token and without a token call.
async fn served<G: Grant>(service: &Service<G>, server: &mut Server, access_token: &str) {
    let sent = send(service);
    assert_eq!(server.serves().await, Some(format!("Bearer {access_token}")));
    sent.await.unwrap().unwrap();
}

/// A request is sent and served, after the refresh token `sent` has brought the token `access_token` with `next`.
async fn renewed<G: Grant>(service: &Service<G>, server: &mut Server, sent: &str, access_token: &str, next: &str) {
    let request = send(service);
    assert_eq!(renewal(server, 200, answer(access_token, next)).await, sent);
    assert_eq!(server.serves().await, Some(format!("Bearer {access_token}")));
    request.await.unwrap().unwrap();
}
