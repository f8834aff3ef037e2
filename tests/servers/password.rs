//! The password grant: the token, its refresh, and a wrong password.

use http::StatusCode;
use serde_json::json;
use tower_oauth2::{ErrorKind, client::Client, grant::Password};

use crate::expiry::{expect_rotation, expect_same_refresh_token, use_past_expiry};
use crate::plain::{call, failed_call};
use crate::{glewlwyd, oidc_provider};

#[tokio::test]
async fn oidc_provider_takes_it_once() {
    let Some(server) = oidc_provider::server().await else { return };
    let client = Client::basic("password-short", "password-short-secret");
    let grant = Password::new(server.get("TOKEN"), client, "alice", "alice-password").unwrap();
    let [tokens] = use_past_expiry([(grant, server.get("API"))]).await;
    expect_rotation(&tokens);
    server.expect_stats(json!({"password": 1, "refresh_token": 1}), json!({"200": 2, "401": 1})).await;
}

#[tokio::test]
async fn oidc_provider_issues_the_requested_scope() {
    let Some(server) = oidc_provider::server().await else { return };
    let client = Client::basic("password", "password-secret");
    let grant = Password::new(server.get("TOKEN"), client, "bob", "bob-password").unwrap();
    let (status, echo) = call(grant.scope("api:write").unwrap(), server.get("API")).await;
    assert_eq!(status, StatusCode::OK, "{echo}");
    assert_eq!((&echo["sub"], &echo["scope"]), (&json!("bob"), &json!("api:write")));
}

#[tokio::test]
async fn oidc_provider_rejects_a_wrong_password() {
    let Some(server) = oidc_provider::server().await else { return };
    let client = Client::basic("password", "password-secret");
    let grant = Password::new(server.get("TOKEN"), client, "alice", "wrong-password").unwrap();
    let error = failed_call(grant, server.get("API")).await;
    assert_eq!((error.kind(), error.oauth().unwrap().error()), (ErrorKind::InvalidGrant, "invalid_grant"));
    assert!(!format!("{error} {error:?}").contains("wrong-password"));
    server.expect_stats(json!({}), json!({})).await;
}

#[tokio::test]
async fn glewlwyd_accepts_a_password() {
    let Some(server) = glewlwyd::server().await else { return };
    let confidential = Client::basic("password", "password-secret");
    let logins = [
        ("OIDC_SHORT", confidential.clone()),
        ("OAUTH2_SHORT", confidential),
        ("OAUTH2_SHORT", Client::public("password-public")),
    ]
    .map(|(instance, client)| {
        let grant = Password::new(server.token_url(instance), client, "alice", "alice-password").unwrap();
        (grant.scope("api:read").unwrap(), server.api(instance))
    });

    let [rotating, keeping, keeping_too] = use_past_expiry(logins).await;
    expect_rotation(&rotating);
    expect_same_refresh_token(&keeping);
    expect_same_refresh_token(&keeping_too);
}

/// The response is an empty 403, as for most errors of this server.
#[tokio::test]
async fn glewlwyd_rejects_a_wrong_password() {
    let Some(server) = glewlwyd::server().await else { return };
    let client = Client::basic("password", "password-secret");
    let grant = Password::new(server.token_url("OIDC"), client, "alice", "wrong-password").unwrap();
    let error = failed_call(grant.scope("api:read").unwrap(), server.api("OIDC")).await;
    assert_eq!((error.kind(), error.status()), (ErrorKind::NotOAuth, Some(StatusCode::FORBIDDEN)));
    assert!(!format!("{error} {error:?}").contains("wrong-password"));
}
