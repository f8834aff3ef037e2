//! Logins at a discovered issuer: the endpoints, the push that the server requires, and the `iss` of the response (RFC 9207).

use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use tower_oauth2::endpoint::{Issuer, TokenEndpoint};
use tower_oauth2::grant::AuthorizationCode;
use tower_oauth2::{ErrorKind, client::Client};

use crate::authorization_code::{LOGIN_TIMEOUT, on_registered_ports};
use crate::discovery::DOCUMENT;
use crate::plain::{call, failed_call};
use crate::pushed::{names, recording, recording_at};
use crate::user::User;
use crate::{glewlwyd, oidc_provider};

fn with_consent(grant: AuthorizationCode) -> AuthorizationCode {
    grant.scope("openid offline_access api:read").unwrap().param("prompt", "consent").timeout(LOGIN_TIMEOUT)
}

#[tokio::test]
async fn oidc_provider_logs_a_user_in() {
    let Some(server) = oidc_provider::server().await else { return };
    let issuer = Issuer::new(server.get("ISSUER")).unwrap();
    for (client, is_pushed) in [
        (Client::public("native"), false),
        // The metadata says that pushed requests are supported, but not that this client must push.
        (Client::public("native-par"), true),
    ] {
        let mut grant = with_consent(AuthorizationCode::from_issuer(&issuer, client).unwrap());
        if is_pushed {
            grant = grant.pushed_if_supported();
        }
        let (grant, urls) = recording(grant);
        let (status, echo) = call(grant, server.get("API")).await;
        assert_eq!((status, &echo["sub"]), (StatusCode::OK, &json!("alice")), "{echo}");
        let url = &urls.lock().unwrap()[0];
        assert!(url.as_str().starts_with(server.get("AUTHORIZE")), "{url}");
        assert_eq!(names(url) == ["client_id", "request_uri"], is_pushed, "{url}");
    }
    let counts = server.counts().await;
    assert_eq!((&counts["other"][DOCUMENT], &counts["other"]["POST /request"]), (&json!(1), &json!(1)), "{counts}");
}

/// The audience of the client's assertions and of the request object is the discovered issuer.
#[cfg(feature = "jwt")]
#[tokio::test]
async fn oidc_provider_accepts_what_is_signed_for_the_discovered_issuer() {
    let Some(server) = oidc_provider::server().await else { return };
    let key = crate::signing::key(server.get("CLIENT_KEY_ES256"));
    let client = Client::private_key_jwt("jwt-jar-par", key.clone());
    let grant = with_consent(AuthorizationCode::from_issuer(server.get("ISSUER"), client).unwrap());
    let (grant, urls) = recording(grant.request_object(key).pushed_if_supported());
    let (status, echo) = call(grant, server.get("API")).await;
    assert_eq!((status, &echo["client_id"]), (StatusCode::OK, &json!("jwt-jar-par")), "{echo}");
    assert_eq!(names(&urls.lock().unwrap()[0]), ["client_id", "request_uri"]);
}

/// The metadata of one instance requires the push, so it needs no option.
#[tokio::test]
async fn glewlwyd_logs_a_user_in() {
    let Some(server) = glewlwyd::server().await else { return };
    for (instance, is_pushed) in [("OIDC", false), ("OIDC_PUSHED", true)] {
        for client in [Client::public("native"), Client::basic("confidential", "confidential-secret")] {
            let grant = AuthorizationCode::from_issuer(server.of(instance, "ISSUER"), client).unwrap();
            let grant = on_registered_ports(&server, grant.scope("api:read").unwrap().timeout(LOGIN_TIMEOUT));
            let (grant, urls) = recording_at(grant, User::at_glewlwyd());
            let (status, user) = call(grant, server.api(instance)).await;
            assert_eq!(status, StatusCode::OK, "{instance}: {user}");
            assert_eq!(names(&urls.lock().unwrap()[0]) == ["client_id", "request_uri"], is_pushed, "{instance}");
        }
    }
}

/// A mix-up: the user logs in at Glewlwyd, and the program would send the code to oidc-provider (RFC 9207 §1).
#[tokio::test]
async fn a_response_of_another_server_is_not_used() {
    let (Some(server), Some(other)) = (oidc_provider::server().await, glewlwyd::server().await) else { return };
    let endpoint = TokenEndpoint::discover(server.get("ISSUER"), Client::public("native")).unwrap();
    let grant = AuthorizationCode::from_endpoint(other.of("OIDC", "AUTHORIZE"), endpoint).unwrap();
    let grant = on_registered_ports(&other, grant.scope("api:read").unwrap().timeout(Duration::from_secs(8)));
    let (grant, urls) = recording_at(grant, User::at_glewlwyd());
    let error = failed_call(grant, server.get("API")).await;
    assert_eq!(urls.lock().unwrap().len(), 1);
    assert_eq!(error.kind(), ErrorKind::LoginExpired, "{error}");
    assert!(error.to_string().contains(other.of("OIDC", "ISSUER")), "it names the `iss`: {error}");
    server.expect_stats(json!({}), json!({})).await;
    let counts = server.counts().await;
    assert_eq!(counts["token_total"], 0, "no code was sent: {counts}");
}
