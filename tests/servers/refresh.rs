//! Refresh after a login: a person is asked once, and the API answers beyond the life of the first token.

use serde_json::json;
use tower_oauth2::client::Client;

use crate::authorization_code::{at_glewlwyd, at_oidc_provider};
use crate::expiry::{expect_rotation, expect_the_same, outlive};
use crate::{glewlwyd, oidc_provider};

#[tokio::test]
async fn oidc_provider_rotates_or_keeps() {
    let Some(server) = oidc_provider::server().await else { return };
    let confidential = Client::basic("confidential-short", "confidential-short-secret");
    let logins = [Client::public("native-short"), confidential, Client::public("native-norotate-short")]
        .map(|client| (at_oidc_provider(&server, client), server.get("API")));

    let [public, confidential, keeping] = outlive(logins).await;
    expect_rotation(&public);
    expect_rotation(&confidential);
    expect_the_same(&keeping);
    let tokens = json!({"authorization_code": 3, "refresh_token": 3});
    server.expect_stats(tokens, json!({"200": 6, "401": 3})).await;
}

#[tokio::test]
async fn glewlwyd_rotates_or_keeps() {
    let Some(server) = glewlwyd::server().await else { return };
    let confidential = Client::basic("confidential", "confidential-secret");
    let logins = [
        ("OIDC_SHORT", Client::public("native-rotate")),
        ("OIDC_SHORT", confidential),
        ("OIDC_SHORT", Client::public("native")),
        ("OAUTH2_SHORT", Client::public("native")),
    ]
    .map(|(instance, client)| (at_glewlwyd(&server, instance, client), server.api(instance)));

    let [public, confidential, keeping, keeping_too] = outlive(logins).await;
    expect_rotation(&public);
    expect_rotation(&confidential);
    // The answer to a refresh has no refresh token: the one that we have is to be kept (RFC 6749 §6).
    expect_the_same(&keeping);
    expect_the_same(&keeping_too);
}
