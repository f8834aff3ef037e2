//! Details of the access that a token gives (RFC 9396): requested, granted with what the server adds, and kept by a refresh.

use http::StatusCode;
use serde_json::{Value, json};
use tower::Layer;
use tower_oauth2::grant::{AuthorizationCode, ClientCredentials, DeviceCode, Grant};
use tower_oauth2::{ErrorKind, OAuth2Layer, client::Client};

use crate::authorization_code::{at_glewlwyd, at_oidc_provider};
use crate::plain::{self, failed_call, get, send};
use crate::user::User;
use crate::{glewlwyd, oidc_provider};

/// oidc-provider requires a resource with details.
const RESOURCE: &str = "urn:example:opaque-api";

fn payment() -> Value {
    let amount = json!({"currency": "EUR", "amount": "123.50"});
    json!({"type": "payment_initiation", "locations": ["https://api.example.com/payments"], "instructedAmount": amount})
}

/// Asserts what the server has granted to a user, who has added an account to the payment (§7.1).
fn expect_granted(granted: &Value) {
    assert_eq!(granted[0]["debtorAccount"]["iban"], "DE40100100103307118608", "{granted}");
    assert_eq!(granted[0]["instructedAmount"], payment()["instructedAmount"]);
    assert_eq!(granted[1], json!({"type": "account_information"}));
}

#[tokio::test]
async fn a_user_grants_details_in_a_plain_and_a_pushed_request() {
    let Some(server) = oidc_provider::server().await else { return };
    let grant = login(&server, Client::public("native"), json!([payment(), {"type": "account_information"}]));
    expect_granted(&use_and_refresh(grant.clone(), server.get("API")).await);
    expect_granted(&use_and_refresh(grant.pushed(server.get("PAR")).unwrap(), server.get("API")).await);
}

#[cfg(feature = "jwt")]
#[tokio::test]
async fn a_user_grants_details_in_a_signed_request() {
    let Some(server) = oidc_provider::server().await else { return };
    let key = crate::signing::key(server.get("CLIENT_KEY_ES256"));
    let details = json!([payment(), {"type": "account_information"}]);
    let client = Client::private_key_jwt("jwt-jar", key.clone()).audience(server.get("ISSUER"));
    let grant = login(&server, client, details.clone()).issuer(server.get("ISSUER")).request_object(key.clone());
    expect_granted(&use_and_refresh(grant, server.get("API")).await);
    let client = Client::private_key_jwt("jwt-jar-par", key.clone()).audience(server.get("ISSUER"));
    let grant = login(&server, client, details).issuer(server.get("ISSUER")).request_object(key);
    expect_granted(&use_and_refresh(grant.pushed(server.get("PAR")).unwrap(), server.get("API")).await);
}

#[tokio::test]
async fn a_user_grants_details_on_another_device() {
    let Some(server) = oidc_provider::server().await else { return };
    let alice = User::at_oidc_provider();
    let (device_url, token_url) = (server.get("DEVICE_AUTHORIZATION"), server.get("TOKEN"));
    let grant = DeviceCode::new(device_url, token_url, Client::public("device"), move |prompt| {
        alice.open(prompt.verification_uri_complete().unwrap());
    });
    let grant = grant.unwrap().scope("openid offline_access").unwrap().param("prompt", "consent");
    let grant = grant.authorization_details(json!([payment(), {"type": "account_information"}])).unwrap();
    expect_granted(&use_and_refresh(grant.resource(RESOURCE).unwrap(), server.get("API")).await);
}

#[tokio::test]
async fn a_client_gets_details_without_a_user() {
    let Some(server) = oidc_provider::server().await else { return };
    let grant = ClientCredentials::new(server.get("TOKEN"), Client::basic("cc-basic", "cc-basic-secret")).unwrap();
    let details = json!([payment()]);
    let grant = grant.authorization_details(details.clone()).unwrap().resource(RESOURCE).unwrap();
    assert_eq!(use_and_refresh(grant, server.get("API")).await, details);
}

#[tokio::test]
async fn the_server_rejects_details_and_the_error_does_not_repeat_them() {
    let Some(server) = oidc_provider::server().await else { return };
    // A payment needs an amount.
    let details = json!([{"type": "payment_initiation", "creditorName": "hunter2"}]);
    let grant = login(&server, Client::public("native"), details);
    for (grant, status) in
        [(grant.clone(), None), (grant.pushed(server.get("PAR")).unwrap(), Some(StatusCode::BAD_REQUEST))]
    {
        let error = failed_call(grant, server.get("API")).await;
        let expected = (ErrorKind::RequestRejected, "invalid_authorization_details");
        assert_eq!((error.kind(), error.oauth().unwrap().error()), expected);
        assert_eq!(error.status(), status);
        assert!(!error.is_transient());
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}

/// The redirect of this server has further parameters after a consent to details.
#[tokio::test]
async fn glewlwyd_grants_details() {
    let Some(server) = glewlwyd::server().await else { return };
    let details = json!([{
        "type": "payment_initiation",
        "locations": ["https://api.example.com/payments"],
        "actions": ["initiate"],
    }]);
    let grant =
        at_glewlwyd(&server, "OIDC_PUSHED", Client::public("native")).issuer(server.of("OIDC_PUSHED", "ISSUER"));
    let grant = grant.pushed(server.of("OIDC_PUSHED", "PAR")).unwrap().authorization_details(details.clone()).unwrap();
    let tokens = OAuth2Layer::new(grant).token_service(plain::client()).tokens();
    for token in [tokens.get().await, tokens.refresh().await] {
        assert_eq!(token.unwrap().extra("authorization_details"), Some(&details));
    }
}

fn login(server: &oidc_provider::ExclusiveServer, client: Client, details: Value) -> AuthorizationCode {
    at_oidc_provider(server, client).authorization_details(details).unwrap().resource(RESOURCE).unwrap()
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
