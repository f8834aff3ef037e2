//! Refresh after a login: the user logs in once, and the API accepts requests after the expiry of the first token.

use serde_json::json;
use tower_oauth2::client::Client;

use crate::authorization_code::{at_glewlwyd, at_oidc_provider};
use crate::expiry::{expect_rotation, expect_same_refresh_token, use_past_expiry};
use crate::{glewlwyd, oidc_provider};

#[tokio::test]
async fn oidc_provider_rotates_or_keeps() {
    let Some(server) = oidc_provider::server().await else { return };
    let confidential = Client::basic("confidential-short", "confidential-short-secret");
    let logins = [Client::public("native-short"), confidential, Client::public("native-norotate-short")]
        .map(|client| (at_oidc_provider(&server, client), server.get("API")));

    let [public, confidential, keeping] = use_past_expiry(logins).await;
    expect_rotation(&public);
    expect_rotation(&confidential);
    expect_same_refresh_token(&keeping);
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

    let [public, confidential, keeping, keeping_too] = use_past_expiry(logins).await;
    expect_rotation(&public);
    expect_rotation(&confidential);
    // The refresh response has no refresh token, so the old one stays in use (RFC 6749 §6).
    expect_same_refresh_token(&keeping);
    expect_same_refresh_token(&keeping_too);
}
