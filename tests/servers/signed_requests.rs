//! Authorization requests that are signed (RFC 9101), alone and pushed, at a server that requires it.

use http::StatusCode;
use serde_json::json;
use tower_oauth2::grant::AuthorizationCode;
use tower_oauth2::jwt::{Claims, Key};
use tower_oauth2::{ErrorKind, client::Client};

use crate::authorization_code::at_oidc_provider;
use crate::oidc_provider::{ExclusiveServer, server};
use crate::plain::{call, failed_call};
use crate::pushed::{names, recording};
use crate::signing::key;

fn own_key(server: &ExclusiveServer) -> Key {
    key(server.get("CLIENT_KEY_ES256"))
}

fn signing_client(server: &ExclusiveServer, id: &str) -> Client {
    Client::private_key_jwt(id, own_key(server)).audience(server.get("ISSUER"))
}

/// With a number and JSON among the parameters, which the server accepts in their types only.
fn grant(server: &ExclusiveServer, client: Client) -> AuthorizationCode {
    at_oidc_provider(server, client)
        .issuer(server.get("ISSUER"))
        .param("max_age", "600")
        .param("claims", json!({"id_token": {"sub": null}}).to_string())
}

#[tokio::test]
async fn the_server_requires_a_signature() {
    let Some(server) = server().await else { return };
    for client in [Client::public("native-jar"), signing_client(&server, "jwt-jar")] {
        let error = failed_call(grant(&server, client.clone()), server.get("API")).await;
        assert_eq!((error.kind(), error.oauth().unwrap().error()), (ErrorKind::RequestRejected, "invalid_request"));

        let (grant, urls) = recording(grant(&server, client).request_object(own_key(&server)));
        let (status, echo) = call(grant, server.get("API")).await;
        assert_eq!((status, &echo["sub"]), (StatusCode::OK, &json!("alice")), "{echo}");
        assert_eq!(echo["scope"], "openid offline_access api:read");
        assert_eq!(names(&urls.lock().unwrap()[0]), ["client_id", "request"]);
    }
}

/// As in FAPI 2 with message signing.
#[tokio::test]
async fn the_server_requires_a_signature_and_a_push() {
    let Some(server) = server().await else { return };
    let grant = grant(&server, signing_client(&server, "jwt-jar-par"));
    let unsigned = grant.clone().pushed(server.get("PAR")).unwrap();
    let error = failed_call(unsigned.browser(|url| panic!("opened {url}")), server.get("API")).await;
    assert_eq!((error.kind(), error.oauth().unwrap().error()), (ErrorKind::RequestRejected, "invalid_request"));

    let signed = grant.request_object(own_key(&server)).pushed(server.get("PAR")).unwrap();
    let (signed, urls) = recording(signed);
    let (status, echo) = call(signed, server.get("API")).await;
    assert_eq!((status, &echo["client_id"]), (StatusCode::OK, &json!("jwt-jar-par")), "{echo}");
    assert_eq!(names(&urls.lock().unwrap()[0]), ["client_id", "request_uri"]);
    let counts = server.counts().await;
    assert_eq!(counts["other"]["POST /request"], 2, "{counts}");
}

/// Pushed, so that the program receives the error, and not only the browser.
#[tokio::test]
async fn the_server_rejects_another_key_or_audience() {
    let Some(server) = server().await else { return };
    for claims in [
        Claims::signed_by(Key::generate().unwrap()),
        Claims::signed_by(own_key(&server)).audience("https://other.example.com"),
    ] {
        let grant = grant(&server, signing_client(&server, "jwt-jar-par")).request_object(claims);
        let grant = grant.pushed(server.get("PAR")).unwrap().browser(|url| panic!("opened {url}"));
        let error = failed_call(grant, server.get("API")).await;
        let expected = (ErrorKind::RequestRejected, "invalid_request_object");
        assert_eq!((error.kind(), error.oauth().unwrap().error()), expected);
        assert!(!error.is_transient());
    }
}
