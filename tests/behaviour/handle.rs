//! `Tokens`: the handle to the shared token.

use std::time::Duration;

use tower::{Service as _, ServiceExt};
use tower_oauth2::{ErrorKind, OAuth2Layer, Token};

use crate::support::{API_URL, Body, answer, get, grant, layer, mock_service, pass, spawn_refresh, token};

fn bearer(text: &str) -> Token {
    Token::bearer(text).unwrap()
}

#[tokio::test(start_paused = true)]
async fn without_a_transport_it_returns_an_error() {
    let tokens = layer().tokens();
    assert_eq!(tokens.get().await.unwrap_err().kind(), ErrorKind::NoTransport);
    assert_eq!(tokens.refresh().await.unwrap_err().kind(), ErrorKind::NoTransport);
}

#[tokio::test(start_paused = true)]
async fn with_a_token_service_it_needs_no_service_of_the_layer() {
    let (token_service, mut handle) = tower_test::mock::pair::<http::Request<Body>, http::Response<Body>>();
    let tokens = OAuth2Layer::new(grant()).token_service(token_service).tokens();
    let got = tokio::spawn(async move { tokens.get().await });
    let (_, respond) = handle.next_request().await.unwrap();
    respond.send_response(answer(200, token("a", 60)));
    assert_eq!(got.await.unwrap().unwrap().access_token(), "a");
}

#[tokio::test(start_paused = true)]
async fn after_a_service_was_polled_it_sends_token_requests_through_it() {
    let layer = layer();
    let tokens = layer.tokens();
    let (mut service, mut server) = mock_service(&layer);
    tokens.set(bearer("a"));
    service.ready().await.unwrap();

    let refreshed = spawn_refresh(&tokens);
    server.issue_token(token("b", 3600)).await;
    assert_eq!(refreshed.await.unwrap().unwrap().access_token(), "b");
    assert_eq!(tokens.get().await.unwrap().access_token(), "b");
}

#[tokio::test(start_paused = true)]
async fn a_failed_refresh_keeps_the_token_and_the_next_one_ignores_the_back_off() {
    let layer = layer();
    let tokens = layer.tokens();
    let (mut service, mut server) = mock_service(&layer);
    tokens.set(bearer("a"));
    service.ready().await.unwrap();
    for _ in 0..2 {
        let refreshed = spawn_refresh(&tokens);
        let (_, respond) = server.token_request().await;
        respond.send_response(answer(500, ""));
        assert_eq!(refreshed.await.unwrap().unwrap_err().kind(), ErrorKind::Overloaded);
        assert_eq!(tokens.get().await.unwrap().access_token(), "a");
    }
}

#[tokio::test(start_paused = true)]
async fn an_invalidated_token_is_not_sent_again_and_its_refresh_token_is_used() {
    let (service, mut server) = mock_service(&layer());
    let tokens = service.tokens();
    tokens.set(bearer("a").with_refresh_token("r"));
    tokens.invalidate();
    assert_eq!(tokens.peek(), None);
    let sent = tokio::spawn(service.oneshot(get(API_URL)));
    let (form, respond) = server.token_request().await;
    assert!(form.contains(&("refresh_token".to_owned(), "r".to_owned())));
    respond.send_response(answer(200, token("b", 3600)));
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer b"));
    sent.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_refresh_token_of_a_forgotten_token_is_not_used() {
    let (service, mut server) = mock_service(&layer());
    service.tokens().set(bearer("a").with_refresh_token("r"));
    service.tokens().forget();
    let sent = tokio::spawn(service.oneshot(get(API_URL)));
    server.issue_first_token(token("b", 3600)).await;
    server.next_authorization().await;
    sent.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_set_during_a_token_request_is_kept() {
    let (service, mut server) = mock_service(&layer());
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    let (_, respond) = server.token_request().await;
    service.tokens().set(bearer("set"));
    respond.send_response(answer(200, token("late", 3600)));
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer set"));
    sent.await.unwrap().unwrap();
    assert_eq!(service.tokens().peek().unwrap().access_token(), "set");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_forgotten_during_a_token_request_is_not_restored() {
    let (service, mut server) = mock_service(&layer());
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    let (_, respond) = server.token_request().await;
    service.tokens().forget();
    respond.send_response(answer(200, token("late", 3600)));
    // The waiting request obtains a first token.
    server.issue_token(token("new", 3600)).await;
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer new"));
    sent.await.unwrap().unwrap();
    assert_eq!(service.tokens().peek().unwrap().access_token(), "new");
}

#[tokio::test(start_paused = true)]
async fn changes_can_be_watched() {
    let tokens = layer().tokens();
    let mut changes = tokens.changes();
    assert_eq!(*changes.borrow(), None);
    for text in ["a", "b"] {
        tokens.set(bearer(text));
        changes.changed().await.unwrap();
        assert_eq!(changes.borrow_and_update().as_ref().unwrap().access_token(), text);
    }
    tokens.forget();
    changes.changed().await.unwrap();
    assert_eq!(*changes.borrow_and_update(), None);
    tokens.forget();
    assert!(!changes.has_changed().unwrap(), "the token was forgotten before");
}

#[tokio::test(start_paused = true)]
async fn it_authorizes_requests_that_are_sent_without_the_layer() {
    let tokens = layer().origin("https://api.example.com").unwrap().tokens();
    tokens.set(bearer("a"));
    let mut request = get(API_URL);
    assert!(tokens.authorize(&mut request).await.unwrap());
    assert_eq!(request.headers()["authorization"], "Bearer a");
    let mut other = get("https://evil.example/");
    assert!(!tokens.authorize(&mut other).await.unwrap());
    assert!(other.headers().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_token_request_continues_if_its_caller_is_dropped() {
    let (mut service, mut server) = mock_service(&layer());
    let tokens = service.tokens();
    tokens.set(bearer("a"));
    service.ready().await.unwrap();
    let abandoned = spawn_refresh(&tokens);
    let (_, respond) = server.token_request().await;
    abandoned.abort();
    respond.send_response(answer(200, token("b", 3600)));
    pass(Duration::from_millis(1)).await;
    assert_eq!(tokens.peek().unwrap().access_token(), "b");
    let sent = service.call(get(API_URL));
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer b"));
    sent.await.unwrap();
}
