//! What errors and `Debug` say about a document, which is the input of others.

use serde_json::json;
use tower_oauth2::ErrorKind;
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::{Issuer, TokenEndpoint};

use super::site::{ISSUER, OAUTH_DOCUMENT, OPENID_DOCUMENT, Site, document};
use crate::support::answer;

#[tokio::test(start_paused = true)]
async fn a_long_issuer_in_a_document_does_not_hide_the_other_reasons() {
    let site = Site::default();
    site.json(OAUTH_DOCUMENT, json!({"issuer": format!("https://{}\u{1b}[2J\r\n\u{202e}", "é".repeat(100_000))}));
    site.status(OPENID_DOCUMENT, 410);
    let error = Issuer::new(ISSUER).unwrap().metadata(&site.transport()).await.unwrap_err();
    let text = error.to_string();
    assert!(text.len() < 2048 && !text.contains(['\u{1b}', '\r', '\n', '\u{202e}']), "{text}");
    assert!(text.contains(&format!("{OAUTH_DOCUMENT}: the document is that of the issuer `https://éé")), "{text}");
    assert!(text.contains(&format!("{OPENID_DOCUMENT}: status 410")), "{text}");
}

#[tokio::test(start_paused = true)]
async fn an_error_without_a_document_says_what_to_do() {
    let site = Site::default();
    site.page(OAUTH_DOCUMENT, || answer(307, ""));
    let error = Issuer::new(ISSUER).unwrap().metadata(&site.transport()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert!(error.to_string().contains("status 307, a redirect, which is not followed"), "{error}");
    assert!(error.hint().contains("`Issuer::metadata_url`"), "{}", error.hint());
    assert!(!error.is_transient());
    assert_eq!(error.status(), None, "there was more than one response");
}

#[tokio::test(start_paused = true)]
async fn queries_are_not_printed() {
    let site = Site::new();
    let mut keyed = document();
    keyed["token_endpoint"] = json!("https://auth.example.com/token?code=hunter2-key");
    keyed["x"] = json!("hunter2-x");
    site.json("https://auth.example.com/m?key=hunter2-m", keyed);
    let issuer = Issuer::new(ISSUER).unwrap().metadata_url("https://auth.example.com/m?key=hunter2-m").unwrap();
    let metadata = issuer.metadata(&site.transport()).await.unwrap();
    let endpoint = TokenEndpoint::discover(&issuer, Client::public("app")).unwrap();
    let text = format!("{metadata:?} {issuer:?} {endpoint:?}");
    assert!(!text.contains("hunter2"), "{text}");
    assert!(text.contains("https://auth.example.com/token?[secret]"), "{text}");

    site.status("https://auth.example.com/m?key=hunter2-m", 503);
    let issuer = issuer.dangerous_accept_issuer(|_| false);
    let error = issuer.metadata(&site.transport()).await.unwrap_err();
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
}
