//! Endpoints that are discovered: at oidc-provider from the address of RFC 8414, at Glewlwyd from that of OpenID Connect.

use http::StatusCode;
use serde_json::json;
use tower::Layer;
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::{Issuer, RevocationEndpoint};
use tower_oauth2::grant::{ClientCredentials, DeviceCode, Grant, Password, RefreshToken, TokenExchange, token_type};
use tower_oauth2::{OAuth2Layer, Token, Tokens, transport::Transport};

use crate::plain::{self, call, get, send, send_with_token};
use crate::user::User;
use crate::{glewlwyd, oidc_provider};

/// The first address of an issuer without a path.
pub(crate) const DOCUMENT: &str = "GET /.well-known/oauth-authorization-server";

#[tokio::test]
async fn one_document_serves_all_grants_of_an_issuer() {
    let Some(server) = oidc_provider::server().await else { return };
    let issuer = &Issuer::new(server.get("ISSUER")).unwrap();
    let api = server.get("API");

    let client = Client::basic("cc-basic", "cc-basic-secret");
    let credentials = ClientCredentials::from_issuer(issuer, client).unwrap().scope("api:read").unwrap();
    let subject = OAuth2Layer::new(credentials.clone()).token_service(plain::client()).tokens();
    let client = Client::basic("exchange", "exchange-secret");
    let exchange = TokenExchange::from_issuer(issuer, client, token_type::ACCESS_TOKEN, subject).unwrap();
    let client = Client::basic("password", "password-secret");
    let password = Password::from_issuer(issuer, client.clone(), "alice", "alice-password").unwrap();
    let login = tokens(password.clone()).get().await.unwrap();
    let refresh = RefreshToken::from_issuer(issuer, client.clone(), login.refresh_token().unwrap()).unwrap();

    for (status, echo) in
        [call(credentials, api).await, call(exchange, api).await, call(password, api).await, call(refresh, api).await]
    {
        assert_eq!(status, StatusCode::OK, "{echo}");
    }

    let token = tokens(RefreshToken::from_issuer(issuer, client.clone(), new_login(&server).await).unwrap());
    let token = token.get().await.unwrap();
    assert_eq!(send_with_token(api, &token).await, StatusCode::OK);
    revoke(RevocationEndpoint::discover(issuer, client).unwrap(), &token).await;
    assert_eq!(send_with_token(api, &token).await, StatusCode::UNAUTHORIZED);

    // The refresh token and the access token.
    let revocations = 2;
    let counts = server.counts().await;
    assert_eq!(counts["other"], json!({DOCUMENT: 1, "POST /token/revocation": revocations}), "{counts}");
}

/// Requests a login without the issuer, and returns its refresh token.
async fn new_login(server: &oidc_provider::ExclusiveServer) -> String {
    let client = Client::basic("password", "password-secret");
    let login = Password::new(server.get("TOKEN"), client, "alice", "alice-password").unwrap();
    tokens(login).get().await.unwrap().refresh_token().unwrap().to_owned()
}

#[tokio::test]
async fn each_text_has_a_document_of_its_own() {
    let Some(server) = oidc_provider::server().await else { return };
    for _ in 0..2 {
        let client = Client::post("cc-post", "cc-post-secret");
        let grant = ClientCredentials::from_issuer(server.get("ISSUER"), client).unwrap();
        let tokens = tokens(grant);
        tokens.get().await.unwrap();
        // Later token requests use what was discovered with the first.
        tokens.refresh().await.unwrap();
    }
    let counts = server.counts().await;
    assert_eq!((&counts["other"], &counts["token_total"]), (&json!({DOCUMENT: 2}), &json!(4)), "{counts}");
}

#[tokio::test]
async fn oidc_provider_logs_a_device_in() {
    let Some(server) = oidc_provider::server().await else { return };
    let alice = User::at_oidc_provider();
    let open = move |prompt: &_| open_complete_url(&alice, prompt);
    let grant = DeviceCode::from_issuer(server.get("ISSUER"), Client::public("device"), open).unwrap();
    let grant = grant.scope("openid offline_access api:read").unwrap().param("prompt", "consent");
    let service = OAuth2Layer::new(grant).layer(plain::client());
    let (status, echo) = send(service.clone(), get(server.get("API"))).await.unwrap();
    assert_eq!((status, &echo["sub"]), (StatusCode::OK, &json!("alice")), "{echo}");
    service.tokens().refresh().await.unwrap();
    let counts = server.counts().await;
    let other = &counts["other"];
    assert_eq!((&other[DOCUMENT], &other["POST /device/auth"]), (&json!(1), &json!(1)), "{counts}");
}

// ===== Glewlwyd =====

/// This issuer has a path, and only the last of the three addresses has a document.
#[tokio::test]
async fn glewlwyd_is_discovered_at_an_appended_address() {
    let Some(server) = glewlwyd::server().await else { return };
    let issuer = &Issuer::new(server.of("OIDC", "ISSUER")).unwrap();
    let metadata = issuer.metadata(&Transport::new(plain::client())).await.unwrap();
    assert_eq!(metadata.issuer(), server.of("OIDC", "ISSUER"));
    assert_eq!(metadata.authorization_endpoint().unwrap().as_str(), server.of("OIDC", "AUTHORIZE"));

    let client = Client::basic("password", "password-secret");
    let password = Password::from_issuer(issuer, client.clone(), "alice", "alice-password").unwrap();
    let service = OAuth2Layer::new(password.scope("api:read").unwrap()).layer(plain::client());
    assert_eq!(send(service.clone(), get(server.api("OIDC"))).await.unwrap().0, StatusCode::OK);
    let first = service.tokens().peek().unwrap();
    let refresh = RefreshToken::from_issuer(issuer, client.clone(), first.refresh_token().unwrap()).unwrap();
    let second = tokens(refresh).get().await.unwrap();
    assert_eq!(send_with_token(server.api("OIDC"), &second).await, StatusCode::OK);
    revoke(RevocationEndpoint::discover(issuer, client).unwrap(), &second).await;
    assert_eq!(send_with_token(server.api("OIDC"), &second).await, StatusCode::UNAUTHORIZED);

    let alice = User::at_glewlwyd();
    let open = move |prompt: &_| open_complete_url(&alice, prompt);
    let device = DeviceCode::from_issuer(issuer, Client::public("device"), open).unwrap().scope("api:read").unwrap();
    assert_eq!(call(device, server.api("OIDC")).await.0, StatusCode::OK);
}

fn open_complete_url(user: &User, prompt: &tower_oauth2::grant::DevicePrompt) {
    user.open(prompt.verification_uri_complete().expect("both servers have it"));
}

pub(crate) fn tokens(grant: impl Grant) -> Tokens {
    OAuth2Layer::new(grant).token_service(plain::client()).tokens()
}

pub(crate) async fn revoke(endpoint: RevocationEndpoint, token: &Token) {
    endpoint.revoke(&Transport::new(plain::client()), token).await.unwrap();
}
