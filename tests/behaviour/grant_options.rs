//! Options of all grants: an initial token, headers, and another token type for Bearer.

use std::time::Duration;

use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use tower_oauth2::{ErrorKind, OAuth2Layer, Token};

use crate::support::{
    API_URL, Body, TOKEN_URL, answer, authorization, get, grant, mock_service, pass, token, token_endpoint,
};

fn initial(expires_in: u64) -> Token {
    let stored =
        json!({"access_token": "initial", "token_type": "Bearer", "expires_in": expires_in, "refresh_token": "r1"});
    serde_json::from_value(stored).unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_initial_token_is_used_without_a_token_request_and_then_refreshed() {
    let (service, mut forms) = token_endpoint(vec![]);
    let tokens = OAuth2Layer::new(grant().token(initial(60))).token_service(service).tokens();
    assert_eq!(tokens.get().await.unwrap().access_token(), "initial");
    assert!(forms.try_recv().is_err());
    pass(Duration::from_secs(60)).await;
    assert_eq!(tokens.get().await.unwrap().access_token(), "a");
    assert_eq!(forms.recv().await.unwrap()[1], ("refresh_token".to_owned(), "r1".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn an_expired_initial_token_is_refreshed_with_its_refresh_token() {
    let (service, mut forms) = token_endpoint(vec![answer(503, "")]);
    let tokens = OAuth2Layer::new(grant().token(initial(0))).token_service(service).tokens();
    tokens.get().await.unwrap_err();
    pass(Duration::from_secs(2)).await;
    assert_eq!(tokens.get().await.unwrap().refresh_token(), Some("r1"));
    for _ in 0..2 {
        assert_eq!(forms.recv().await.unwrap()[1], ("refresh_token".to_owned(), "r1".to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_initial_token_is_not_used_again() {
    let (service, mut forms) = token_endpoint(vec![]);
    let tokens = OAuth2Layer::new(grant().token(initial(60))).token_service(service).tokens();
    tokens.get().await.unwrap();
    tokens.forget();
    assert_eq!(tokens.get().await.unwrap().access_token(), "a");
    assert_eq!(forms.recv().await.unwrap()[0].1, "client_credentials");
}

#[tokio::test(start_paused = true)]
async fn an_initial_token_that_is_forgotten_during_its_refresh_is_not_sent_twice() {
    let layer = OAuth2Layer::new(grant().token(initial(0)));
    let (service, mut server) = mock_service(&layer);
    let first = tokio::spawn(service.clone().oneshot(get(API_URL)));
    let (sent, respond) = server.token_request().await;
    assert_eq!(sent[1], ("refresh_token".to_owned(), "r1".to_owned()));
    layer.tokens().forget();
    // The waiting request starts over, as for a first token, and the next request joins it.
    let second = tokio::spawn(service.clone().oneshot(get(API_URL)));
    let (sent, respond_again) = server.token_request().await;
    assert_eq!(sent[0].1, "client_credentials");
    // Not even if the first attempt failed.
    respond.send_error("the connection broke");
    respond_again.send_response(answer(200, token("a", 0)));
    for sent in [first, second] {
        assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer a"));
        sent.await.unwrap().unwrap();
    }
    pass(Duration::from_secs(2)).await;
    layer.tokens().forget();
    tokio::spawn({
        let tokens = layer.tokens();
        async move { tokens.get().await }
    });
    assert_eq!(server.token_request().await.0[0].1, "client_credentials");
}

#[tokio::test(start_paused = true)]
async fn headers_are_sent_to_the_authorization_server_only() {
    let inner = service_fn(async |request: http::Request<Body>| {
        let is_token_request = request.uri() == TOKEN_URL;
        assert_eq!(request.headers().contains_key("x-api-key"), is_token_request);
        if is_token_request {
            assert!(request.headers()["x-api-key"].is_sensitive());
            assert_eq!(request.headers()["accept"], "application/json", "headers of the protocol are not replaced");
            assert!(authorization(&request).unwrap().starts_with("Basic "));
        }
        Ok::<_, std::io::Error>(answer(200, json!({"access_token": "a"})))
    });
    let grant = grant().header("X-Api-Key", "k").unwrap().header("Accept", "text/html").unwrap();
    let grant = grant.header("Authorization", "Other").unwrap();
    OAuth2Layer::new(grant).layer(inner).oneshot(get(API_URL)).await.unwrap();
    for (name, value) in [("no name", "x"), ("x-y", "a\nb")] {
        let error = crate::support::grant().header(name, value).unwrap_err();
        assert!(error.to_string().contains("`header`"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn another_token_type_can_mean_bearer() {
    let own = || vec![answer(200, json!({"access_token": "a", "token_type": "Application Access Token"}))];
    let (service, _forms) = token_endpoint(own());
    OAuth2Layer::new(grant()).token_service(service).tokens().get().await.unwrap_err();
    let (service, _forms) = token_endpoint(own());
    let grant = grant().bearer_type("application access token");
    let token = OAuth2Layer::new(grant).token_service(service).tokens().get().await.unwrap();
    // The token has the standard type, so that it can be stored and loaded.
    assert_eq!(token.token_type(), "Bearer");
}

/// A token that the server has bound to a key is never sent as Bearer.
#[tokio::test(start_paused = true)]
async fn d21_the_token_type_dpop_never_means_bearer() {
    let answers = vec![answer(200, json!({"access_token": "a", "token_type": "DPoP"}))];
    let (service, _forms) = token_endpoint(answers);
    let layer = OAuth2Layer::new(grant().bearer_type("dpop")).token_service(service);
    assert_eq!(layer.tokens().get().await.unwrap_err().kind(), ErrorKind::Malformed);
}
