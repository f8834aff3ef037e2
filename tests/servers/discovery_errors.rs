//! Discovery that fails, and what the metadata says about an error of the server.

use serde_json::{Value, json};
use tower_oauth2::endpoint::Issuer;
use tower_oauth2::grant::ClientCredentials;
use tower_oauth2::{ErrorKind, OAuth2Layer, client::Client, transport::Transport};

use crate::plain::{self, failed_call};
use crate::{glewlwyd, oidc_provider};

/// The text is compared exactly, so that of another server or with another slash is not accepted.
#[tokio::test]
async fn another_issuer_than_the_servers_is_an_error_that_names_both() {
    let Some(server) = oidc_provider::server().await else { return };
    let own = server.get("ISSUER");
    for issuer in [format!("{own}/"), own.replace("127.0.0.1", "localhost")] {
        let client = Client::basic("cc-basic", "cc-basic-secret");
        let error = failed_call(ClientCredentials::from_issuer(&issuer, client).unwrap(), server.get("API")).await;
        assert_eq!(error.kind(), ErrorKind::Malformed);
        let text = error.to_string();
        assert!(text.contains(&format!("`{issuer}`")) && text.contains(&format!("`{own}`")), "{text}");
    }
    server.expect_stats(json!({}), json!({})).await;
}

/// The older plugin has no metadata: all three addresses are an empty 404.
#[tokio::test]
async fn a_server_without_metadata_is_an_error_that_names_each_address() {
    let Some(server) = glewlwyd::server().await else { return };
    let base = server.get("BASE");
    let client = Client::basic("cc", "cc-secret");
    let grant = ClientCredentials::from_issuer(format!("{base}/api/oauth2"), client).unwrap();
    let error = failed_call(grant, server.api("OAUTH2")).await;
    assert_eq!(error.kind(), ErrorKind::Malformed);
    for address in [
        "/.well-known/oauth-authorization-server/api/oauth2",
        "/.well-known/openid-configuration/api/oauth2",
        "/api/oauth2/.well-known/openid-configuration",
    ] {
        assert!(error.to_string().contains(&format!("{base}{address}")), "{error}");
    }
}

#[tokio::test]
async fn a_client_that_the_server_rejects_sees_which_methods_the_server_lists() {
    let Some(server) = oidc_provider::server().await else { return };
    let client = Client::basic("cc-basic", "wrong-secret");
    let grant = ClientCredentials::from_issuer(server.get("ISSUER"), client).unwrap();
    let error = failed_call(grant, server.get("API")).await;
    assert_eq!((error.kind(), error.oauth().unwrap().error()), (ErrorKind::ClientRejected, "invalid_client"));
    for method in ["client_secret_post", "private_key_jwt"] {
        assert!(error.to_string().contains(method), "{error}");
    }
    assert!(!format!("{error} {error:?}").contains("wrong-secret"));
}

/// The metadata lists no such grant, and is wrong.
#[tokio::test]
async fn lists_of_the_metadata_prevent_no_request() {
    let Some(server) = glewlwyd::server().await else { return };
    let issuer = &Issuer::new(server.of("OIDC", "ISSUER")).unwrap();
    let metadata = issuer.metadata(&Transport::new(plain::client())).await.unwrap();
    let grants = metadata.member("grant_types_supported").and_then(Value::as_array).unwrap();
    assert!(!grants.contains(&json!("client_credentials")), "{grants:?}");
    let grant = ClientCredentials::from_issuer(issuer, Client::basic("cc", "cc-secret")).unwrap();
    let layer = OAuth2Layer::new(grant.scope("api:read").unwrap()).token_service(plain::client());
    layer.tokens().get().await.unwrap();
}
