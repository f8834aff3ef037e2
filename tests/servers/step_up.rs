//! Step-up: the API demands more of the token than its login gave (RFC 6750 §3.1, RFC 9470).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Request, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use serde_json::json;
use tower::retry::RetryLayer;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Layer};
use tower_oauth2::client::Client;
use tower_oauth2::grant::{ClientCredentials, Grant};
use tower_oauth2::retry::RetryUnauthorized;
use tower_oauth2::store::MemoryStore;
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Tokens};
use url::Url;

use crate::authorization_code::at_oidc_provider;
use crate::oidc_provider::{ExclusiveServer, server};
use crate::plain::{self, get, send};
use crate::pushed::recording;

const SECOND_LEVEL: &str = "urn:example:loa:2";

pub(crate) type Service = BoxCloneSyncService<Request<Full<Bytes>>, http::Response<Incoming>, BoxError>;

/// The layer with `step_up`, and with repetitions outside it.
fn stepping_up(grant: impl Grant) -> (Service, Tokens) {
    let layer = OAuth2Layer::new(grant).token_service(plain::client()).step_up();
    let tokens = layer.tokens();
    (repeating(layer.layer(plain::client())), tokens)
}

/// Repeats the requests of challenges.
pub(crate) fn repeating<S>(service: S) -> Service
where
    S: tower::Service<Request<Full<Bytes>>, Response = http::Response<Incoming>, Error = BoxError>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send,
{
    BoxCloneSyncService::new(RetryLayer::new(RetryUnauthorized::new()).layer(service))
}

pub(crate) fn api(server: &ExclusiveServer, query: &str) -> Request<Full<Bytes>> {
    get(&format!("{}?{query}", server.get("API")))
}

fn param(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
}

/// A refresh would bring the same scope again, so the refresh token is not used.
#[tokio::test]
async fn more_scope_is_a_new_login_with_both() {
    let Some(server) = server().await else { return };
    let (grant, urls) = recording(at_oidc_provider(&server, Client::public("native")));
    let (service, tokens) = stepping_up(grant);
    let (status, echo) = send(service.clone(), api(&server, "need=api:write")).await.unwrap();
    assert_eq!(status, StatusCode::OK, "{echo}");
    assert_eq!(echo["scope"], "openid offline_access api:read api:write");
    assert_eq!(param(&urls.lock().unwrap()[1], "scope").unwrap(), "openid offline_access api:read api:write");
    server.expect_stats(json!({"authorization_code": 2}), json!({"403": 1, "200": 1})).await;

    // The token that came with it is refreshed as any other, and keeps the scope.
    tokens.invalidate();
    let (status, echo) = send(service, api(&server, "need=api:write")).await.unwrap();
    assert_eq!(status, StatusCode::OK, "{echo}");
    let grants = json!({"authorization_code": 2, "refresh_token": 1});
    server.expect_stats(grants, json!({"403": 1, "200": 2})).await;
}

#[tokio::test]
async fn a_higher_level_and_more_scope_in_one_request() {
    let Some(server) = server().await else { return };
    let (grant, urls) = recording(at_oidc_provider(&server, Client::public("native")));
    let (service, _) = stepping_up(grant);
    let query = format!("need=api:write&acr=urn:example:loa:9+{SECOND_LEVEL}");
    let (status, echo) = send(service, api(&server, &query)).await.unwrap();
    assert_eq!((status, &echo["acr"]), (StatusCode::OK, &json!(SECOND_LEVEL)), "{echo}");
    assert_eq!(echo["scope"], "openid offline_access api:read api:write", "the second challenge keeps the scope");
    let levels: Vec<_> = urls.lock().unwrap().iter().map(|url| param(url, "acr_values")).collect();
    assert_eq!(levels, [None, None, Some(format!("urn:example:loa:9 {SECOND_LEVEL}"))]);
    server.expect_stats(json!({"authorization_code": 3}), json!({"403": 1, "401": 1, "200": 1})).await;
}

