//! A refresh token that client credentials brought, contrary to RFC 6749 §4.4.3, is used.

use std::time::Duration;

use serde_json::json;
use tower::ServiceExt;
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::TokenEndpoint;
use tower_oauth2::form::Form;
use tower_oauth2::transport::Transport;
use tower_oauth2::{ErrorKind, OAuth2Layer, Token};

use crate::support::{
    API_URL, Server, Service, TOKEN_URL, answer, conversation, get, grant, ours, pairs, pass, token, token_endpoint,
};

/// A service whose token has just expired, and has a refresh token.
async fn expired() -> (Service, Server) {
    let layer = OAuth2Layer::new(grant().scope("read").unwrap().param("audience", "x"));
    layer.tokens().set(
        serde_json::from_value(json!({"access_token": "a", "refresh_token": "r1", "expires_in": 0, "scope": "read"}))
            .unwrap(),
    );
    conversation(&layer)
}

fn send(service: &Service) -> tokio::task::JoinHandle<Result<http::Response<crate::support::Body>, tower::BoxError>> {
    tokio::spawn(service.clone().oneshot(get(API_URL)))
}

const REFRESH: [(&str, &str); 3] = [("grant_type", "refresh_token"), ("refresh_token", "r1"), ("audience", "x")];

fn held(service: &Service) -> Token {
    service.tokens().peek().unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_the_answer_leaves_out_is_kept() {
    let (service, mut server) = expired().await;
    let sent = send(&service);
    let (form, respond) = server.token_request().await;
    // A refresh gets what was granted: it does not repeat the scope.
    assert_eq!(form, pairs(&REFRESH));
    respond.send_response(answer(200, token("b", 3600)));
    assert_eq!(server.serves().await.as_deref(), Some("Bearer b"));
    sent.await.unwrap().unwrap();
    assert_eq!((held(&service).refresh_token(), held(&service).scope()), (Some("r1"), Some("read")));
}

#[tokio::test(start_paused = true)]
async fn a_rotated_refresh_token_replaces_the_old_one() {
    let (service, mut server) = expired().await;
    let sent = send(&service);
    server.grants(json!({"access_token": "b", "refresh_token": "r2", "scope": "less"})).await;
    server.serves().await;
    sent.await.unwrap().unwrap();
    assert_eq!((held(&service).refresh_token(), held(&service).scope()), (Some("r2"), Some("less")));
}

#[tokio::test(start_paused = true)]
async fn when_it_is_refused_the_grant_follows_at_once() {
    for (status, body) in [(400, r#"{"error":"invalid_grant"}"#), (400, r#"{"error":"invalid_request"}"#), (403, "")] {
        let (service, mut server) = expired().await;
        let sent = send(&service);
        let (_, respond) = server.token_request().await;
        respond.send_response(answer(status, body));
        let (form, respond) = server.token_request().await;
        assert_eq!(form, pairs(&[("grant_type", "client_credentials"), ("scope", "read"), ("audience", "x")]));
        respond.send_response(answer(200, token("b", 3600)));
        assert_eq!(server.serves().await.as_deref(), Some("Bearer b"));
        sent.await.unwrap().unwrap();
        assert_eq!(held(&service).refresh_token(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_no_refusal_and_the_refresh_token_is_kept() {
    // A gateway that answers 503 is not believed about the grant.
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
    server.serves().await;
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
    let (form, respond) = server.token_request().await;
    assert_eq!(form[0].1, "client_credentials");
    respond.send_response(answer(200, token("b", 3600)));
    server.serves().await;
    sent.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_grant_of_ones_own_has_its_dead_refresh_token_dropped_too() {
    let endpoint = TokenEndpoint::new(TOKEN_URL, Client::public("id")).unwrap();
    let grant = move |previous: Option<Token>, http: Transport| {
        let endpoint = endpoint.clone();
        async move {
            let refresh_token = previous.as_ref().and_then(Token::refresh_token).unwrap_or("none");
            endpoint.token(&http, Form::new("refresh_token").param("refresh_token", refresh_token)).await
        }
    };
    let (service, mut forms) = token_endpoint(vec![answer(400, r#"{"error":"invalid_grant"}"#)]);
    let tokens = OAuth2Layer::new(grant).token_service(service).tokens();
    tokens.set(Token::bearer("a").unwrap().with_refresh_token("r1").with_expires_in(Duration::ZERO));
    assert_eq!(tokens.get().await.unwrap_err().kind(), ErrorKind::InvalidGrant);
    pass(Duration::from_secs(2)).await;
    tokens.get().await.unwrap();
    assert_eq!(forms.recv().await.unwrap()[1].1, "r1");
    assert_eq!(forms.recv().await.unwrap()[1].1, "none");
}
