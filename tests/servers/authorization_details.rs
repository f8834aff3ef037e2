//! Details of the access that a token gives (RFC 9396): requested, granted with what the user adds, and kept by a refresh.

use http::StatusCode;
use serde_json::{Value, json};
use tower::Layer;
use tower_oauth2::grant::{AuthorizationCode, ClientCredentials, Grant};
use tower_oauth2::{ErrorKind, OAuth2Layer, client::Client};

use crate::authorization_code::at_oidc_provider;
use crate::oidc_provider;
use crate::plain::{self, failed_call, get, send};

/// oidc-provider requires a resource with details.
const RESOURCE: &str = "urn:example:opaque-api";

fn payment() -> Value {
    let amount = json!({"currency": "EUR", "amount": "123.50"});
    json!({"type": "payment_initiation", "locations": ["https://api.example.com/payments"], "instructedAmount": amount})
}

#[tokio::test]
async fn a_user_grants_details_and_a_refresh_keeps_them() {
    let Some(server) = oidc_provider::server().await else { return };
    let details = json!([payment(), {"type": "account_information"}]);
    let granted = use_and_refresh(login(&server, &details), server.get("API")).await;
    // The user's account is added at the consent (§7.1).
    assert_eq!(granted[0]["debtorAccount"]["iban"], "DE40100100103307118608", "{granted}");
    assert_eq!((&granted[0]["instructedAmount"], &granted[1]), (&payment()["instructedAmount"], &details[1]));
}

#[tokio::test]
async fn a_client_gets_details_without_a_user() {
    let Some(server) = oidc_provider::server().await else { return };
    let grant = ClientCredentials::new(server.get("TOKEN"), Client::basic("cc-basic", "cc-basic-secret")).unwrap();
    let details = json!([payment()]);
    let grant = grant.param("authorization_details", details.to_string()).resource(RESOURCE).unwrap();
    assert_eq!(use_and_refresh(grant, server.get("API")).await, details);
}

#[tokio::test]
async fn the_server_rejects_details_and_the_error_does_not_repeat_them() {
    let Some(server) = oidc_provider::server().await else { return };
    // A payment needs an amount.
    let details = json!([{"type": "payment_initiation", "creditorName": "hunter2"}]);
    let error = failed_call(login(&server, &details), server.get("API")).await;
    assert_eq!(
        (error.kind(), error.oauth().unwrap().error()),
        (ErrorKind::RequestRejected, "invalid_authorization_details")
    );
    assert!(!error.is_transient());
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
}

fn login(server: &oidc_provider::ExclusiveServer, details: &Value) -> AuthorizationCode {
    let grant = at_oidc_provider(server, Client::public("native"));
    grant.param("authorization_details", details.to_string()).resource(RESOURCE).unwrap()
}

/// Calls the API with the first token and with a refreshed one. Returns the details of the tokens, which are the same everywhere.
async fn use_and_refresh(grant: impl Grant, api: &str) -> Value {
    let service = OAuth2Layer::new(grant).layer(plain::client());
    let mut granted = Vec::new();
    for _ in 0..2 {
        let (status, echo) = send(service.clone(), get(api)).await.unwrap();
        assert_eq!(status, StatusCode::OK, "{echo}");
        let token = service.tokens().peek().unwrap();
        assert_eq!(token.extra("authorization_details"), Some(&echo["authorization_details"]));
        granted.push(echo["authorization_details"].clone());
        service.tokens().refresh().await.unwrap();
    }
    assert_eq!(granted[0], granted[1]);
    granted.remove(0)
}
