//! oidc-provider: strict and modern; it counts the requests.

use std::time::Duration;

use futures_util::future::join_all;
use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use tower::Layer;
use tower_oauth2::{ErrorKind, OAuth2, OAuth2Layer, client::Client, grant::ClientCredentials};

pub(crate) use crate::exclusive::{ExclusiveServer, exclusive_server as server};
use crate::plain::{self, Http, call, failed_call, get, send, send_with_token};

#[tokio::test]
async fn basic_and_post_authenticate() {
    let Some(server) = server().await else { return };
    for (id, client) in [
        ("cc-basic", Client::basic("cc-basic", "cc-basic-secret")),
        ("cc-post", Client::post("cc-post", "cc-post-secret")),
        // Form-encoded before Basic (RFC 6749 §2.3.1): this server decodes.
        ("cc:special&id", Client::basic("cc:special&id", r#"a b+c:d%e&f=g/h?"\~"#)),
    ] {
        let request = Request::post(server.get("API")).body(Full::from("hello")).unwrap();
        let (status, echo) = send(server.layered(client, "api:read"), request).await.unwrap();
        assert_eq!(status, StatusCode::OK, "{echo}");
        assert_eq!(echo["client_id"], id);
        assert_eq!(echo["scope"], "api:read");
        assert_eq!(echo["method"], "POST");
        assert_eq!(echo["body"], "hello");
    }
}

#[tokio::test]
async fn an_expired_token_is_refreshed() {
    let Some(server) = server().await else { return };
    let api = server.layered(Client::basic("cc-basic-short", "cc-basic-short-secret"), "api:read");

    let (status, _) = send(api.clone(), get(server.get("API"))).await.unwrap();
    assert_eq!(status, StatusCode::OK);
    let first = api.tokens().peek().unwrap();

    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(send_with_token(server.get("API"), &first).await, StatusCode::UNAUTHORIZED, "the token has expired");

    let (status, _) = send(api.clone(), get(server.get("API"))).await.unwrap();
    assert_eq!(status, StatusCode::OK);
    assert_ne!(api.tokens().peek().unwrap().access_token(), first.access_token());
    server.expect_stats(json!({"client_credentials": 2}), json!({"200": 2, "401": 1})).await;
}

#[tokio::test]
async fn fifty_requests_at_once_share_one_token_request() {
    let Some(server) = server().await else { return };
    let api = server.layered(Client::basic("cc-basic", "cc-basic-secret"), "api:read");

    let responses = join_all((0..50).map(|_| send(api.clone(), get(server.get("API"))))).await;

    assert!(responses.into_iter().all(|response| response.unwrap().0 == StatusCode::OK));
    server.expect_stats(json!({"client_credentials": 1}), json!({"200": 50})).await;
}

#[tokio::test]
async fn a_missing_scope_costs_no_further_token() {
    let Some(server) = server().await else { return };
    let api = server.layered(Client::basic("cc-basic", "cc-basic-secret"), "api:read");
    let url = format!("{}?need=api:write", server.get("API"));
    for _ in 0..3 {
        let (status, body) = send(api.clone(), get(&url)).await.unwrap();
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert_eq!(body["error"], "insufficient_scope");
    }
    server.expect_stats(json!({"client_credentials": 1}), json!({"403": 3})).await;
}

#[tokio::test]
async fn a_token_is_for_the_resource_that_was_asked_for() {
    let Some(server) = server().await else { return };
    for (resource, format) in [("urn:example:opaque-api", "opaque"), ("https://jwt-api.example.test/", "jwt")] {
        let grant = server.grant(Client::basic("cc-basic", "cc-basic-secret")).resource(resource).unwrap();
        let (status, echo) = call(grant, server.get("API")).await;
        assert_eq!(status, StatusCode::OK, "{echo}");
        assert_eq!(echo["aud"], resource);
        assert_eq!(echo["token_format"], format);
    }
}

#[tokio::test]
async fn a_wrong_secret_is_the_clients_fault() {
    let Some(server) = server().await else { return };
    for client in [Client::basic("cc-basic", "wrong-secret"), Client::post("cc-post", "wrong-secret")] {
        let error = failed_call(server.grant(client), server.get("API")).await;
        assert_eq!(error.kind(), ErrorKind::ClientRejected);
        assert_eq!(error.status(), Some(StatusCode::UNAUTHORIZED));
        assert_eq!(error.oauth().unwrap().error(), "invalid_client");
        assert!(!error.is_transient());
        assert!(!format!("{error} {error:?}").contains("wrong-secret"));
    }
    server.expect_stats(json!({}), json!({})).await;
}

#[tokio::test]
async fn a_wrong_scope_or_resource_is_the_requests_fault() {
    let Some(server) = server().await else { return };
    let grant = || server.grant(Client::basic("cc-basic", "cc-basic-secret"));
    for (grant, code) in [
        (grant().scope("openid").unwrap(), "invalid_scope"),
        (grant().resource("https://other.example.test/").unwrap(), "invalid_target"),
    ] {
        let error = failed_call(grant, server.get("API")).await;
        assert_eq!(error.kind(), ErrorKind::RequestRejected);
        assert_eq!(error.status(), Some(StatusCode::BAD_REQUEST));
        assert_eq!(error.oauth().unwrap().error(), code);
        assert!(!error.is_transient());
    }
}

// ===== the server =====

impl ExclusiveServer {
    fn grant(&self, client: Client) -> ClientCredentials {
        ClientCredentials::new(self.get("TOKEN"), client).unwrap()
    }

    fn layered(&self, client: Client, scope: &str) -> OAuth2<Http, ClientCredentials> {
        OAuth2Layer::new(self.grant(client).scope(scope).unwrap()).layer(plain::client())
    }

    /// Compares the server's counters of this turn: tokens by grant, and responses of the API by status.
    pub(crate) async fn expect_stats(&self, tokens: Value, api: Value) {
        let stats = self.counts().await;
        assert_eq!((&stats["token"], &stats["api"]), (&tokens, &api), "{stats}");
    }
}
