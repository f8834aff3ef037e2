//! An error of the metadata is one of a request that was not sent: it says nothing about the token, the login or the revocation that the
//! request is for.

use std::time::Duration;

use http::HeaderValue;
use serde_json::json;
use tower::{BoxError, Layer, service_fn};
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::{Issuer, RevocationEndpoint, TokenEndpoint};
use tower_oauth2::form::Form;
use tower_oauth2::grant::{DeviceCode, RefreshToken, TokenExchange, token_type};
use tower_oauth2::source::{SourceContext, source_fn};
use tower_oauth2::store::{Key, MemoryStore, TokenStore};
use tower_oauth2::transport::Transport;
use tower_oauth2::{ErrorKind, OAuth2Layer, Token};

use super::site::{ISSUER, OAUTH_DOCUMENT, Site, document};
use crate::support::{Body, answer, pass, token};

const TOKEN: &str = "https://auth.example.com/token";
const REVOKE: &str = "https://auth.example.com/revoke";

/// The status 200 is that of the metadata, whose body does not arrive.
#[tokio::test(start_paused = true)]
async fn a_token_is_not_revoked_by_a_response_with_the_metadata() {
    let http = Transport::new(service_fn(async |_: http::Request<Body>| {
        let broken = futures_util::stream::iter([Err::<http_body::Frame<bytes::Bytes>, _>(BoxError::from("reset"))]);
        Ok::<_, BoxError>(http::Response::new(http_body_util::StreamBody::new(broken)))
    }));
    let endpoint = RevocationEndpoint::discover(ISSUER, Client::public("app")).unwrap();
    let error = endpoint.revoke(&http, &Token::bearer("a").unwrap()).await.unwrap_err();
    assert_eq!((error.kind(), error.status().unwrap().as_u16()), (ErrorKind::Transport, 200));
    assert!(error.is_transient());
}

#[tokio::test(start_paused = true)]
async fn a_logout_during_an_outage_keeps_the_token_for_another_attempt() {
    let site = Site::new();
    site.json(TOKEN, json!({"access_token": "a", "expires_in": 3600, "refresh_token": "r"}));
    site.status(REVOKE, 200);
    let grant = RefreshToken::new(TOKEN, Client::public("app"), "r").unwrap();
    let tokens = OAuth2Layer::new(grant).token_service(site.service()).layer(site.service()).tokens();
    tokens.get().await.unwrap();
    let endpoint = RevocationEndpoint::discover(ISSUER, Client::public("app")).unwrap();
    site.status(OAUTH_DOCUMENT, 503);
    site.take_urls();
    let error = tokens.revoke(&endpoint).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Overloaded);
    assert!(!site.take_urls().contains(&REVOKE.to_owned()));
    site.json(OAUTH_DOCUMENT, document());
    endpoint.revoke(&site.transport(), &Token::bearer("a").unwrap().with_refresh_token("r")).await.unwrap();
    assert_eq!(site.take_urls(), [OAUTH_DOCUMENT, REVOKE, REVOKE]);
}

#[tokio::test(start_paused = true)]
async fn a_device_login_goes_on_while_the_document_has_no_token_endpoint() {
    let site = Site::new();
    site.json(
        "https://auth.example.com/device",
        json!({"device_code": "d", "user_code": "u", "verification_uri": "https://e.example/", "expires_in": 7200}),
    );
    site.page(TOKEN, || answer(400, json!({"error": "authorization_pending"})));
    let grant = DeviceCode::from_issuer(ISSUER, Client::public("app"), |_| {}).unwrap();
    let tokens = OAuth2Layer::new(grant).token_service(site.service()).layer(site.service()).tokens();
    let login = tokio::spawn(async move { tokens.get().await });
    pass(Duration::from_secs(60)).await;
    // The next document is bad, and is kept for five minutes.
    site.page(OAUTH_DOCUMENT, || {
        let mut response = answer(200, json!({"issuer": ISSUER}));
        response.headers_mut().insert("cache-control", HeaderValue::from_static("no-store"));
        response
    });
    pass(Duration::from_secs(3600)).await;
    assert!(!login.is_finished());
    site.take_urls();
    pass(Duration::from_secs(200)).await;
    assert!(!site.take_urls().contains(&TOKEN.to_owned()), "there is no address to poll");
    site.json(OAUTH_DOCUMENT, document());
    site.json(TOKEN, token("b", 60));
    assert_eq!(login.await.unwrap().unwrap().access_token(), "b");
}

