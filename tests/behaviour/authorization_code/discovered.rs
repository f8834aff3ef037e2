//! A login at a server that is found by its issuer: what its metadata decides, and what is wrong before the browser is opened.

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::TokenEndpoint;
use tower_oauth2::grant::{Authorization, AuthorizationCode};
use tower_oauth2::{Error, ErrorKind, OAuth2Layer};
use url::Url;

use super::fetch;
use super::par_server::{decoded, get, query, signer};
use crate::discovery::site::{ISSUER, OAUTH_DOCUMENT, Site, document};
use crate::support::answer;

const PAR_URL: &str = "https://auth.example.com/par";
const TOKEN_URL: &str = "https://auth.example.com/token";
const REDIRECT_URI: &str = "https://app.example.com/callback";

fn grant() -> AuthorizationCode {
    AuthorizationCode::from_issuer(ISSUER, Client::public("id")).unwrap()
}

/// Returns a site whose metadata has these members too; `null` removes one.
fn site(members: Value) -> Site {
    let (site, mut document) = (Site::new(), document());
    for (name, value) in members.as_object().unwrap() {
        match value {
            Value::Null => drop(document.as_object_mut().unwrap().remove(name)),
            value => document[name] = value.clone(),
        }
    }
    site.json(OAUTH_DOCUMENT, document);
    site.page(PAR_URL, || answer(201, json!({"request_uri": "urn:example:1", "expires_in": 60})));
    site
}

async fn begin(site: &Site, grant: &AuthorizationCode) -> Result<Authorization, Error> {
    grant.begin(&site.transport(), REDIRECT_URI).await
}

fn is_pushed(login: &Authorization) -> bool {
    get(&query(login.url()), "request_uri").is_some()
}

#[tokio::test]
async fn a_login_in_steps_needs_the_issuer_only() {
    let site = site(json!({}));
    let grant = grant();
    let login = begin(&site, &grant).await.unwrap();
    assert!(
        login.url().as_str().starts_with("https://auth.example.com/authorize?response_type=code&"),
        "{}",
        login.url()
    );
    assert!(!is_pushed(&login));
    let query = format!("code=c&state={}", login.state());
    let code = grant.callback(login, &query).unwrap();
    assert_eq!(grant.exchange(&site.transport(), code).await.unwrap().access_token(), "a");
    assert_eq!(site.take_urls(), [OAUTH_DOCUMENT, TOKEN_URL], "the document is fetched once");
}

#[tokio::test]
async fn a_login_on_this_machine_needs_the_issuer_only() {
    let site =
        site(json!({"require_pushed_authorization_requests": true, "pushed_authorization_request_endpoint": PAR_URL}));
    let (show, mut shown) = mpsc::unbounded_channel();
    let grant = grant().browser(move |url: &Url| show.send(url.clone()).unwrap());
    let tokens = OAuth2Layer::new(grant).token_service(site.service()).tokens();
    let waiting = tokio::spawn(async move { tokens.get().await });
    let url = shown.recv().await.unwrap();
    assert_eq!(url.as_str(), "https://auth.example.com/authorize?client_id=id&request_uri=urn%3Aexample%3A1");
    let push = site.received().into_iter().find(|received| received.url == PAR_URL).unwrap();
    let sent = |name: &str| get(&push.form, name).unwrap().to_owned();
    let redirect = format!("{}?code=c&iss={ISSUER}&state={}", sent("redirect_uri"), sent("state"));
    assert_eq!(fetch(&redirect).await.0, 200);
    assert_eq!(waiting.await.unwrap().unwrap().access_token(), "a");
    assert_eq!(site.take_urls(), [OAUTH_DOCUMENT, PAR_URL, TOKEN_URL]);
}

