//! I1, I3: what an issuer identifier may be, and that it is compared code point by code point.

use serde_json::json;
use tower_oauth2::ErrorKind;
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::{Issuer, TokenEndpoint};

use super::site::{OAUTH_DOCUMENT, Site};

#[test]
fn an_issuer_is_https_without_query_fragment_and_user() {
    for (issuer, kind) in [
        ("", ErrorKind::Configuration),
        ("auth.example.com", ErrorKind::Configuration),
        ("ftp://auth.example.com", ErrorKind::Configuration),
        ("https://auth.example.com?tenant=1", ErrorKind::Configuration),
        ("https://auth.example.com?", ErrorKind::Configuration),
        ("https://auth.example.com#a", ErrorKind::Configuration),
        ("https://user:hunter2@auth.example.com", ErrorKind::Configuration),
        ("https://auth.example.com\n", ErrorKind::Configuration),
        (" https://auth.example.com", ErrorKind::Configuration),
        ("https://auth.exa\tmple.com", ErrorKind::Configuration),
        ("http://auth.example.com", ErrorKind::Cleartext),
    ] {
        let error = Issuer::new(issuer).unwrap_err();
        assert_eq!(error.kind(), kind, "{issuer}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
        TokenEndpoint::discover(issuer, Client::public("app")).unwrap_err();
    }
    for issuer in ["https://auth.example.com", "https://auth.example.com/a/", "http://127.0.0.1:8080", "http://[::1]/x"]
    {
        assert_eq!(Issuer::new(issuer).unwrap().as_str(), issuer);
    }
    assert!(Issuer::dangerous_cleartext("http://auth.internal").is_ok());
    assert!(Issuer::new("https://a.example").unwrap().metadata_url("http://a.example/m").is_err());
}

#[tokio::test(start_paused = true)]
async fn the_issuer_of_the_document_is_the_same_text() {
    for (configured, published, same) in [
        ("https://auth.example.com", "https://auth.example.com", true),
        ("https://auth.example.com/", "https://auth.example.com/", true),
        ("https://auth.example.com", "https://auth.example.com/", false),
        ("https://auth.example.com/", "https://auth.example.com", false),
        ("https://auth.example.com", "https://auth.example.com:443", false),
        ("https://auth.example.com", "https://AUTH.example.com", false),
        ("https://auth.example.com", "HTTPS://auth.example.com", false),
        ("https://auth.example.com", "http://auth.example.com", false),
        ("https://auth.example.com", "https://auth.example.com\u{200b}", false),
    ] {
        let site = Site::default();
        site.json(OAUTH_DOCUMENT, json!({"issuer": published, "token_endpoint": "https://auth.example.com/token"}));
        let found = Issuer::new(configured).unwrap().metadata(&site.transport()).await;
        assert_eq!(found.is_ok(), same, "{configured} {published}");
        let Err(error) = found else { continue };
        assert_eq!(error.kind(), ErrorKind::Malformed);
        let shown = published.replace('\u{200b}', "");
        assert!(error.to_string().contains(&format!("`{configured}`")), "{error}");
        assert!(error.to_string().contains(&format!("`{shown}")), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn another_issuer_can_be_accepted_by_name() {
    let template = "https://auth.example.com/{tenantid}/v2.0";
    let site = Site::default();
    site.json(
        "https://auth.example.com/.well-known/oauth-authorization-server/common/v2.0",
        json!({"issuer": template, "token_endpoint": "https://auth.example.com/token"}),
    );
    let issuer = Issuer::new("https://auth.example.com/common/v2.0").unwrap();
    issuer.metadata(&site.transport()).await.unwrap_err();
    let accepting = issuer.clone().dangerous_accept_issuer(move |issuer| issuer == template);
    assert_eq!(accepting.metadata(&site.transport()).await.unwrap().issuer(), template);
    let panicking = issuer.clone().dangerous_accept_issuer(|_| panic!("a fault of the application"));
    assert_eq!(panicking.metadata(&site.transport()).await.unwrap_err().kind(), ErrorKind::Malformed);
    // The option of one clone does not change another.
    issuer.metadata(&site.transport()).await.unwrap_err();
}
