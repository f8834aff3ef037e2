//! Tokens from elsewhere: a refresh token alone, or a token from a file. They need no login.

use http::StatusCode;
use serde_json::{Value, json};
use tower_oauth2::grant::{AuthorizationCode, Grant, Password, RefreshToken};
use tower_oauth2::{ErrorKind, OAuth2Layer, Token, client::Client};

use crate::expiry::use_past_expiry;
use crate::plain::{self, call, failed_call};
use crate::{glewlwyd, oidc_provider};

#[tokio::test]
async fn oidc_provider_accepts_a_refresh_token_alone() {
    let Some(server) = oidc_provider::server().await else { return };
    let client = Client::basic("password-short", "password-short-secret");
    let token_url = server.get("TOKEN");
    let stored = request_token(Password::new(token_url, client.clone(), "alice", "alice-password").unwrap()).await;
    let stored = stored.refresh_token().unwrap();

    use_past_expiry([(RefreshToken::new(token_url, client.clone(), stored).unwrap(), server.get("API"))]).await;
    server.expect_stats(json!({"password": 1, "refresh_token": 2}), json!({"200": 2, "401": 1})).await;

    let error = failed_call(RefreshToken::new(token_url, client, stored).unwrap(), server.get("API")).await;
    assert_eq!((error.kind(), error.oauth().unwrap().error()), (ErrorKind::LoginRequired, "invalid_grant"), "spent");
}

#[tokio::test]
async fn glewlwyd_accepts_a_refresh_token_alone() {
    let Some(server) = glewlwyd::server().await else { return };
    let client = Client::basic("password", "password-secret");
    let (token_url, api) = (server.token_url("OIDC_SHORT"), server.api("OIDC_SHORT"));
    let login = Password::new(token_url, client.clone(), "alice", "alice-password").unwrap();
    let stored = request_token(login.scope("api:read").unwrap()).await;
    let stored = stored.refresh_token().unwrap();

    use_past_expiry([(RefreshToken::new(token_url, client.clone(), stored).unwrap(), api)]).await;

    // An empty 400 could be a proxy's, so it does not end the login, unless the program decides that it does.
    let spent = RefreshToken::new(token_url, client, stored).unwrap();
    let error = failed_call(spent.clone(), api).await;
    assert_eq!((error.kind(), error.status()), (ErrorKind::NotOAuth, Some(StatusCode::BAD_REQUEST)), "spent");
    let spent = spent.refresh_token_dead_when(|error| error.status() == Some(StatusCode::BAD_REQUEST));
    assert_eq!(failed_call(spent, api).await.kind(), ErrorKind::LoginRequired);
}

/// The program is restarted.
#[tokio::test]
async fn a_token_from_a_file_is_used_and_then_refreshed() {
    let Some(server) = oidc_provider::server().await else { return };
    let client = Client::basic("password-short", "password-short-secret");
    let login = Password::new(server.get("TOKEN"), client.clone(), "alice", "alice-password").unwrap();
    let file = serde_json::to_string(&request_token(login).await).unwrap();

    let token: Token = serde_json::from_str(&file).unwrap();
    let [(first, second)] =
        use_past_expiry([(without_login(&server, client).token(token.clone()), server.get("API"))]).await;
    assert_eq!(first, token);
    assert_ne!(second.refresh_token(), token.refresh_token());
    server.expect_stats(json!({"password": 1, "refresh_token": 1}), json!({"200": 2, "401": 1})).await;
}

/// `expires_in` is the lifetime at the time of issue, but `expires_at` says that the token has expired.
#[tokio::test]
async fn a_token_that_expired_in_the_file_is_refreshed_first() {
    let Some(server) = oidc_provider::server().await else { return };
    let client = Client::basic("password", "password-secret");
    let login = Password::new(server.get("TOKEN"), client.clone(), "alice", "alice-password").unwrap();
    let mut file: Value = serde_json::to_value(request_token(login).await).unwrap();
    file["expires_at"] = json!(1_700_000_000.5);
    file["expires_in"] = json!(300);

    let token = serde_json::from_value(file).unwrap();
    let (status, echo) = call(without_login(&server, client).token(token), server.get("API")).await;
    assert_eq!((status, &echo["sub"]), (StatusCode::OK, &json!("alice")), "{echo}");
    server.expect_stats(json!({"password": 1, "refresh_token": 1}), json!({"200": 1})).await;
}

/// Requests a token without using it.
async fn request_token(grant: impl Grant) -> Token {
    OAuth2Layer::new(grant).token_service(plain::client()).tokens().get().await.unwrap()
}

/// A login that must not happen.
fn without_login(server: &oidc_provider::ExclusiveServer, client: Client) -> AuthorizationCode {
    let grant = AuthorizationCode::new(server.get("AUTHORIZE"), server.get("TOKEN"), client).unwrap();
    grant.browser(|url| panic!("the user would have to log in: {url}"))
}
