//! Glewlwyd, an independent implementation of the same RFCs. Its errors are 403 or 400 without a body, it does not decode
//! Basic credentials, and its protected resource rejects tokens of client credentials, so the tests use introspection.

use std::sync::OnceLock;
use std::time::Duration;

use http::StatusCode;
use tokio::sync::{Mutex, MutexGuard};
use tower_oauth2::{ErrorKind, OAuth2Layer, Token, Tokens, client::Client, grant::ClientCredentials};

use crate::harness::Server;
use crate::or_skip::or_skip;
use crate::plain::{self, Credentials, failed_call, post_token};

const SPECIAL: &str = "a b+c:d%e&f=g/h";

#[tokio::test]
async fn basic_and_post_authenticate() {
    let Some(server) = server().await else { return };
    for (instance, client, credentials) in [
        ("OAUTH2", Client::basic("cc", "cc-secret"), Credentials::Basic("cc", "cc-secret")),
        ("OIDC", Client::basic("cc", "cc-secret"), Credentials::Basic("cc", "cc-secret")),
        ("OIDC", Client::post("cc", "cc-secret"), Credentials::Post("cc", "cc-secret")),
        ("OIDC", Client::post("cc-post", "cc-post-secret"), Credentials::Post("cc-post", "cc-post-secret")),
        // The server does not decode what the client has to encode by RFC 6749 §2.3.1.
        ("OAUTH2", Client::basic_raw("cc-special", SPECIAL), Credentials::Basic("cc-special", SPECIAL)),
    ] {
        let case = format!("{instance} {client:?}");
        let token = tokens(&server, instance, client).get().await.unwrap();
        assert_eq!(token.token_type(), "bearer", "not in lower case, {case}");
        assert_eq!(token.scope(), Some("api:read"), "{case}");
        assert!(is_active(&server, instance, credentials, &token).await, "{case}");
    }
}

#[tokio::test]
async fn an_expired_token_is_refreshed() {
    let Some(server) = server().await else { return };
    let cc = Credentials::Basic("cc", "cc-secret");
    let tokens = tokens(&server, "OIDC_SHORT", Client::basic("cc", "cc-secret"));
    let first = tokens.get().await.unwrap();
    assert!(is_active(&server, "OIDC_SHORT", cc, &first).await);

    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert!(!is_active(&server, "OIDC_SHORT", cc, &first).await, "it has not expired");

    let second = tokens.get().await.unwrap();
    assert_ne!(second.access_token(), first.access_token());
    assert!(is_active(&server, "OIDC_SHORT", cc, &second).await);
}

#[tokio::test]
async fn an_empty_403_is_still_a_useful_error() {
    let Some(server) = server().await else { return };
    for client in [
        Client::basic("cc", "wrong-secret"),
        Client::post("cc", "wrong-secret"),
        // The right secret, but encoded.
        Client::basic("cc-special", SPECIAL),
    ] {
        let error = failed_call(grant(&server, "OIDC", client), server.api("OIDC")).await;
        assert_eq!(error.status(), Some(StatusCode::FORBIDDEN));
        assert_eq!(error.kind(), ErrorKind::NotOAuth);
        assert!(error.oauth().is_none());
        assert!(!error.is_transient());
        assert!(error.to_string().contains("403"), "{error}");
        assert!(!format!("{error} {error:?}").contains("wrong-secret"));
    }
}

// ===== the server =====

/// One test at a time: the database is SQLite, and the server responds with a 500 to one of two simultaneous writes.
pub(crate) struct ExclusiveServer {
    server: &'static Server,
    _lock: MutexGuard<'static, ()>,
}

pub(crate) async fn server() -> Option<ExclusiveServer> {
    static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
    static TURN: Mutex<()> = Mutex::const_new(());
    let turn = TURN.lock().await;
    let server = or_skip("glewlwyd", SERVER.get_or_init(|| Server::start("glewlwyd")))?;
    Some(ExclusiveServer { server, _lock: turn })
}

impl ExclusiveServer {
    pub(crate) fn get(&self, name: &str) -> &str {
        self.server.get(name)
    }

    /// A URL of one of the instances.
    pub(crate) fn of(&self, instance: &str, name: &str) -> &str {
        self.get(&format!("{instance}_{name}"))
    }

    pub(crate) fn token_url(&self, instance: &str) -> &str {
        self.of(instance, "TOKEN")
    }

    pub(crate) fn api(&self, instance: &str) -> &str {
        self.of(instance, "API")
    }
}

fn grant(server: &ExclusiveServer, instance: &str, client: Client) -> ClientCredentials {
    // Without a scope the response is an empty 403.
    ClientCredentials::new(server.token_url(instance), client).unwrap().scope("api:read").unwrap()
}

/// A handle of a layer without a service; token requests use the `token_service`.
pub(crate) fn tokens(server: &ExclusiveServer, instance: &str, client: Client) -> Tokens {
    OAuth2Layer::new(grant(server, instance, client)).token_service(plain::client()).tokens()
}

/// Introspects a token. The client must authenticate as it did for the token.
async fn is_active(server: &ExclusiveServer, instance: &str, credentials: Credentials<'_>, token: &Token) -> bool {
    let (status, body) = post_token(server.of(instance, "INTROSPECTION"), credentials, token).await;
    assert_eq!(status, StatusCode::OK);
    body["active"].as_bool().unwrap()
}
