//! Client assertions whose audience is the discovered issuer, because the application sets none.

use http::StatusCode;
use tower_oauth2::endpoint::RevocationEndpoint;
use tower_oauth2::{ErrorKind, client::Client, grant::ClientCredentials};

use crate::discovery::{revoke, tokens};
use crate::plain::{failed_call, send_with_token};
use crate::signing::key;
use crate::{glewlwyd, oidc_provider};

#[tokio::test]
async fn oidc_provider_accepts_assertions_for_the_discovered_issuer() {
    let Some(server) = oidc_provider::server().await else { return };
    let key = || key(server.get("CLIENT_KEY_ES256"));
    for client in [
        Client::private_key_jwt("cc-jwt-es256", key()),
        Client::secret_jwt("cc-secret-jwt", "cc-secret-jwt-secret-of-at-least-32-bytes"),
    ] {
        let grant = ClientCredentials::from_issuer(server.get("ISSUER"), client.clone()).unwrap();
        let token = tokens(grant).get().await.unwrap();
        assert_eq!(send_with_token(server.get("API"), &token).await, StatusCode::OK);
        revoke(RevocationEndpoint::discover(server.get("ISSUER"), client).unwrap(), &token).await;
        assert_eq!(send_with_token(server.get("API"), &token).await, StatusCode::UNAUTHORIZED);
    }
    let other = Client::private_key_jwt("cc-jwt-es256", key()).audience("https://other.example.com");
    let grant = ClientCredentials::from_issuer(server.get("ISSUER"), other).unwrap();
    let error = failed_call(grant, server.get("API")).await;
    assert_eq!(error.kind(), ErrorKind::ClientRejected, "an audience of the application wins: {error}");
}

/// By default the audience of an assertion is the issuer. This server accepts its token endpoint only.
#[tokio::test]
async fn glewlwyd_needs_the_token_endpoint_as_audience() {
    let Some(server) = glewlwyd::server().await else { return };
    let client = Client::private_key_jwt("cc-jwt", key(server.get("CLIENT_KEY_RS256")));
    let grant = |client| ClientCredentials::from_issuer(server.of("OIDC", "ISSUER"), client).unwrap();
    let error = tokens(grant(client.clone()).scope("api:read").unwrap()).get().await.unwrap_err();
    assert_eq!(error.status(), Some(StatusCode::FORBIDDEN), "{error}");
    let client = client.audience(server.token_url("OIDC"));
    tokens(grant(client).scope("api:read").unwrap()).get().await.unwrap();
}
