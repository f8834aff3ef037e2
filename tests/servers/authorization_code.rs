//! The authorization code grant with PKCE, from the authorization URL to the API. The grant's loopback listener receives the
//! redirect.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use tower_oauth2::{ErrorKind, client::Client, grant::AuthorizationCode};

use crate::plain::{call, failed_call};
use crate::user::User;
use crate::{glewlwyd, oidc_provider};

#[tokio::test]
async fn oidc_provider_logs_a_user_in() {
    let Some(server) = oidc_provider::server().await else { return };
    for (id, client) in
        [("native", Client::public("native")), ("confidential", Client::basic("confidential", "confidential-secret"))]
    {
        for grant in [at_oidc_provider(&server, client.clone()), at_oidc_provider(&server, client).localhost()] {
            let (status, echo) = call(grant.issuer(server.get("ISSUER")), server.get("API")).await;
            assert_eq!(status, StatusCode::OK, "{echo}");
            assert_eq!((&echo["client_id"], &echo["sub"]), (&json!(id), &json!("alice")));
            assert_eq!(echo["scope"], "openid offline_access api:read");
        }
    }
    server.expect_stats(json!({"authorization_code": 4}), json!({"200": 4})).await;
}

#[tokio::test]
async fn oidc_provider_issues_a_token_for_a_resource() {
    let Some(server) = oidc_provider::server().await else { return };
    let resource = "https://jwt-api.example.test/";
    let grant = at_oidc_provider(&server, Client::public("native")).resource(resource).unwrap();
    let (status, echo) = call(grant, server.get("API")).await;
    assert_eq!(status, StatusCode::OK, "{echo}");
    assert_eq!((&echo["aud"], &echo["token_format"]), (&json!(resource), &json!("jwt")));
}

#[tokio::test]
async fn glewlwyd_logs_a_user_in() {
    let Some(server) = glewlwyd::server().await else { return };
    let confidential = Client::basic("confidential", "confidential-secret");
    for (instance, client, localhost) in [
        ("OIDC", Client::public("native"), false),
        ("OIDC", Client::public("native"), true),
        ("OIDC", confidential.clone(), false),
        ("OAUTH2", Client::public("native"), false),
        ("OAUTH2", confidential, true),
    ] {
        let mut grant = at_glewlwyd(&server, instance, client);
        if localhost {
            grant = grant.localhost();
        }
        if instance == "OIDC" {
            grant = grant.issuer(server.of("OIDC", "ISSUER"));
        }
        let (status, user) = call(grant, server.api(instance)).await;
        assert_eq!(status, StatusCode::OK, "{instance}: {user}");
        assert!(user["sub"].is_string() || user["username"] == "alice", "{instance}: {user}");
    }
}

#[tokio::test]
async fn a_user_may_deny() {
    if let Some(server) = oidc_provider::server().await {
        let denying = User::at_oidc_provider().denying();
        let grant = at_oidc_provider(&server, Client::public("native")).browser(move |url| denying.open(url));
        expect_denial(grant, server.get("API")).await;
        server.expect_stats(json!({}), json!({})).await;
    }
    if let Some(server) = glewlwyd::server().await {
        let denying = User::at_glewlwyd().denying();
        let grant = at_glewlwyd(&server, "OIDC", Client::public("native")).browser(move |url| denying.open(url));
        expect_denial(grant, server.api("OIDC")).await;
    }
}

async fn expect_denial(grant: AuthorizationCode, api: &str) {
    let error = failed_call(grant, api).await;
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert_eq!(error.oauth().unwrap().error(), "access_denied");
    assert!(!error.is_transient());
}

// ===== the grant at each server =====

/// Alice logs in and consents.
pub(crate) fn at_oidc_provider(server: &oidc_provider::ExclusiveServer, client: Client) -> AuthorizationCode {
    let alice = User::at_oidc_provider();
    AuthorizationCode::new(server.get("AUTHORIZE"), server.get("TOKEN"), client)
        .unwrap()
        // The server grants offline access only after a consent prompt (OpenID Connect Core §11).
        .scope("openid offline_access api:read")
        .unwrap()
        .param("prompt", "consent")
        .browser(move |url| alice.open(url))
        .timeout(LOGIN_TIMEOUT)
}

/// Alice logs in and consents. The server compares the ports of redirect URIs, so the grant uses a free one of the registered.
pub(crate) fn at_glewlwyd(server: &glewlwyd::ExclusiveServer, instance: &str, client: Client) -> AuthorizationCode {
    let alice = User::at_glewlwyd();
    let grant = AuthorizationCode::new(server.of(instance, "AUTHORIZE"), server.token_url(instance), client);
    let grant = on_registered_ports(server, grant.unwrap().scope("api:read").unwrap());
    grant.browser(move |url| alice.open(url)).timeout(LOGIN_TIMEOUT)
}

pub(crate) fn on_registered_ports(server: &glewlwyd::ExclusiveServer, grant: AuthorizationCode) -> AuthorizationCode {
    let first: u16 = server.get("REDIRECT_PORT_FIRST").parse().unwrap();
    (first..first + 20).fold(grant, AuthorizationCode::port)
}

/// The script takes about a second; a busy machine takes longer.
pub(crate) const LOGIN_TIMEOUT: Duration = Duration::from_secs(60);
