//! Each grant finds its endpoints, and its sources get the issuer.

use std::time::Duration;

use serde_json::json;
use tower::Layer;
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::{Issuer, TokenEndpoint};
use tower_oauth2::grant::{
    ClientCredentials, DeviceCode, Grant, JwtBearer, Password, RefreshToken, TokenExchange, token_type,
};
use tower_oauth2::source::{SourceContext, source_fn};
use tower_oauth2::store::{MemoryStore, TokenStore};
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token};

use super::site::{ISSUER, OAUTH_DOCUMENT, Site};
use crate::support::{answer, pass, token};

async fn token_of(site: &Site, grant: impl Grant) -> Result<Token, Error> {
    OAuth2Layer::new(grant).token_service(site.service()).layer(site.service()).tokens().get().await
}

#[tokio::test(start_paused = true)]
async fn every_grant_discovers_its_endpoints() {
    let site = Site::new();
    site.json(
        "https://auth.example.com/device",
        json!({"device_code": "d", "user_code": "u", "verification_uri": "https://e.example/", "expires_in": 60}),
    );
    let issuer = Issuer::new(ISSUER).unwrap();
    let client = || Client::basic("id", "secret");
    let source = || source_fn(async |cx: SourceContext| Ok(cx.issuer().unwrap().to_owned()));
    token_of(&site, ClientCredentials::from_issuer(&issuer, client()).unwrap()).await.unwrap();
    token_of(&site, Password::from_issuer(&issuer, client(), "me", "password").unwrap()).await.unwrap();
    token_of(&site, RefreshToken::from_issuer(&issuer, client(), "r").unwrap()).await.unwrap();
    token_of(&site, DeviceCode::from_issuer(&issuer, client(), |_| {}).unwrap()).await.unwrap();
    token_of(&site, JwtBearer::from_issuer(&issuer, client(), source()).unwrap()).await.unwrap();
    let exchange = TokenExchange::from_issuer(&issuer, client(), token_type::JWT, source()).unwrap();
    token_of(&site, exchange).await.unwrap();

    let forms: Vec<_> = site.received().into_iter().filter(|request| request.method == "POST").collect();
    let value = |at: usize, name: &str| {
        let form: &Vec<(String, String)> = &forms[at].form;
        form.iter().find(|(taken, _)| taken == name).map(|(_, value)| value.clone()).unwrap()
    };
    assert_eq!(forms.len(), 7);
    assert_eq!(forms[3].url, "https://auth.example.com/device");
    // The sources get the issuer.
    assert_eq!(value(5, "assertion"), ISSUER);
    assert_eq!(value(6, "subject_token"), ISSUER);
    assert_eq!(site.take_urls().iter().filter(|url| *url == OAUTH_DOCUMENT).count(), 1);
}

#[cfg(feature = "jwt")]
#[tokio::test(start_paused = true)]
async fn the_issuer_is_the_audience_of_assertions() {
    use base64::Engine as _;
    use tower_oauth2::jwt::{Claims, Key};

    let site = Site::new();
    let key = Key::generate().unwrap();
    // Without an issuer, the constructor rejects a client without an audience.
    let error = ClientCredentials::new("https://auth.example.com/token", Client::private_key_jwt("id", key.clone()));
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Configuration);

    let client = Client::private_key_jwt("id", key.clone());
    token_of(&site, ClientCredentials::from_issuer(ISSUER, client).unwrap()).await.unwrap();
    let client = Client::private_key_jwt("id", key.clone()).audience("https://auth.example.com/token");
    token_of(&site, ClientCredentials::from_issuer(ISSUER, client).unwrap()).await.unwrap();
    let claims = Claims::signed_by(key).issuer("robot");
    token_of(&site, JwtBearer::from_issuer(ISSUER, Client::none(), claims).unwrap()).await.unwrap();

    let audiences: Vec<_> = site
        .received()
        .into_iter()
        .filter_map(|request| {
            let (_, jwt) = request.form.into_iter().find(|(name, _)| name.ends_with("assertion"))?;
            let claims = base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(jwt.split('.').nth(1)?).unwrap();
            Some(serde_json::from_slice::<serde_json::Value>(&claims).unwrap()["aud"].clone())
        })
        .collect();
    assert_eq!(audiences, [json!(ISSUER), json!("https://auth.example.com/token"), json!(ISSUER)]);
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_discovery_keeps_the_refresh_token() {
    let site = Site::new();
    site.json("https://auth.example.com/token", json!({"access_token": "a", "expires_in": 60, "refresh_token": "r2"}));
    let grant = RefreshToken::from_issuer(ISSUER, Client::public("app"), "r1").unwrap();
    // Whatever the error is: it is not one of the refresh token.
    let grant = grant.refresh_token_dead_when(|_| true);
    let service = OAuth2Layer::new(grant).token_service(site.service()).layer(site.service());
    let tokens = service.tokens();
    for status in [404, 503, 401] {
        site.status(OAUTH_DOCUMENT, status);
        let error = tokens.refresh().await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Malformed | ErrorKind::Overloaded), "{error}");
    }
    site.json(OAUTH_DOCUMENT, super::site::document());
    assert_eq!(tokens.refresh().await.unwrap().refresh_token(), Some("r2"));
}

