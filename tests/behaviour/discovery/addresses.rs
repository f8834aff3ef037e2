//! I2–I4: where the document is looked for, and which responses lead to the next address.

use serde_json::json;
use tower_oauth2::ErrorKind;
use tower_oauth2::endpoint::Issuer;

use super::site::{ISSUER, OAUTH_DOCUMENT, OPENID_DOCUMENT, Site, document};
use crate::support::{Body, answer};

type Page = fn() -> http::Response<Body>;

#[tokio::test(start_paused = true)]
async fn the_addresses_are_tried_in_their_order_with_get() {
    let site = Site::default();
    let issuer = Issuer::new("https://auth.example.com/realms/a").unwrap();
    let error = issuer.metadata(&site.transport()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    let expected = [
        "https://auth.example.com/.well-known/oauth-authorization-server/realms/a",
        "https://auth.example.com/.well-known/openid-configuration/realms/a",
        "https://auth.example.com/realms/a/.well-known/openid-configuration",
    ];
    let received = site.received();
    assert_eq!(received.iter().map(|request| request.url.as_str()).collect::<Vec<_>>(), expected);
    for request in received {
        assert_eq!(request.method, "GET");
        assert_eq!(request.headers["accept"], "application/json");
        assert!(request.headers["user-agent"].to_str().unwrap().starts_with("tower-oauth2/"));
        assert!(request.form.is_empty());
    }
    // The error names each address with the reason.
    let text = error.to_string();
    for address in expected {
        assert!(text.contains(&format!("{address}: status 404")), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_response_without_the_document_leads_to_the_next_address() {
    let other =
        || answer(200, json!({"issuer": "https://evil.example.com", "token_endpoint": "https://evil.example.com/"}));
    let responses: [(&str, Page); 13] = [
        ("a missing page", || answer(404, "")),
        ("a forbidden page", || answer(403, "<html>")),
        ("a redirect", || answer(302, "")),
        ("a web page", || answer(200, "<!doctype html><title>app</title>")),
        ("nothing", || answer(200, "")),
        ("no content", || answer(204, "")),
        ("a part of the document", || answer(206, document())),
        ("a list", || answer(200, "[]")),
        ("a text", || answer(200, "\"https://auth.example.com\"")),
        ("no issuer", || answer(200, json!({"token_endpoint": "https://auth.example.com/t"}))),
        ("an issuer that is no text", || answer(200, json!({"issuer": [ISSUER]}))),
        ("a truncated document", || answer(200, "{\"issuer\": \"https://auth.example.com\"")),
        ("a document of 2 MiB", || {
            answer(200, format!("{{\"issuer\": \"{ISSUER}\", \"x\": \"{}\"}}", "x".repeat(2 << 20)))
        }),
    ];
    for (what, response) in responses.into_iter().chain([("another issuer", other as Page)]) {
        let site = Site::default();
        site.page(OAUTH_DOCUMENT, response);
        site.json(OPENID_DOCUMENT, document());
        let metadata = Issuer::new(ISSUER).unwrap().metadata(&site.transport()).await;
        let metadata = metadata.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(metadata.token_endpoint().unwrap().as_str(), "https://auth.example.com/token", "{what}");
        assert_eq!(site.take_urls(), [OAUTH_DOCUMENT, OPENID_DOCUMENT], "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_ends_the_attempt_with_its_kind() {
    for status in [408, 429, 500, 502, 503, 504] {
        let site = Site::new();
        site.page(OAUTH_DOCUMENT, move || {
            let mut response = answer(status, "<html>");
            response.headers_mut().insert("retry-after", "7".parse().unwrap());
            response
        });
        site.json(OPENID_DOCUMENT, document());
        let error = Issuer::new(ISSUER).unwrap().metadata(&site.transport()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Overloaded, "{status}");
        assert_eq!(error.status().unwrap().as_u16(), status);
        assert_eq!(error.retry_after().unwrap().as_secs(), 7);
        assert_eq!(error.endpoint(), Some("auth.example.com/.well-known/oauth-authorization-server"));
        assert_eq!(site.take_urls(), [OAUTH_DOCUMENT], "{status}");
    }
    let site = Site::new();
    site.try_page(OAUTH_DOCUMENT, || Err("connection reset".into()));
    let error = Issuer::new(ISSUER).unwrap().metadata(&site.transport()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport);
    assert_eq!(site.take_urls(), [OAUTH_DOCUMENT]);
}

#[tokio::test(start_paused = true)]
async fn one_address_of_the_user_replaces_the_well_known_ones() {
    let site = Site::new();
    site.json("https://auth.example.com/m.json?v=2", document());
    let issuer = Issuer::new(ISSUER).unwrap().metadata_url("https://auth.example.com/m.json?v=2").unwrap();
    issuer.metadata(&site.transport()).await.unwrap();
    assert_eq!(site.take_urls(), ["https://auth.example.com/m.json?v=2"]);

    site.json("https://auth.example.com/m.json?v=2", json!({"issuer": "https://other.example.com"}));
    let issuer = Issuer::new(ISSUER).unwrap().metadata_url("https://auth.example.com/m.json?v=2").unwrap();
    let error = issuer.metadata(&site.transport()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    let text = format!("{error:?} {issuer:?}");
    assert!(!text.contains("v=2"), "the query may contain a key: {text}");
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_repeats_the_key_of_the_address_is_not_shown() {
    let site = Site::default();
    let address = "https://auth.example.com/metadata?key=hunter2-key";
    site.json(address, json!({"issuer": "https://auth.example.com/hunter2\u{200b}-key"}));
    let issuer = Issuer::new(ISSUER).unwrap().metadata_url(address).unwrap();
    let error = issuer.metadata(&site.transport()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert!(!format!("{error:?}").contains("hunter2") && error.to_string().contains(ISSUER), "{error:?}");
}
