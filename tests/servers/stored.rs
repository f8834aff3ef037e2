//! What somebody got elsewhere: a refresh token alone, or a token from a file. Nobody is asked for it again.

use http::StatusCode;
use serde_json::{Value, json};
use tower_oauth2::grant::{AuthorizationCode, Grant, Password, RefreshToken};
use tower_oauth2::{ErrorKind, OAuth2Layer, Token, client::Client};

use crate::expiry::outlive;
use crate::plain::{self, call, refusal};
use crate::{glewlwyd, oidc_provider};

#[tokio::test]
async fn oidc_provider_takes_a_refresh_token_alone() {
    let Some(server) = oidc_provider::server().await else { return };
    let client = Client::basic("password-short", "password-short-secret");
    let token_url = server.get("TOKEN");
    let stored = obtained(Password::new(token_url, client.clone(), "alice", "alice-password").unwrap()).await;
    let stored = stored.refresh_token().unwrap();

    outlive([(RefreshToken::new(token_url, client.clone(), stored).unwrap(), server.get("API"))]).await;
    server.expect_stats(json!({"password": 1, "refresh_token": 2}), json!({"200": 2, "401": 1})).await;

    let error = refusal(RefreshToken::new(token_url, client, stored).unwrap(), server.get("API")).await;
    assert_eq!((error.kind(), error.oauth().unwrap().error()), (ErrorKind::LoginNeeded, "invalid_grant"), "spent");
}

#[tokio::test]
async fn glewlwyd_takes_a_refresh_token_alone() {
    let Some(server) = glewlwyd::server().await else { return };
    let client = Client::basic("password", "password-secret");
    let (token_url, api) = (server.token_url("OIDC_SHORT"), server.api("OIDC_SHORT"));
    let login = Password::new(token_url, client.clone(), "alice", "alice-password").unwrap();
    let stored = obtained(login.scope("api:read").unwrap()).await;
    let stored = stored.refresh_token().unwrap();

    outlive([(RefreshToken::new(token_url, client.clone(), stored).unwrap(), api)]).await;

    let error = refusal(RefreshToken::new(token_url, client, stored).unwrap(), api).await;
    assert_eq!((error.kind(), error.status()), (ErrorKind::LoginNeeded, Some(StatusCode::BAD_REQUEST)), "spent");
}

/// The program ended, and starts again.
#[tokio::test]
async fn a_token_from_a_file_is_used_and_then_renewed() {
    let Some(server) = oidc_provider::server().await else { return };
    let client = Client::basic("password-short", "password-short-secret");
    let login = Password::new(server.get("TOKEN"), client.clone(), "alice", "alice-password").unwrap();
    let file = serde_json::to_string(&obtained(login).await).unwrap();

    let token: Token = serde_json::from_str(&file).unwrap();
    let [(first, second)] = outlive([(for_nobody(&server, client).token(token.clone()), server.get("API"))]).await;
    assert_eq!(first, token);
    assert_ne!(second.refresh_token(), token.refresh_token());
    server.expect_stats(json!({"password": 1, "refresh_token": 1}), json!({"200": 2, "401": 1})).await;
}

/// `expires_in` told how long the token would live when it was issued; `expires_at` tells that this is over.
#[tokio::test]
async fn a_token_that_expired_in_the_file_is_renewed_first() {
    let Some(server) = oidc_provider::server().await else { return };
    let client = Client::basic("password", "password-secret");
    let login = Password::new(server.get("TOKEN"), client.clone(), "alice", "alice-password").unwrap();
    let mut file: Value = serde_json::to_value(obtained(login).await).unwrap();
    file["expires_at"] = json!(1_700_000_000.5);
    file["expires_in"] = json!(300);

    let token = serde_json::from_value(file).unwrap();
    let (status, echo) = call(for_nobody(&server, client).token(token), server.get("API")).await;
    assert_eq!((status, &echo["sub"]), (StatusCode::OK, &json!("alice")), "{echo}");
    server.expect_stats(json!({"password": 1, "refresh_token": 1}), json!({"200": 1})).await;
}

/// A token, and nothing done with it.
async fn obtained(grant: impl Grant) -> Token {
    OAuth2Layer::new(grant).token_service(plain::client()).tokens().get().await.unwrap()
}

/// A login that must not happen.
fn for_nobody(server: &oidc_provider::Turn, client: Client) -> AuthorizationCode {
    let grant = AuthorizationCode::new(server.get("AUTHORIZE"), server.get("TOKEN"), client).unwrap();
    grant.browser(|url| panic!("a person is asked: {url}"))
}
