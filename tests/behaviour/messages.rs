//! The texts of errors: a sentence with the endpoint for people, and the causes and a hint for programmers.

use std::io;

use http::Request;
use serde_json::json;
use tower::{BoxError, Layer, ServiceExt, service_fn};
use tower_oauth2::client::Client;
use tower_oauth2::grant::{ClientCredentials, RefreshToken};
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token};

use crate::support::{API_URL, Body, answer, get, layer, ours};

/// Has a query, which must not be printed, because it may contain a key.
const TOKEN_URL: &str = "https://auth.example.com/tenant/token?key=hunter2";
const ENDPOINT: &str = "auth.example.com/tenant/token";

/// Returns the error of a layer whose token requests get this response.
async fn error_of(status: u16, body: String) -> Error {
    let grant = ClientCredentials::new(TOKEN_URL, Client::basic("id", "secret")).unwrap();
    let server = service_fn(move |_: Request<Body>| std::future::ready(Ok::<_, BoxError>(answer(status, &body))));
    OAuth2Layer::new(grant).token_service(server).tokens().get().await.unwrap_err()
}

/// Formats the error like `fn main() -> Result<(), BoxError>`.
fn printed(error: BoxError) -> String {
    format!("Error: {error:?}")
}

#[tokio::test(start_paused = true)]
async fn a_program_that_returns_the_error_from_main_prints_what_to_do() {
    let service = layer().layer(service_fn(async |_: Request<Body>| Ok::<_, BoxError>(answer(200, ""))));
    let error = service.oneshot(get("http://api.example.com/")).await.unwrap_err();
    let text = printed(error);
    assert!(text.starts_with("Error: a credential must not be sent over cleartext http; use https: "), "{text}");
    assert!(text.contains("api.example.com") && text.contains("dangerous_allow_cleartext"), "{text}");
    assert!(!text.contains("Error {") && !text.contains("None"), "{text}");

    let server = service_fn(async |_: Request<Body>| {
        let error = io::Error::new(io::ErrorKind::ConnectionRefused, "tcp connect error");
        Err::<http::Response<Body>, BoxError>(error.into())
    });
    let error = layer().layer(server).oneshot(get(API_URL)).await.unwrap_err();
    let text = printed(error);
    let begin = "Error: the authorization server could not be reached (auth.example.com/token): tcp connect error [";
    assert!(text.starts_with(begin), "{text}");
    assert!(text.contains("Transport") && text.contains("listens"), "{text}");
    assert_eq!(text.lines().count(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_error_names_the_endpoint_without_its_query() {
    for (status, body) in [
        (400, json!({"error": "invalid_scope"}).to_string()),
        (401, String::new()),
        (404, "<html>".into()),
        (302, String::new()),
        (503, String::new()),
        (200, "<html>".into()),
        (200, json!({"access_token": "two words"}).to_string()),
    ] {
        let error = error_of(status, body).await;
        let text = error.to_string();
        assert_eq!(text.matches(ENDPOINT).count(), 1, "{text}");
        assert!(text.contains(&format!("({ENDPOINT}, status {status}")), "{text}");
        assert!(!format!("{text} {error:?} {error:#?}").contains("hunter2"), "{error:?}");
    }
    let hangs = service_fn(|_: Request<Body>| std::future::pending::<Result<http::Response<Body>, BoxError>>());
    let grant = ClientCredentials::new(TOKEN_URL, Client::basic("id", "secret")).unwrap();
    let error = OAuth2Layer::new(grant).token_service(hangs).tokens().get().await.unwrap_err();
    assert!(error.to_string().contains(&format!("({ENDPOINT})")), "{error}");
}

/// The advice to check scope and parameters would be wrong for the page of a proxy.
#[tokio::test(start_paused = true)]
async fn the_page_of_a_proxy_is_reported_as_such() {
    for (status, expected) in [
        (404, "check the URL"),
        (405, "check the URL"),
        (407, "a proxy"),
        (403, "a proxy"),
        (401, "a proxy"),
        (400, "a proxy"),
    ] {
        let text = error_of(status, "<html>".into()).await.to_string();
        assert!(text.contains(expected) && !text.contains("scope"), "{status}: {text}");
    }
    let text = error_of(400, json!({"error": "invalid_scope"}).to_string()).await.to_string();
    assert!(text.contains("check the scope") && !text.contains("proxy"), "{text}");
}

/// The origins may differ only in the port or the scheme.
#[tokio::test(start_paused = true)]
async fn a_denied_request_is_named_by_its_origin() {
    let layer = layer().origin("https://api.example.com").unwrap().deny_other_origins();
    let service = layer.layer(service_fn(async |_: Request<Body>| Ok::<_, BoxError>(answer(200, ""))));
    service.tokens().set(Token::bearer("a").unwrap());
    for (uri, kind, origin) in [
        (
            "https://alice:hunter2@api.example.com:8443/x?key=hunter2",
            ErrorKind::OriginDenied,
            "`https://api.example.com:8443`",
        ),
        ("http://api.example.com/x", ErrorKind::OriginDenied, "`http://api.example.com`"),
    ] {
        let error = ours(service.clone().oneshot(get(uri)).await.unwrap_err());
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(origin) && !format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

/// The sentence can be shown to people who do not program.
#[tokio::test(start_paused = true)]
async fn the_sentence_of_an_error_names_no_method() {
    let rejection = answer(400, json!({"error": "invalid_grant"}));
    let grant = RefreshToken::new(TOKEN_URL, Client::public("app"), "r").unwrap();
    let body = rejection.into_body();
    let server = service_fn(move |_: Request<Body>| {
        std::future::ready(Ok::<_, BoxError>(http::Response::builder().status(400).body(body.clone()).unwrap()))
    });
    let login = OAuth2Layer::new(grant).token_service(server).tokens().get().await.unwrap_err();
    assert_eq!(login.kind(), ErrorKind::LoginRequired);
    assert!(login.to_string().starts_with("a person has to log in ("), "{login}");
    let no_transport = layer().tokens().get().await.unwrap_err();
    for error in [&login, &no_transport] {
        assert!(!error.to_string().contains('`'), "{error}");
        assert!(format!("{error:?}").contains('`'), "the hint of {error:?}");
    }
}

/// The texts of a server are printed on terminals and in logs.
#[tokio::test(start_paused = true)]
async fn texts_of_a_server_are_truncated_and_filtered() {
    let evil = "a\u{202e}b\u{200b}c\u{1b}[31m\r\nd\u{2066}";
    let body = json!({"error": "invalid_scope", "error_description": format!("{evil}{}", "x".repeat(10_000))});
    let error = error_of(400, body.to_string()).await;
    let cause: BoxError = evil.into();
    for text in [error.to_string(), format!("{error:?}"), format!("{:?}", Error::caused_by(ErrorKind::Store, cause))] {
        assert!(!text.chars().any(|c| c.is_control() || matches!(c, '\u{200b}' | '\u{202e}' | '\u{2066}')), "{text:?}");
        assert!(text.contains("abc[31m d"), "{text:?}");
        assert!(text.len() < 2_000, "{}", text.len());
    }
}

#[test]
fn a_cause_with_the_same_text_as_its_error_is_left_out() {
    let inner = Error::caused_by(ErrorKind::Transport, "connection reset");
    let outer = Error::caused_by(ErrorKind::Transport, inner);
    let text = format!("{outer:?}");
    assert_eq!(text.matches("could not be reached").count(), 1, "{text}");
    assert_eq!(text.matches("connection reset").count(), 1, "{text}");
    assert!(!format!("{:?}", Token::bearer("").unwrap_err()).contains("kind:"));
}