/// P5.
#[tokio::test]
async fn the_metadata_decides_whether_a_request_is_pushed() {
    let (par, required) = ("pushed_authorization_request_endpoint", "require_pushed_authorization_requests");
    for (members, by_default, if_supported) in [
        (json!({}), false, false),
        (json!({par: PAR_URL}), false, true),
        (json!({par: PAR_URL, required: false}), false, true),
        (json!({par: PAR_URL, required: "true"}), false, true),
        (json!({par: PAR_URL, required: true}), true, true),
        // An address that is not used counts as none.
        (json!({par: "http://auth.example.com/par"}), false, false),
        (json!({par: 7}), false, false),
    ] {
        let site = site(members.clone());
        assert_eq!(is_pushed(&begin(&site, &grant()).await.unwrap()), by_default, "{members}");
        let login = begin(&site, &grant().pushed_if_supported()).await.unwrap();
        assert_eq!(is_pushed(&login), if_supported, "{members}");
    }
}

/// Without an issuer, a server's support is not known.
#[tokio::test]
async fn without_metadata_a_request_is_not_pushed_if_supported() {
    let grant = super::grant().pushed_if_supported();
    assert!(!is_pushed(&grant.authorization_url(REDIRECT_URI).unwrap()));
    assert!(!is_pushed(&begin(&Site::new(), &grant).await.unwrap()));
}

#[tokio::test]
async fn an_explicit_address_wins_over_the_metadata() {
    let site =
        site(json!({"require_pushed_authorization_requests": true, "pushed_authorization_request_endpoint": PAR_URL}));
    let own = "https://auth.example.com/own-par";
    site.page(own, || answer(201, json!({"request_uri": "urn:example:own"})));
    let endpoint = TokenEndpoint::discover(ISSUER, Client::public("id")).unwrap();
    let grant = AuthorizationCode::from_endpoint("https://login.example.net/authorize", endpoint).unwrap();
    // In any order.
    for grant in [
        grant.clone().pushed(own).unwrap().pushed_if_supported(),
        grant.clone().pushed_if_supported().pushed(own).unwrap(),
    ] {
        let login = begin(&site, &grant).await.unwrap();
        let url = "https://login.example.net/authorize?client_id=id&request_uri=urn%3Aexample%3Aown";
        assert_eq!(login.url().as_str(), url);
    }
    let login = begin(&site, &grant).await.unwrap();
    assert_eq!(get(&query(login.url()), "request_uri"), Some("urn:example:1"), "the push is required");
    // The expected issuer is that of the metadata, not the origin of the address.
    for (iss, is_accepted) in [(ISSUER, true), ("https://login.example.net", false)] {
        let login = begin(&site, &grant).await.unwrap();
        let query = format!("code=c&state={}&iss={iss}", login.state());
        assert_eq!(grant.callback(login, &query).is_ok(), is_accepted, "{iss}");
    }
}

/// R1: the audience.
#[tokio::test]
async fn the_issuer_is_the_audience_of_a_request_object() {
    let site = site(json!({"pushed_authorization_request_endpoint": PAR_URL}));
    let login = begin(&site, &grant().request_object(signer())).await.unwrap();
    let (_, claims) = decoded(get(&query(login.url()), "request").unwrap());
    assert_eq!((&claims["aud"], &claims["iss"]), (&json!(ISSUER), &json!("id")));

    // A client that signs, whose request is signed and pushed.
    let client = Client::private_key_jwt("id", signer());
    let grant = AuthorizationCode::from_issuer(ISSUER, client).unwrap().request_object(signer()).pushed_if_supported();
    begin(&site, &grant).await.unwrap();
    let push = site.received().into_iter().find(|received| received.url == PAR_URL).unwrap();
    for name in ["request", "client_assertion"] {
        assert_eq!(decoded(get(&push.form, name).unwrap()).1["aud"], ISSUER, "{name}");
    }
}

