//! The `iss` of a response to a login at a discovered server (RFC 9207 §2.4), and the binding of a login to its issuer.

use serde_json::json;
use tokio::sync::mpsc;
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::Issuer;
use tower_oauth2::grant::{Authorization, AuthorizationCode};
use tower_oauth2::{ErrorKind, OAuth2Layer};
use url::Url;

use super::par_server::{get, query};
use super::{fetch, freeze_clock};
use crate::discovery::site::{ISSUER, OAUTH_DOCUMENT, Site, document};

const REDIRECT_URI: &str = "https://app.example.com/callback";
const SENDS_ISSUER: &str = "authorization_response_iss_parameter_supported";

fn grant() -> AuthorizationCode {
    AuthorizationCode::from_issuer(ISSUER, Client::public("id")).unwrap()
}

fn site(sends_issuer: Option<bool>) -> Site {
    let (site, mut document) = (Site::new(), document());
    if let Some(sends_issuer) = sends_issuer {
        document[SENDS_ISSUER] = json!(sends_issuer);
    }
    site.json(OAUTH_DOCUMENT, document);
    site
}

/// Serializes and deserializes a login, as for another replica, which has not fetched the metadata.
fn transferred(login: &Authorization) -> Authorization {
    serde_json::from_str(&serde_json::to_string(login).unwrap()).unwrap()
}

/// I8: the table, for responses with a code and with an error.
#[tokio::test]
async fn the_iss_is_compared_and_required_if_the_server_sends_it() {
    for (sends_issuer, iss, is_accepted) in [
        (Some(true), Some(ISSUER), true),
        (Some(true), Some("https%3A%2F%2Fauth.example.com"), true),
        (Some(true), Some("https://evil.example"), false),
        (Some(true), None, false),
        (Some(false), Some(ISSUER), true),
        (Some(false), Some("https://evil.example"), false),
        (Some(false), None, true),
        (None, Some(ISSUER), true),
        // Of the same origin, and another issuer all the same.
        (None, Some("https://auth.example.com/"), false),
        (None, Some("https://auth.example.com/tenant"), false),
        (None, None, true),
    ] {
        for response in ["code=secret-code", "error=access_denied&error_description=secret-reason"] {
            let login = grant().begin(&site(sends_issuer).transport(), REDIRECT_URI).await.unwrap();
            let iss = iss.map(|iss| format!("&iss={iss}")).unwrap_or_default();
            let query = format!("{response}&state={}{iss}", login.state());
            let outcome = grant().callback(transferred(&login), &query);
            match outcome {
                Ok(_) => assert!(is_accepted && response.starts_with("code"), "{sends_issuer:?} {query}"),
                Err(error) if is_accepted => assert_eq!(error.kind(), ErrorKind::Denied, "{error}"),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Malformed, "{error}");
                    let text = format!("{error} {error:?}");
                    assert!(text.contains(ISSUER) && !text.contains("secret"), "{text}");
                }
            }
        }
    }
}

/// I8: the listener goes on waiting.
#[tokio::test(start_paused = true)]
async fn a_response_of_another_issuer_does_not_end_the_login_and_is_named_by_the_timeout() {
    for (iss, named) in [("&iss=https://evil.example", "`https://evil.example`"), ("", "no issuer")] {
        let still = freeze_clock();
        let (show, mut shown) = mpsc::unbounded_channel();
        let grant = grant().browser(move |url: &Url| show.send(url.clone()).unwrap());
        let tokens = OAuth2Layer::new(grant).token_service(site(Some(true)).service()).tokens();
        let waiting = tokio::spawn(async move { tokens.get().await });
        let query = query(&shown.recv().await.unwrap());
        let redirect_uri = get(&query, "redirect_uri").unwrap();
        let state = get(&query, "state").unwrap();
        let (status, page) = fetch(&format!("{redirect_uri}?code=secret-code&state={state}{iss}")).await;
        assert_eq!(status, 400);
        assert!(page.contains("This is not a login") && !page.contains("secret-code"), "{page}");
        drop(still);
        let error = waiting.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LoginExpired);
        let text = error.to_string();
        assert!(text.contains(named) && text.contains(ISSUER) && !text.contains("secret-code"), "{text}");
    }
}

/// Entra ID: the document has a template, and a response has a tenant.
#[tokio::test]
async fn an_issuer_that_the_application_accepts_is_accepted_in_a_response() {
    const TEMPLATE: &str = "https://auth.example.com/{tenantid}/v2.0";
    const TENANT: &str = "https://auth.example.com/7/v2.0";
    let site = site(Some(true));
    let mut document = document();
    document["issuer"] = json!(TEMPLATE);
    document[SENDS_ISSUER] = json!(true);
    site.json(OAUTH_DOCUMENT, document);
    let issuer = Issuer::new(ISSUER).unwrap().dangerous_accept_issuer(|issuer| issuer == TEMPLATE || issuer == TENANT);
    let grant = AuthorizationCode::from_issuer(&issuer, Client::public("id")).unwrap();
    for (iss, is_accepted) in [
        (TENANT, true),
        (ISSUER, true),
        ("https://auth.example.com/8/v2.0", false),
        ("https://auth.example.com/7/v2.0/", false),
    ] {
        let login = grant.begin(&site.transport(), REDIRECT_URI).await.unwrap();
        let query = format!("code=c&state={}&iss={iss}", login.state());
        assert_eq!(grant.callback(login, &query).is_ok(), is_accepted, "{iss}");
    }
}

/// `AuthorizationCode::issuer` is stricter than the metadata.
#[tokio::test]
async fn an_explicit_issuer_wins_over_the_metadata() {
    let grant = || grant().issuer("https://login.example.net/7");
    for (iss, is_accepted) in
        [("&iss=https://login.example.net/7", true), ("&iss=https://auth.example.com", false), ("", false)]
    {
        let login = grant().begin(&site(Some(false)).transport(), REDIRECT_URI).await.unwrap();
        let query = format!("code=c&state={}{iss}", login.state());
        assert_eq!(grant().callback(transferred(&login), &query).is_ok(), is_accepted, "{iss}");
    }
}

#[tokio::test]
async fn a_grant_rejects_the_login_of_another_issuer() {
    let other = "https://other.example.com";
    let fixed = AuthorizationCode::new(
        "https://auth.example.com/authorize",
        "https://auth.example.com/token",
        Client::public("id"),
    );
    for (difference, other) in [
        ("issuer", AuthorizationCode::from_issuer(other, Client::public("id")).unwrap()),
        ("issuer", AuthorizationCode::from_issuer("https://auth.example.com/", Client::public("id")).unwrap()),
        ("issuer", fixed.unwrap()),
        ("client id", AuthorizationCode::from_issuer(ISSUER, Client::public("other")).unwrap()),
        // Both require the same `iss`.
        ("issuer", AuthorizationCode::from_issuer(other, Client::public("id")).unwrap().issuer("https://x.example")),
    ] {
        for ours in [grant(), grant().issuer("https://x.example")] {
            let site = site(None);
            let login = ours.begin(&site.transport(), REDIRECT_URI).await.unwrap();
            let (query, kept) = (format!("code=c&state={}&iss=https://x.example", login.state()), transferred(&login));
            let error = other.callback(login, &query).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
            assert!(error.to_string().contains(difference) || error.to_string().contains("issuer"), "{error}");
            site.take_urls();
            if let Ok(code) = ours.callback(kept, &query) {
                let error = other.exchange(&site.transport(), code).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Configuration);
                assert!(site.take_urls().is_empty(), "the code was sent");
            }
        }
    }
}
