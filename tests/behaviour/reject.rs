//! `Tokens::reject` reports a rejection for requests that are sent without the layer. It is conditional.

use std::time::Duration;

use tower::ServiceExt;
use tower_oauth2::{Token, Tokens};

use crate::support::{API_URL, Server, Service, answer, get, layer, mock_service, pass, spawn_refresh, token};

fn bearer(text: &str) -> Token {
    Token::bearer(text).unwrap()
}

async fn with(text: &str) -> (Service, Tokens, Server) {
    let (mut service, server) = mock_service(&layer());
    let tokens = service.tokens();
    tokens.set(bearer(text));
    service.ready().await.unwrap();
    (service, tokens, server)
}

#[tokio::test(start_paused = true)]
async fn the_newest_token_is_refreshed_at_once_and_not_sent_again() {
    let (service, tokens, mut server) = with("a").await;
    tokens.reject(&tokens.get().await.unwrap());
    assert_eq!(tokens.peek(), None);
    let (_, respond) = server.token_request().await;
    let sent = tokio::spawn(service.oneshot(get(API_URL)));
    respond.send_response(answer(200, token("b", 3600)));
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer b"));
    sent.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn twice_is_one_refresh() {
    let (_service, tokens, mut server) = with("a").await;
    let rejected = tokens.get().await.unwrap();
    for _ in 0..3 {
        tokens.reject(&rejected);
        tokens.clone().reject(&rejected.clone());
    }
    server.issue_token(token("b", 3600)).await;
    pass(Duration::from_millis(1)).await;
    tokens.reject(&rejected);
    assert_eq!(tokens.peek().unwrap().access_token(), "b");
    server.assert_no_request().await;
}

#[tokio::test(start_paused = true)]
async fn an_older_token_or_one_of_another_layer_has_no_effect() {
    let (_service, tokens, mut server) = with("a").await;
    let old = tokens.get().await.unwrap();
    tokens.set(bearer("b"));
    tokens.reject(&old);
    tokens.reject(&bearer("another's"));
    assert_eq!(tokens.peek().unwrap().access_token(), "b");
    tokens.forget();
    tokens.reject(&old);
    tokens.reject(&bearer("b"));
    server.assert_no_request().await;
    // Another layer with the same token is not affected.
    let (_other_service, other, mut other_server) = with("b").await;
    tokens.reject(&bearer("b"));
    assert_eq!(other.peek().unwrap().access_token(), "b");
    other_server.assert_no_request().await;
}

/// A token that a response has accepted stays in use meanwhile, as after a 401 through the layer.
#[tokio::test(start_paused = true)]
async fn an_accepted_token_stays_in_use() {
    let (service, tokens, mut server) = with("a").await;
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    server.next_authorization().await;
    sent.await.unwrap().unwrap();
    tokens.reject(&bearer("a"));
    assert_eq!(tokens.peek().unwrap().access_token(), "a");
    let (_, respond) = server.token_request().await;
    let sent = tokio::spawn(service.oneshot(get(API_URL)));
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer a"));
    sent.await.unwrap().unwrap();
    respond.send_response(answer(200, token("b", 3600)));
    pass(Duration::from_millis(1)).await;
    assert_eq!(tokens.peek().unwrap().access_token(), "b");
}

/// An API that rejects every token causes a bounded number of token requests.
#[tokio::test(start_paused = true)]
async fn it_is_bounded() {
    let (_service, tokens, mut server) = with("first").await;
    let (mut token_requests, mut next) = (0, bearer("first"));
    for _ in 0..100 {
        tokens.reject(&next);
        if let Ok((_, respond)) = tokio::time::timeout(Duration::from_millis(1), server.token_request()).await {
            token_requests += 1;
            respond.send_response(answer(200, token(&format!("t{token_requests}"), 3600)));
            pass(Duration::from_millis(1)).await;
            next = tokens.get().await.unwrap();
        }
        pass(Duration::from_millis(98)).await;
    }
    assert!((2..=6).contains(&token_requests), "{token_requests} in ten seconds");
}

/// Without a transport no refresh can start. The next request starts it.
#[tokio::test(start_paused = true)]
async fn without_a_transport_the_next_request_refreshes() {
    let layer = layer();
    layer.tokens().set(bearer("a"));
    layer.tokens().reject(&bearer("a"));
    assert_eq!(layer.tokens().peek(), None);
    let (service, mut server) = mock_service(&layer);
    let sent = tokio::spawn(service.oneshot(get(API_URL)));
    server.issue_token(token("b", 3600)).await;
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer b"));
    sent.await.unwrap().unwrap();
}

/// While a refresh is running, a rejection of the token that it replaces starts no second one.
#[tokio::test(start_paused = true)]
async fn during_a_refresh() {
    let (_service, tokens, mut server) = with("a").await;
    let refreshed = spawn_refresh(&tokens);
    let (_, respond) = server.token_request().await;
    tokens.reject(&bearer("a"));
    respond.send_response(answer(200, token("b", 3600)));
    assert_eq!(refreshed.await.unwrap().unwrap().access_token(), "b");
    server.assert_no_request().await;
}