/// Returns the error of a login on this machine, which opens no browser.
async fn fails(site: &Site, grant: AuthorizationCode) -> Error {
    let (show, mut shown) = mpsc::unbounded_channel();
    let grant = grant.browser(move |url: &Url| show.send(url.clone()).unwrap());
    let tokens = OAuth2Layer::new(grant).token_service(site.service()).tokens();
    let error = tokio::select! {
        outcome = tokens.get() => outcome.unwrap_err(),
        Some(url) = shown.recv() => panic!("a browser was opened: {url}"),
    };
    assert!(error.retry_at().is_some(), "the person was not asked: {error}");
    error
}

/// I9: the login would not be protected.
#[tokio::test]
async fn a_server_that_lists_methods_without_s256_fails_before_the_browser() {
    let methods = "code_challenge_methods_supported";
    for listed in [json!(["plain"]), json!([]), json!(["s256"])] {
        let site = site(json!({methods: listed}));
        let error = fails(&site, grant()).await;
        assert_eq!(error.kind(), ErrorKind::Malformed);
        let text = error.to_string();
        assert!(text.contains("`S256`") && text.contains(methods) && text.contains(ISSUER), "{text}");

        let client = Client::basic("id", "secret");
        let without = AuthorizationCode::from_issuer(ISSUER, client).unwrap().dangerous_without_pkce().unwrap();
        begin(&site, &without).await.unwrap();
    }
    for listed in [json!(["plain", "S256"]), json!(null), json!("plain")] {
        let login = begin(&site(json!({methods: listed})), &grant()).await.unwrap();
        assert_eq!(get(&query(login.url()), "code_challenge_method"), Some("S256"));
    }
}

/// I14.
#[tokio::test]
async fn a_missing_endpoint_fails_before_the_browser_and_is_named() {
    let par = "pushed_authorization_request_endpoint";
    for (members, named) in [
        (json!({"authorization_endpoint": null}), "authorization_endpoint"),
        (json!({"authorization_endpoint": "http://auth.example.com/authorize"}), "authorization_endpoint"),
        (json!({"authorization_endpoint": "https://127.0.0.1/authorize"}), "authorization_endpoint"),
        (json!({"token_endpoint": null}), "token_endpoint"),
        (json!({"require_pushed_authorization_requests": true}), par),
        (json!({"require_pushed_authorization_requests": true, par: "http://auth.example.com/par"}), par),
    ] {
        let error = fails(&site(members.clone()), grant()).await;
        assert_eq!(error.kind(), ErrorKind::Malformed, "{members}: {error}");
        assert!(error.to_string().contains(&format!("`{named}`")), "{error}");
    }
}

/// An outage keeps its kind, and the next request after the back-off logs in.
#[tokio::test]
async fn an_outage_of_the_discovery_fails_before_the_browser() {
    let site = Site::new();
    for (status, kind) in [(503, ErrorKind::Overloaded), (404, ErrorKind::Malformed)] {
        site.status(OAUTH_DOCUMENT, status);
        assert_eq!(fails(&site, grant()).await.kind(), kind);
    }
}

#[tokio::test]
async fn an_error_of_the_push_has_the_methods_of_the_metadata() {
    let site = site(json!({
        "pushed_authorization_request_endpoint": PAR_URL,
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
    }));
    site.page(PAR_URL, || answer(401, json!({"error": "invalid_client"})));
    let error = fails(&site, grant().pushed_if_supported()).await;
    assert_eq!(error.kind(), ErrorKind::ClientRejected);
    assert!(error.to_string().contains("`private_key_jwt`"), "{error}");
}

#[test]
fn an_address_without_the_network_is_an_error() {
    let endpoint = TokenEndpoint::discover(ISSUER, Client::public("id")).unwrap();
    for grant in [grant(), AuthorizationCode::from_endpoint("https://auth.example.com/authorize", endpoint).unwrap()] {
        let error = grant.authorization_url(REDIRECT_URI).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().contains("call `begin`"), "{error}");
    }
    let error = AuthorizationCode::from_issuer(ISSUER, Client::none()).unwrap_err();
    assert!(error.to_string().contains("`client`"), "{error}");
    assert!(AuthorizationCode::from_issuer("http://auth.example.com", Client::public("id")).is_err());
}
