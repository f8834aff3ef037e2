//! A token in a store outlives the layer, and several layers share it.

mod caution;
mod failing;
mod initial;
mod keeping;
mod keys;
mod locking;
mod logout;
mod no_login_by_itself;
mod permanent;
mod scripted;
mod set_by_hand;
mod sharing;
mod stored_login;
mod versions;
mod wrapped;

use std::time::Duration;

use http::Response;
use tokio::task::JoinHandle;
use tower::{BoxError, ServiceExt};
use tower_oauth2::client::Client;
use tower_oauth2::grant::{Grant, Persisted, RefreshToken};
use tower_oauth2::store::{Entry, Key, TokenStore};
use tower_oauth2::{Error, OAuth2Layer, Token};

use crate::support::{API_URL, Body, Server, Service, TOKEN_URL, get, mock_service, ours};

/// Longer than the lifetime of the tokens in these tests.
const HOURS: Duration = Duration::from_secs(3 * 3600);

/// A login whose first refresh token is `r0`. It is refreshed even if the store cannot be reached.
fn persisted<S: TokenStore>(store: S) -> Persisted<RefreshToken, S> {
    cautious(store).refresh_without_store()
}

/// As [`persisted`], with the default: no refresh without the store.
fn cautious<S: TokenStore>(store: S) -> Persisted<RefreshToken, S> {
    RefreshToken::new(TOKEN_URL, Client::public("id"), "r0").unwrap().persisted(store)
}

/// The key of [`persisted`].
fn key() -> Key {
    Key::new(TOKEN_URL, "id")
}

fn with<G: Grant>(grant: G) -> (Service<G>, Server) {
    mock_service(&OAuth2Layer::new(grant))
}

fn send<G: Grant>(service: &Service<G>) -> JoinHandle<Result<Response<Body>, BoxError>> {
    tokio::spawn(service.clone().oneshot(get(API_URL)))
}

/// A token with a lifetime in seconds.
fn token(access_token: &str, refresh_token: &str, expires_in: u64) -> Token {
    let token = Token::bearer(access_token).unwrap().with_expires_in(Duration::from_secs(expires_in));
    token.with_refresh_token(refresh_token)
}

/// The response of a server.
fn answer(access_token: &str, refresh_token: &str) -> serde_json::Value {
    serde_json::json!({"access_token": access_token, "refresh_token": refresh_token, "expires_in": 3600})
}

/// Saves a token as another process does.
async fn put(store: &impl TokenStore, token: Token, generation: u64) {
    let mut lock = store.lock(&key()).await.unwrap();
    store.save(&key(), &Entry::new(token, generation), &mut lock).await.unwrap();
}

/// The generation, access token and refresh token of the stored entry.
async fn stored(store: &impl TokenStore) -> Option<(u64, String, Option<String>)> {
    let entry = store.load(&key()).await.unwrap()?;
    let refresh_token = entry.token.refresh_token().map(ToOwned::to_owned);
    Some((entry.generation, entry.token.access_token().to_owned(), refresh_token))
}

/// The same for an expected entry.
fn is(generation: u64, access_token: &str, refresh_token: &str) -> Option<(u64, String, Option<String>)> {
    Some((generation, access_token.to_owned(), Some(refresh_token.to_owned())))
}

/// The tokens of an entry that was saved when there was none. Its version is greater than `former`.
async fn new_entry(store: &impl TokenStore, former: u64) -> Option<(String, Option<String>)> {
    let (generation, access_token, refresh_token) = stored(store).await?;
    assert!(generation > former, "{generation}");
    Some((access_token, refresh_token))
}

/// Answers the next request, which must be a refresh, and returns the refresh token that it sent.
async fn refresh(server: &mut Server, answer_status: u16, answer_body: serde_json::Value) -> String {
    let (form, respond) = server.token_request().await;
    respond.send_response(crate::support::answer(answer_status, answer_body));
    let sent = form.into_iter().find(|(name, _)| name == "refresh_token");
    sent.expect("a refresh token is sent").1
}

/// The error of a request. A request that does not end fails the test.
async fn failure(sent: JoinHandle<Result<Response<Body>, BoxError>>) -> Error {
    ours(tokio::time::timeout(HOURS, sent).await.expect("no end").unwrap().unwrap_err())
}

/// Sends a request, which must be authorized with this token, without a token request.
async fn served<G: Grant>(service: &Service<G>, server: &mut Server, access_token: &str) {
    let sent = send(service);
    assert_eq!(server.next_authorization().await, Some(format!("Bearer {access_token}")));
    sent.await.unwrap().unwrap();
}

/// Sends a request, which must be authorized with `access_token` after a refresh with `sent`. The response has the refresh token `next`.
async fn refreshed<G: Grant>(service: &Service<G>, server: &mut Server, sent: &str, access_token: &str, next: &str) {
    let request = send(service);
    assert_eq!(refresh(server, 200, answer(access_token, next)).await, sent);
    assert_eq!(server.next_authorization().await, Some(format!("Bearer {access_token}")));
    request.await.unwrap().unwrap();
}
