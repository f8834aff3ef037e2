//! Glewlwyd: the same RFCs read by another mind. Its refusals are 403 or 400 with nothing in the body, its Basic is raw, and
//! its protected resource takes no tokens of client credentials, so introspection tells whether a token is good.

use std::sync::OnceLock;
use std::time::Duration;

use http::StatusCode;
use tokio::sync::{Mutex, MutexGuard};
use tower_oauth2::{ErrorKind, OAuth2Layer, Token, Tokens, client::Client, grant::ClientCredentials};

use crate::harness::{Server, or_skip};
use crate::plain::{self, As, post_token, refusal};

const SPECIAL: &str = "a b+c:d%e&f=g/h";

#[tokio::test]
async fn basic_and_post_authenticate() {
    let Some(server) = server().await else { return };
    for (instance, client, who) in [
        ("OAUTH2", Client::basic("cc", "cc-secret"), As::Basic("cc", "cc-secret")),
        ("OIDC", Client::basic("cc", "cc-secret"), As::Basic("cc", "cc-secret")),
        ("OIDC", Client::post("cc", "cc-secret"), As::Post("cc", "cc-secret")),
        ("OIDC", Client::post("cc-post", "cc-post-secret"), As::Post("cc-post", "cc-post-secret")),
        // The server does not decode what RFC 6749 §2.3.1 tells the client to encode.
        ("OAUTH2", Client::basic_raw("cc-special", SPECIAL), As::Basic("cc-special", SPECIAL)),
    ] {
        let case = format!("{instance} {client:?}");
        let token = tokens(&server, instance, client).get().await.unwrap();
        assert_eq!(token.token_type(), "bearer", "in lower case, {case}");
        assert_eq!(token.scope(), Some("api:read"), "{case}");
        assert!(is_active(&server, instance, who, &token).await, "{case}");
    }
}

#[tokio::test]
async fn an_expired_token_is_renewed() {
    let Some(server) = server().await else { return };
    let cc = As::Basic("cc", "cc-secret");
    let tokens = tokens(&server, "OIDC_SHORT", Client::basic("cc", "cc-secret"));
    let first = tokens.get().await.unwrap();
    assert!(is_active(&server, "OIDC_SHORT", cc, &first).await);

    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert!(!is_active(&server, "OIDC_SHORT", cc, &first).await, "it has really expired");

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
        // Right, but encoded.
        Client::basic("cc-special", SPECIAL),
    ] {
        let error = refusal(grant(&server, "OIDC", client), server.api("OIDC")).await;
        assert_eq!(error.status(), Some(StatusCode::FORBIDDEN));
        assert_eq!(error.kind(), ErrorKind::RequestRejected);
        assert!(error.oauth().is_none());
        assert!(!error.is_transient());
        assert!(error.to_string().contains("403"), "{error}");
        assert!(!format!("{error} {error:?}").contains("wrong-secret"));
    }
}

// ===== the server =====

/// One test at a time: the database is SQLite, and of two requests that write at once the server answers one with a 500.
pub(crate) struct Turn {
    server: &'static Server,
    _turn: MutexGuard<'static, ()>,
}

pub(crate) async fn server() -> Option<Turn> {
    static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
    static TURN: Mutex<()> = Mutex::const_new(());
    let turn = TURN.lock().await;
    let server = or_skip("glewlwyd", SERVER.get_or_init(|| Server::start("glewlwyd")))?;
    Some(Turn { server, _turn: turn })
}

impl Turn {
    pub(crate) fn get(&self, name: &str) -> &str {
        self.server.get(name)
    }

    /// An address of one of the instances.
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

fn grant(server: &Turn, instance: &str, client: Client) -> ClientCredentials {
    // Without a scope the answer is 403, and empty.
    ClientCredentials::new(server.token_url(instance), client).unwrap().scope("api:read").unwrap()
}

/// A layer's handle, and no service: token calls have a way of their own.
fn tokens(server: &Turn, instance: &str, client: Client) -> Tokens {
    OAuth2Layer::new(grant(server, instance, client)).token_service(plain::client()).tokens()
}

/// What introspection says. The client must authenticate there as it did for the token.
async fn is_active(server: &Turn, instance: &str, who: As<'_>, token: &Token) -> bool {
    let (status, body) = post_token(server.of(instance, "INTROSPECTION"), who, token).await;
    assert_eq!(status, StatusCode::OK);
    body["active"].as_bool().unwrap()
}
