//! Tokens that are bound to a key (RFC 9449), at token endpoints with and without nonces. The API receives proofs that the tests make.

use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower_oauth2::dpop::Dpop;
use tower_oauth2::grant::{ClientCredentials, RefreshToken};
use tower_oauth2::jwt::Algorithm;
use tower_oauth2::{ErrorKind, Token, client::Client};

use crate::authorization_code::{at_glewlwyd, at_oidc_provider};
use crate::discovery::tokens;
use crate::dpop_service::new_key;
use crate::plain::{self, Credentials, get, post_token, send_with_token};
use crate::signing::key;
use crate::{glewlwyd, oidc_provider};

#[tokio::test]
async fn oidc_provider_binds_tokens_to_the_key_of_each_algorithm() {
    let Some(server) = oidc_provider::server().await else { return };
    let [es256, rs256, ed25519] =
        ["ES256", "RS256", "ED25519"].map(|name| key(server.get(&format!("CLIENT_KEY_{name}"))));
    let ps256 = rs256.clone().algorithm(Algorithm::Ps256).unwrap();
    for key in [es256, rs256, ps256, ed25519] {
        let dpop = Dpop::new(key);
        let grant = ClientCredentials::new(server.get("TOKEN"), Client::basic("cc-dpop", "cc-dpop-secret")).unwrap();
        let token = tokens(grant.scope("api:read").unwrap().dpop(dpop.clone())).get().await.unwrap();
        assert_eq!(token.token_type(), "DPoP");
        let (status, echo) = send_with_proof(server.get("API"), &dpop, &token).await;
        assert_eq!((status, &echo["scheme"], &echo["scope"]), (StatusCode::OK, &json!("DPoP"), &json!("api:read")));
        let (status, _) = send_with_proof(server.get("API"), &new_key(), &token).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "another key");
        assert_eq!(send_with_token(server.get("API"), &token).await, StatusCode::UNAUTHORIZED, "as a bearer token");
    }
    server.expect_stats(json!({"client_credentials": 4}), json!({"200": 4, "401": 8})).await;
}

/// The server accepts an assertion once, so the second attempt has another one.
#[tokio::test]
async fn oidc_provider_requires_a_nonce_that_the_second_attempt_contains() {
    let Some(server) = oidc_provider::server().await else { return };
    for client in [
        Client::basic("cc-dpop-nonce", "cc-dpop-nonce-secret"),
        Client::private_key_jwt("cc-jwt-dpop-nonce", key(server.get("CLIENT_KEY_ES256")))
            .audience(server.get("ISSUER")),
    ] {
        let before = server.counts().await;
        let dpop = new_key();
        let tokens = tokens(ClientCredentials::new(server.get("TOKEN"), client).unwrap().dpop(dpop.clone()));
        for token in [tokens.get().await, tokens.refresh().await, tokens.refresh().await] {
            let (status, _) = send_with_proof(server.get("API"), &dpop, &token.unwrap()).await;
            assert_eq!(status, StatusCode::OK);
        }
        let after = server.counts().await;
        let difference =
            |count: fn(&Value) -> &Value| count(&after).as_u64().unwrap() - count(&before).as_u64().unwrap_or(0);
        assert_eq!(difference(|counts| &counts["token"]["client_credentials"]), 3, "{after}");
        assert_eq!(difference(|counts| &counts["token_errors"]["use_dpop_nonce"]), 1, "the nonce is kept: {after}");
    }
}

/// The code and the refresh token are sent again with the nonce, and both are bound to the key.
#[tokio::test]
async fn oidc_provider_logs_a_user_in_and_refreshes() {
    let Some(server) = oidc_provider::server().await else { return };
    for is_pushed in [false, true] {
        let dpop = new_key();
        let client = Client::public("native-dpop-nonce-short");
        let mut grant = at_oidc_provider(&server, client.clone()).dpop(dpop.clone());
        if is_pushed {
            grant = grant.pushed(server.get("PAR")).unwrap();
        }
        let tokens = tokens(grant);
        let first = tokens.get().await.unwrap();
        assert_eq!(send_with_proof(server.get("API"), &dpop, &first).await.0, StatusCode::OK);
        let second = tokens.refresh().await.unwrap();
        assert_eq!(send_with_proof(server.get("API"), &dpop, &second).await.0, StatusCode::OK);

        let stolen = second.refresh_token().unwrap();
        let grant = RefreshToken::new(server.get("TOKEN"), client, stolen).unwrap().dpop(new_key());
        let error = crate::discovery::tokens(grant).get().await.unwrap_err();
        assert_eq!((error.kind(), error.oauth().unwrap().error()), (ErrorKind::LoginRequired, "invalid_grant"));
    }
    let counts = server.counts().await;
    assert_eq!(counts["token"], json!({"authorization_code": 2, "refresh_token": 2}), "{counts}");
}

#[tokio::test]
async fn glewlwyd_binds_tokens_with_and_without_a_nonce() {
    let Some(server) = glewlwyd::server().await else { return };
    for instance in ["OIDC", "OIDC_NONCE"] {
        let dpop = new_key();
        let client = Client::basic("cc-dpop", "cc-dpop-secret");
        let grant = ClientCredentials::new(server.token_url(instance), client).unwrap().scope("api:read").unwrap();
        let tokens = tokens(grant.dpop(dpop.clone()));
        for token in [tokens.get().await, tokens.refresh().await] {
            let token = token.unwrap();
            assert_eq!(token.token_type(), "DPoP");
            let credentials = Credentials::Basic("cc-dpop", "cc-dpop-secret");
            let (_, body) = post_token(server.of(instance, "INTROSPECTION"), credentials, &token).await;
            assert_eq!((&body["active"], &body["cnf"]["jkt"]), (&json!(true), &json!(dpop.thumbprint())), "{body}");
        }
    }
}

#[tokio::test]
async fn glewlwyd_logs_a_user_in_with_a_nonce() {
    let Some(server) = glewlwyd::server().await else { return };
    let dpop = new_key();
    let tokens = tokens(at_glewlwyd(&server, "OIDC_NONCE", Client::public("native-rotate")).dpop(dpop.clone()));
    for token in [tokens.get().await, tokens.refresh().await] {
        let (status, user) = send_with_proof(server.api("OIDC_NONCE"), &dpop, &token.unwrap()).await;
        assert_eq!(status, StatusCode::OK, "{user}");
    }
}

/// Calls the API without the layer, and once more if it requires a nonce.
async fn send_with_proof(api: &str, dpop: &Dpop, token: &Token) -> (StatusCode, Value) {
    let mut is_repeated = false;
    loop {
        let mut request = get(api);
        let uri = request.uri().clone();
        let proof = dpop.proof(request.method(), &uri, Some(token)).await.unwrap();
        let authorization = HeaderValue::try_from(format!("DPoP {}", token.access_token())).unwrap();
        request.headers_mut().extend([(AUTHORIZATION, authorization), (HeaderName::from_static("dpop"), proof)]);
        let response = plain::client().request(request).await.unwrap();
        dpop.observe(&uri, response.headers());
        let needs_nonce =
            response.status() == StatusCode::UNAUTHORIZED && response.headers().contains_key("dpop-nonce");
        if is_repeated || !needs_nonce {
            let status = response.status();
            let body = response.into_body().collect().await.unwrap().to_bytes();
            return (status, serde_json::from_slice(&body).unwrap_or(Value::Null));
        }
        is_repeated = true;
    }
}
