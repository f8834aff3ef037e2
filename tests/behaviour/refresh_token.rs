//! The grant that starts from a refresh token.

use std::time::Duration;

use serde_json::json;
use tower_oauth2::client::Client;
use tower_oauth2::grant::RefreshToken;
use tower_oauth2::{ErrorKind, OAuth2Layer, Token, Tokens};

use crate::support::{Body, Forms, TOKEN_URL, answer, pairs, pass, token_endpoint};

fn started(answers: Vec<http::Response<Body>>) -> (Tokens, Forms) {
    let (service, forms) = token_endpoint(answers);
    let grant = RefreshToken::new(TOKEN_URL, Client::public("id"), "r1").unwrap().param("audience", "x");
    (OAuth2Layer::new(grant).token_service(service).tokens(), forms)
}

fn sent(refresh_token: &str) -> Vec<(String, String)> {
    let form =
        [("grant_type", "refresh_token"), ("refresh_token", refresh_token), ("audience", "x"), ("client_id", "id")];
    pairs(&form)
}

#[tokio::test(start_paused = true)]
async fn it_is_used_and_rotated() {
    let rotated = json!({"access_token": "b", "refresh_token": "r2", "expires_in": 60});
    let kept = json!({"access_token": "c", "expires_in": 60});
    let (tokens, mut forms) = started(vec![answer(200, rotated), answer(200, kept)]);
    assert_eq!(tokens.get().await.unwrap().access_token(), "b");
    assert_eq!(forms.recv().await.unwrap(), sent("r1"));
    pass(Duration::from_secs(61)).await;
    assert_eq!(
        tokens.get().await.unwrap().refresh_token(),
        Some("r2"),
        "a response without a refresh token keeps the old one"
    );
    assert_eq!(forms.recv().await.unwrap(), sent("r2"));
}

#[tokio::test(start_paused = true)]
async fn the_first_response_without_a_refresh_token_keeps_it() {
    let (tokens, _forms) = started(vec![]);
    assert_eq!(tokens.get().await.unwrap().refresh_token(), Some("r1"));
}

#[tokio::test(start_paused = true)]
async fn an_outage_does_not_drop_it() {
    let (tokens, mut forms) = started(vec![answer(503, "")]);
    assert_eq!(tokens.get().await.unwrap_err().kind(), ErrorKind::Overloaded);
    pass(Duration::from_secs(2)).await;
    tokens.get().await.unwrap();
    assert_eq!(forms.recv().await.unwrap(), sent("r1"));
    assert_eq!(forms.recv().await.unwrap(), sent("r1"));
}

#[tokio::test(start_paused = true)]
async fn a_dead_refresh_token_requires_a_login_and_is_not_sent_again() {
    let (tokens, mut forms) = started(vec![answer(400, r#"{"error":"invalid_grant"}"#)]);
    let error = tokens.get().await.unwrap_err();
    assert_eq!((error.kind(), error.status().unwrap().as_u16()), (ErrorKind::LoginRequired, 400));
    pass(Duration::from_secs(600)).await;
    assert_eq!(tokens.get().await.unwrap_err().kind(), ErrorKind::LoginRequired);
    assert_eq!(tokens.refresh().await.unwrap_err().kind(), ErrorKind::LoginRequired);
    forms.recv().await.unwrap();
    assert!(forms.try_recv().is_err(), "it was sent once");

    // The next login sets a new one.
    tokens.set(tower_oauth2::Token::bearer("x").unwrap().with_refresh_token("r9").with_expires_in(Duration::ZERO));
    tokens.get().await.unwrap();
    assert_eq!(forms.recv().await.unwrap(), sent("r9"));
}

#[test]
fn an_empty_refresh_token_is_an_error() {
    let error = RefreshToken::new(TOKEN_URL, Client::public("id"), "").unwrap_err();
    assert!(error.to_string().contains("`refresh_token`"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_newer_login_replaces_it_permanently() {
    let (tokens, mut forms) = started(vec![]);
    tokens.set(Token::bearer("set").unwrap().with_refresh_token("newer"));
    tokens.refresh().await.unwrap();
    assert_eq!(forms.recv().await.unwrap(), sent("newer"));
    tokens.forget();
    assert_eq!(tokens.get().await.unwrap_err().kind(), ErrorKind::LoginRequired);
}
