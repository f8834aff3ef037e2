//! Clients that authenticate with a signed assertion.

use http::StatusCode;
use tower_oauth2::endpoint::RevocationEndpoint;
use tower_oauth2::jwt::{Algorithm, Key};
use tower_oauth2::{ErrorKind, OAuth2Layer, client::Client, grant::ClientCredentials, transport::Transport};

use crate::plain::{call, failed_call, send_with_token};
use crate::{glewlwyd, oidc_provider, plain};

pub(crate) fn key(path: &str) -> Key {
    Key::from_pem(std::fs::read(path).unwrap()).unwrap()
}

#[tokio::test]
async fn oidc_provider_accepts_each_algorithm() {
    let Some(server) = oidc_provider::server().await else { return };
    let [es256, rs256, ed25519] =
        ["ES256", "RS256", "ED25519"].map(|name| key(server.get(&format!("CLIENT_KEY_{name}"))));
    let ps256 = rs256.clone().algorithm(Algorithm::Ps256).unwrap();
    for (id, client) in [
        ("cc-jwt-es256", Client::private_key_jwt("cc-jwt-es256", es256)),
        ("cc-jwt-rs256", Client::private_key_jwt("cc-jwt-rs256", rs256)),
        ("cc-jwt-ps256", Client::private_key_jwt("cc-jwt-ps256", ps256)),
        ("cc-jwt-ed25519", Client::private_key_jwt("cc-jwt-ed25519", ed25519)),
        ("cc-secret-jwt", Client::secret_jwt("cc-secret-jwt", "cc-secret-jwt-secret-of-at-least-32-bytes")),
    ] {
        for audience in ["ISSUER", "TOKEN"] {
            let client = client.clone().audience(server.get(audience));
            let grant = ClientCredentials::new(server.get("TOKEN"), client).unwrap().scope("api:read").unwrap();
            let (status, echo) = call(grant, server.get("API")).await;
            assert_eq!((status, &echo["client_id"]), (StatusCode::OK, &id.into()), "{id} {audience}: {echo}");
        }
    }
}

#[tokio::test]
async fn oidc_provider_rejects_another_key_secret_or_audience() {
    let Some(server) = oidc_provider::server().await else { return };
    let issuer = server.get("ISSUER");
    let own = key(server.get("CLIENT_KEY_ES256"));
    for client in [
        Client::private_key_jwt("cc-jwt-es256", Key::generate().unwrap()).audience(issuer),
        Client::private_key_jwt("cc-jwt-es256", own).audience("https://other.example.com"),
        Client::secret_jwt("cc-secret-jwt", "another-secret-of-at-least-32-bytes").audience(issuer),
    ] {
        let error = failed_call(ClientCredentials::new(server.get("TOKEN"), client).unwrap(), server.get("API")).await;
        assert_eq!((error.kind(), error.oauth().unwrap().error()), (ErrorKind::ClientRejected, "invalid_client"));
        assert!(!error.is_transient());
    }
}

/// The assertion at the revocation endpoint has the same audience as at the token endpoint.
#[tokio::test]
async fn oidc_provider_accepts_an_assertion_for_a_revocation() {
    let Some(server) = oidc_provider::server().await else { return };
    for client in [
        Client::private_key_jwt("cc-jwt-es256", key(server.get("CLIENT_KEY_ES256"))),
        Client::secret_jwt("cc-secret-jwt", "cc-secret-jwt-secret-of-at-least-32-bytes"),
    ] {
        let client = client.audience(server.get("ISSUER"));
        let grant = ClientCredentials::new(server.get("TOKEN"), client.clone()).unwrap();
        let token = OAuth2Layer::new(grant).token_service(plain::client()).tokens().get().await.unwrap();
        assert_eq!(send_with_token(server.get("API"), &token).await, StatusCode::OK);
        let revocation = RevocationEndpoint::new(server.get("REVOCATION"), client).unwrap();
        revocation.revoke(&Transport::new(plain::client()), &token).await.unwrap();
        assert_eq!(send_with_token(server.get("API"), &token).await, StatusCode::UNAUTHORIZED);
    }
}

/// This server accepts the token endpoint as the audience, and not its issuer.
#[tokio::test]
async fn glewlwyd_accepts_a_key_and_a_secret_with_the_token_endpoint_as_audience() {
    let Some(server) = glewlwyd::server().await else { return };
    for client in [
        Client::private_key_jwt("cc-jwt", key(server.get("CLIENT_KEY_RS256"))),
        Client::secret_jwt("cc-secret-jwt", "cc-secret-jwt-secret-of-32-bytes-or-more"),
    ] {
        let token = glewlwyd::tokens(&server, "OIDC", client.clone().audience(server.token_url("OIDC"))).get().await;
        assert_eq!(token.unwrap().scope(), Some("api:read"));
        let issuer = server.of("OIDC", "ISSUER");
        let error = glewlwyd::tokens(&server, "OIDC", client.audience(issuer)).get().await.unwrap_err();
        assert_eq!(error.status(), Some(StatusCode::FORBIDDEN), "{error}");
    }
}
