//! The password grant: the token, its renewal, and a password that is wrong.

use http::StatusCode;
use serde_json::json;
use tower_oauth2::{ErrorKind, client::Client, grant::Password};

use crate::expiry::{expect_rotation, expect_the_same, outlive};
use crate::plain::{call, refusal};
use crate::{glewlwyd, oidc_provider};

#[tokio::test]
async fn oidc_provider_takes_it_once() {
    let Some(server) = oidc_provider::server().await else { return };
    let client = Client::basic("password-short", "password-short-secret");
    let grant = Password::new(server.get("TOKEN"), client, "alice", "alice-password").unwrap();
    let [tokens] = outlive([(grant, server.get("API"))]).await;
    expect_rotation(&tokens);
    server.expect_stats(json!({"password": 1, "refresh_token": 1}), json!({"200": 2, "401": 1})).await;
}

#[tokio::test]
async fn oidc_provider_gives_the_scope_that_was_asked_for() {
    let Some(server) = oidc_provider::server().await else { return };
    let client = Client::basic("password", "password-secret");
    let grant = Password::new(server.get("TOKEN"), client, "bob", "bob-password").unwrap();
    let (status, echo) = call(grant.scope("api:write").unwrap(), server.get("API")).await;
    assert_eq!(status, StatusCode::OK, "{echo}");
    assert_eq!((&echo["sub"], &echo["scope"]), (&json!("bob"), &json!("api:write")));
}

#[tokio::test]
async fn oidc_provider_refuses_a_wrong_password() {
    let Some(server) = oidc_provider::server().await else { return };
    let client = Client::basic("password", "password-secret");
    let grant = Password::new(server.get("TOKEN"), client, "alice", "wrong-password").unwrap();
    let error = refusal(grant, server.get("API")).await;
    assert_eq!((error.kind(), error.oauth().unwrap().error()), (ErrorKind::InvalidGrant, "invalid_grant"));
    assert!(!format!("{error} {error:?}").contains("wrong-password"));
    server.expect_stats(json!({}), json!({})).await;
}

#[tokio::test]
async fn glewlwyd_takes_it() {
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

    let [rotating, keeping, keeping_too] = outlive(logins).await;
    expect_rotation(&rotating);
    expect_the_same(&keeping);
    expect_the_same(&keeping_too);
}

/// An empty 403, as for everything else that is wrong.
#[tokio::test]
async fn glewlwyd_refuses_a_wrong_password() {
    let Some(server) = glewlwyd::server().await else { return };
    let client = Client::basic("password", "password-secret");
    let grant = Password::new(server.token_url("OIDC"), client, "alice", "wrong-password").unwrap();
    let error = refusal(grant.scope("api:read").unwrap(), server.api("OIDC")).await;
    assert_eq!((error.kind(), error.status()), (ErrorKind::RequestRejected, Some(StatusCode::FORBIDDEN)));
    assert!(!format!("{error} {error:?}").contains("wrong-password"));
}