#[tokio::test]
async fn a_fresh_login() {
    let Some(server) = server().await else { return };
    let (grant, urls) = recording(at_oidc_provider(&server, Client::public("native")));
    let (service, tokens) = stepping_up(grant);
    tokens.get().await.unwrap();
    // The server counts in seconds, and the demand is younger than the login.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let since = format!("since={}", now + 2);
    tokio::time::sleep(Duration::from_secs(4)).await;

    let (status, echo) = send(service, api(&server, &since)).await.unwrap();
    assert_eq!(status, StatusCode::OK, "{echo}");
    assert!(echo["auth_time"].as_u64().unwrap() >= now + 2, "{echo}");
    assert!(param(&urls.lock().unwrap()[1], "max_age").is_some_and(|age| age.parse::<u64>().is_ok()));
    server.expect_stats(json!({"authorization_code": 2}), json!({"401": 1, "200": 1})).await;
}

/// No user has this level. The login ends with an error, and the token in use stays in use.
#[tokio::test]
async fn an_unknown_level_is_denied() {
    let Some(server) = server().await else { return };
    let (service, tokens) = stepping_up(at_oidc_provider(&server, Client::public("native")));
    let first = tokens.get().await.unwrap();
    let error = send(service.clone(), api(&server, "acr=urn:example:loa:9")).await.unwrap_err();
    let error = error.downcast::<Error>().unwrap();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert_eq!(error.oauth().unwrap().error(), "unmet_authentication_requirements");
    // The next challenge starts no login.
    let (status, _) = send(service.clone(), api(&server, "acr=urn:example:loa:9")).await.unwrap();
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let (status, _) = send(service, api(&server, "")).await.unwrap();
    assert_eq!(status, StatusCode::OK);
    assert_eq!(tokens.peek().unwrap().access_token(), first.access_token());
    server.expect_stats(json!({"authorization_code": 1}), json!({"401": 2, "200": 1})).await;
}

#[tokio::test]
async fn ten_requests_at_once_share_one_login() {
    let Some(server) = server().await else { return };
    let (service, tokens) = stepping_up(at_oidc_provider(&server, Client::public("native")));
    tokens.get().await.unwrap();
    let requests = (0..10).map(|_| send(service.clone(), api(&server, "need=api:write")));
    for response in join_all(requests).await {
        let (status, echo) = response.unwrap();
        assert_eq!(status, StatusCode::OK, "{echo}");
    }
    let counts = server.counts().await;
    assert_eq!(counts["token"], json!({"authorization_code": 2}), "{counts}");
}

/// Two layers as in two processes: the second one takes the token from the store.
#[tokio::test]
async fn another_process_takes_the_token_from_the_store() {
    let Some(server) = server().await else { return };
    let store = MemoryStore::new();
    let [(first, _), (second, second_tokens)] = [(), ()].map(|()| {
        stepping_up(at_oidc_provider(&server, Client::public("native")).persisted(store.clone()).subject("alice"))
    });
    for service in [&first, &second] {
        assert_eq!(send(service.clone(), api(&server, "")).await.unwrap().0, StatusCode::OK);
    }
    let before = second_tokens.peek().unwrap();
    for service in [&first, &second] {
        let (status, echo) = send(service.clone(), api(&server, "need=api:write")).await.unwrap();
        assert_eq!(status, StatusCode::OK, "{echo}");
    }
    assert_ne!(second_tokens.peek().unwrap().access_token(), before.access_token());
    let counts = server.counts().await;
    assert_eq!(counts["token"], json!({"authorization_code": 2}), "{counts}");
}

/// A program has no user: more scope is a token request, and a level of login is an error.
#[tokio::test]
async fn a_program_gets_more_scope_and_no_login() {
    let Some(server) = server().await else { return };
    let client = Client::basic("cc-basic", "cc-basic-secret");
    let grant = ClientCredentials::new(server.get("TOKEN"), client).unwrap().scope("api:read").unwrap();
    let (service, _) = stepping_up(grant);
    let (status, echo) = send(service.clone(), api(&server, "need=api:write")).await.unwrap();
    assert_eq!((status, &echo["scope"]), (StatusCode::OK, &json!("api:read api:write")), "{echo}");
    let error = send(service, api(&server, &format!("acr={SECOND_LEVEL}"))).await.unwrap_err();
    let error = error.downcast::<Error>().unwrap();
    assert_eq!(error.kind(), ErrorKind::LoginRequired, "{error}");
    server.expect_stats(json!({"client_credentials": 2}), json!({"403": 1, "200": 1, "401": 1})).await;
}
