//! Every grant authenticates with an assertion, on each of its requests.

use std::collections::BTreeSet;

use serde_json::json;
use tower_oauth2::OAuth2Layer;
use tower_oauth2::client::Client;
use tower_oauth2::grant::{AuthorizationCode, DeviceCode, Grant, Password, RefreshToken};
use tower_oauth2::jwt::Key;

use crate::support::{ISSUER, Received, Server, TOKEN_URL, decoded, pem};

fn client() -> Client {
    Client::private_key_jwt("id", Key::from_pem(pem("p256.pkcs8.pem")).unwrap()).audience(ISSUER)
}

/// Checks that each request has an assertion of its own and no other authentication.
fn assert_authenticated(requests: &[Received]) {
    let mut ids = BTreeSet::new();
    for request in requests {
        let (_, claims) = decoded(request.get("client_assertion"));
        assert_eq!((&claims["sub"], &claims["aud"]), (&json!("id"), &json!(ISSUER)));
        assert!(ids.insert(claims["jti"].to_string()), "an assertion was sent twice");
        assert!(!request.headers.contains_key("authorization") && !request.form.contains_key("client_secret"));
    }
}

async fn obtain(grant: impl Grant, server: &Server) {
    OAuth2Layer::new(grant).token_service(server.service()).tokens().refresh().await.unwrap();
}

#[tokio::test]
async fn a_refresh_and_a_password_are_sent_with_an_assertion() {
    let server = Server::default();
    obtain(RefreshToken::new(TOKEN_URL, client(), "r").unwrap(), &server).await;
    obtain(Password::new(TOKEN_URL, client(), "alice", "password").unwrap(), &server).await;
    let requests = server.take();
    let types: Vec<_> = requests.iter().map(|request| request.get("grant_type")).collect();
    assert_eq!(types, ["refresh_token", "password"]);
    assert_authenticated(&requests);
}

#[tokio::test]
async fn a_code_is_exchanged_with_an_assertion() {
    let server = Server::default();
    let grant = AuthorizationCode::new("https://auth.example.com/authorize", TOKEN_URL, client()).unwrap();
    // A client that signs is confidential, so it may log in at a server that rejects PKCE.
    let grant = grant.dangerous_without_pkce().unwrap();
    let login = grant.authorization_url("https://app.example.com/callback").unwrap();
    let query = format!("code=c&state={}", login.state());
    let code = grant.callback(login, &query).unwrap();
    grant.exchange(&server.transport(), code).await.unwrap();
    let requests = server.take();
    assert_eq!(requests[0].get("grant_type"), "authorization_code");
    assert_authenticated(&requests);
}

#[tokio::test(start_paused = true)]
async fn a_device_login_sends_an_assertion_with_each_request() {
    let authorization = json!({
        "device_code": "d",
        "user_code": "WDJB-MJHT",
        "verification_uri": "https://auth.example.com/device",
        "expires_in": 600,
        "interval": 1,
    });
    let server = Server::default().respond(200, authorization).respond(400, json!({"error": "authorization_pending"}));
    let url = "https://auth.example.com/device_authorization";
    obtain(DeviceCode::new(url, TOKEN_URL, client(), |_: &_| {}).unwrap(), &server).await;
    let requests = server.take();
    assert_eq!(requests.len(), 3, "the device authorization request and two polls");
    assert_authenticated(&requests);
}