#[tokio::test(start_paused = true)]
async fn an_explicit_address_wins_over_the_document() {
    let site = Site::new();
    site.json(
        "https://auth.example.com/my-device",
        json!({"device_code": "d", "user_code": "u", "verification_uri": "https://e.example/", "expires_in": 60}),
    );
    let endpoint = TokenEndpoint::discover(ISSUER, Client::public("app")).unwrap();
    let grant = DeviceCode::from_endpoint("https://auth.example.com/my-device", endpoint, |_| {}).unwrap();
    token_of(&site, grant).await.unwrap();
    assert!(site.take_urls().contains(&"https://auth.example.com/my-device".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn the_issuer_is_part_of_the_stores_key() {
    let site = Site::new();
    let store = MemoryStore::new();
    let persisted = |issuer: &str| {
        let grant = RefreshToken::from_issuer(issuer, Client::public("app"), "r").unwrap();
        OAuth2Layer::new(grant.persisted(store.clone())).token_service(site.service()).layer(site.service())
    };
    let first = persisted(ISSUER);
    first.tokens().get().await.unwrap();
    first.tokens().flush().await;
    pass(Duration::from_secs(1)).await;
    let key = tower_oauth2::store::Key::new(ISSUER, "app");
    assert!(store.load(&key).await.unwrap().is_some(), "the key has the issuer, which is known without a request");
    site.take_urls();
    // Another program with the same issuer uses the entry.
    assert_eq!(persisted(ISSUER).tokens().get().await.unwrap().access_token(), "a");
    assert!(site.take_urls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_outage_during_a_device_login_does_not_end_it() {
    let site = Site::new();
    site.json(
        "https://auth.example.com/device",
        json!({"device_code": "d", "user_code": "u", "verification_uri": "https://e.example/", "expires_in": 1800}),
    );
    site.page("https://auth.example.com/token", || answer(400, json!({"error": "authorization_pending"})));
    let grant = DeviceCode::from_issuer(ISSUER, Client::public("app"), |_| {}).unwrap();
    let service = OAuth2Layer::new(grant).token_service(site.service()).layer(site.service());
    let tokens = service.tokens();
    let login = tokio::spawn(async move { tokens.get().await });
    pass(Duration::from_secs(400)).await;
    // The endpoint moves, and the metadata cannot be fetched for a while.
    site.status("https://auth.example.com/token", 404);
    site.status(OAUTH_DOCUMENT, 503);
    pass(Duration::from_secs(120)).await;
    let mut moved = super::site::document();
    moved["token_endpoint"] = json!("https://auth.example.com/v2/token");
    site.json(OAUTH_DOCUMENT, moved);
    site.json("https://auth.example.com/v2/token", token("b", 60));
    assert_eq!(login.await.unwrap().unwrap().access_token(), "b");
}
