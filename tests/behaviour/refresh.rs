//! A refresh token in the response to client credentials is used, although RFC 6749 §4.4.3 advises against it.

use std::time::Duration;

use serde_json::json;
use tower::ServiceExt;
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::TokenEndpoint;
use tower_oauth2::form::Form;
use tower_oauth2::grant::{Context, grant_fn};
use tower_oauth2::{ErrorKind, OAuth2Layer, Token};

use crate::support::{
    API_URL, Server, Service, TOKEN_URL, answer, get, grant, mock_service, ours, pairs, pass, token, token_endpoint,
};

/// Returns a service whose token has just expired, and has a refresh token.
async fn expired() -> (Service, Server) {
    let layer = OAuth2Layer::new(grant().scope("read").unwrap().param("audience", "x"));
    layer.tokens().set(
        serde_json::from_value(json!({"access_token": "a", "refresh_token": "r1", "expires_in": 0, "scope": "read"}))
            .unwrap(),
    );
    mock_service(&layer)
}

fn send(service: &Service) -> tokio::task::JoinHandle<Result<http::Response<crate::support::Body>, tower::BoxError>> {
    tokio::spawn(service.clone().oneshot(get(API_URL)))
}

const REFRESH: [(&str, &str); 3] = [("grant_type", "refresh_token"), ("refresh_token", "r1"), ("audience", "x")];

fn newest(service: &Service) -> Token {
    service.tokens().peek().unwrap()
}

#[tokio::test(start_paused = true)]
async fn values_that_the_response_omits_are_kept() {
    let (service, mut server) = expired().await;
    let sent = send(&service);
    let (form, respond) = server.token_request().await;
    // A refresh does not repeat the scope.
    assert_eq!(form, pairs(&REFRESH));
    respond.send_response(answer(200, token("b", 3600)));
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer b"));
    sent.await.unwrap().unwrap();
    assert_eq!((newest(&service).refresh_token(), newest(&service).scope()), (Some("r1"), Some("read")));
}

#[tokio::test(start_paused = true)]
async fn a_rotated_refresh_token_replaces_the_old_one() {
    let (service, mut server) = expired().await;
    let sent = send(&service);
    server.issue_token(json!({"access_token": "b", "refresh_token": "r2", "scope": "less"})).await;
    server.next_authorization().await;
    sent.await.unwrap().unwrap();
    assert_eq!((newest(&service).refresh_token(), newest(&service).scope()), (Some("r2"), Some("less")));
}

#[tokio::test(start_paused = true)]
async fn after_a_rejected_refresh_token_the_grant_follows_at_once() {
    for (status, body) in [(400, r#"{"error":"invalid_grant"}"#), (400, r#"{"error":"invalid_request"}"#), (403, "")] {
        let (service, mut server) = expired().await;
        let sent = send(&service);
        let (_, respond) = server.token_request().await;
        respond.send_response(answer(status, body));
        let (form, respond) = server.token_request().await;
        assert_eq!(form, pairs(&[("grant_type", "client_credentials"), ("scope", "read"), ("audience", "x")]));
        respond.send_response(answer(200, token("b", 3600)));
        assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer b"));
        sent.await.unwrap().unwrap();
        assert_eq!(newest(&service).refresh_token(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn the_refresh_token_is_kept_during_an_outage() {
    // The body of a 503 is ignored, because it may come from a gateway.
    let (service, mut server) = expired().await;
    let sent = send(&service);
    let (_, respond) = server.token_request().await;
    respond.send_response(answer(503, r#"{"error":"invalid_grant"}"#));
    assert_eq!(ours(sent.await.unwrap().unwrap_err()).kind(), ErrorKind::Overloaded);

    pass(Duration::from_secs(2)).await;
    let sent = send(&service);
    let (form, respond) = server.token_request().await;
    assert_eq!(form, pairs(&REFRESH));
    respond.send_response(answer(200, token("b", 3600)));
    server.next_authorization().await;
    sent.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_dead_refresh_token_is_not_sent_twice() {
    let (service, mut server) = expired().await;
    let sent = send(&service);
    let (_, respond) = server.token_request().await;
    respond.send_response(answer(400, r#"{"error":"invalid_grant"}"#));
    let (_, respond) = server.token_request().await;
    respond.send_response(answer(503, ""));
    sent.await.unwrap().unwrap_err();

    pass(Duration::from_secs(2)).await;
    let sent = send(&service);
    server.issue_first_token(token("b", 3600)).await;
    server.next_authorization().await;
    sent.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_dead_refresh_token_of_a_custom_grant_is_dropped_too() {
    let endpoint = TokenEndpoint::new(TOKEN_URL, Client::public("id")).unwrap();
    let grant = grant_fn(move |cx: Context| {
        let endpoint = endpoint.clone();
        async move {
            let refresh_token = cx.previous().and_then(Token::refresh_token).unwrap_or("none");
            endpoint.token(cx.transport(), Form::new("refresh_token").param("refresh_token", refresh_token)).await
        }
    });
    let (service, mut forms) = token_endpoint(vec![answer(400, r#"{"error":"invalid_grant"}"#)]);
    let tokens = OAuth2Layer::new(grant).token_service(service).tokens();
    tokens.set(Token::bearer("a").unwrap().with_refresh_token("r1").with_expires_in(Duration::ZERO));
    assert_eq!(tokens.get().await.unwrap_err().kind(), ErrorKind::InvalidGrant);
    pass(Duration::from_secs(2)).await;
    tokens.get().await.unwrap();
    assert_eq!(forms.recv().await.unwrap()[1].1, "r1");
    assert_eq!(forms.recv().await.unwrap()[1].1, "none");
}