#[tokio::test(start_paused = true)]
async fn a_stored_login_survives_an_outage_and_its_lock_is_released() {
    let site = Site::new();
    let store = MemoryStore::new();
    let layer = || {
        let grant = RefreshToken::from_issuer(ISSUER, Client::public("app"), "r0").unwrap();
        OAuth2Layer::new(grant.persisted(store.clone())).token_service(site.service()).layer(site.service()).tokens()
    };
    site.json(TOKEN, json!({"access_token": "a", "expires_in": 600, "refresh_token": "r1"}));
    let first = layer();
    first.get().await.unwrap();
    first.flush().await;
    pass(Duration::from_secs(700)).await;
    let key = Key::new(ISSUER, "app");
    for status in [503, 404, 401, 400] {
        // With a cache of its own, which is empty.
        site.status(OAUTH_DOCUMENT, status);
        let error = layer().get().await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Overloaded | ErrorKind::Malformed), "{error}");
        let entry = store.load(&key).await.unwrap().expect("the entry is kept");
        assert_eq!(entry.token.refresh_token(), Some("r1"));
        drop(store.lock(&key).await.unwrap());
    }
    site.json(OAUTH_DOCUMENT, document());
    site.json(TOKEN, json!({"access_token": "b", "expires_in": 600}));
    assert_eq!(layer().get().await.unwrap().access_token(), "b");
    let last = site.received().pop().unwrap();
    assert!(last.form.contains(&("refresh_token".to_owned(), "r1".to_owned())), "{last:?}");
}

/// The exchange of the inner token happens inside the outer one, with the same issuer and the same cache.
#[tokio::test(start_paused = true)]
async fn a_chain_of_exchanges_with_one_issuer_sends_one_metadata_request() {
    let site = Site::new();
    let exchanged = json!({"access_token": "x", "token_type": "Bearer", "issued_token_type": token_type::ACCESS_TOKEN});
    site.json(TOKEN, exchanged);
    let issuer = Issuer::new(ISSUER).unwrap();
    let subject = source_fn(async |cx: SourceContext| Ok(cx.issuer().unwrap().to_owned()));
    let client = || Client::basic("id", "secret");
    let inner = TokenExchange::from_issuer(&issuer, client(), token_type::JWT, subject).unwrap();
    let outer = TokenExchange::from_issuer(&issuer, client(), token_type::ACCESS_TOKEN, inner).unwrap();
    let tokens = OAuth2Layer::new(outer).token_service(site.service()).layer(site.service()).tokens();
    tokens.get().await.unwrap();
    assert_eq!(site.take_urls(), [OAUTH_DOCUMENT, TOKEN, TOKEN]);
}

#[tokio::test(start_paused = true)]
async fn an_address_of_the_application_that_is_missing_says_nothing_about_the_document() {
    let site = Site::new();
    let endpoint = TokenEndpoint::discover(ISSUER, Client::public("app")).unwrap();
    endpoint.token(&site.transport(), Form::new("client_credentials")).await.unwrap();
    let grant = DeviceCode::from_endpoint("https://auth.example.com/my-device", endpoint.clone(), |_| {}).unwrap();
    let tokens = OAuth2Layer::new(grant).token_service(site.service()).layer(site.service()).tokens();
    pass(Duration::from_secs(301)).await;
    site.take_urls();
    assert_eq!(tokens.get().await.unwrap_err().status().unwrap().as_u16(), 404);
    endpoint.token(&site.transport(), Form::new("client_credentials")).await.unwrap();
    assert_eq!(site.take_urls(), ["https://auth.example.com/my-device", TOKEN]);
}
