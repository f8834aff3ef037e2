//! Options that every grant has: a preset token, headers, and the server's own name for Bearer.

use std::time::Duration;

use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use tower_oauth2::{OAuth2Layer, Token};

use crate::support::{
    API_URL, Body, TOKEN_URL, answer, authorization, conversation, get, grant, pass, token, token_endpoint,
};

fn preset(expires_in: u64) -> Token {
    let stored =
        json!({"access_token": "preset", "token_type": "Bearer", "expires_in": expires_in, "refresh_token": "r1"});
    serde_json::from_value(stored).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_preset_token_is_used_without_the_network_and_then_renewed() {
    let (service, mut forms) = token_endpoint(vec![]);
    let tokens = OAuth2Layer::new(grant().token(preset(60))).token_service(service).tokens();
    assert_eq!(tokens.get().await.unwrap().access_token(), "preset");
    assert!(forms.try_recv().is_err());
    pass(Duration::from_secs(60)).await;
    assert_eq!(tokens.get().await.unwrap().access_token(), "a");
    assert_eq!(forms.recv().await.unwrap()[1], ("refresh_token".to_owned(), "r1".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn one_that_has_expired_is_renewed_by_its_refresh_token() {
    let (service, mut forms) = token_endpoint(vec![answer(503, "")]);
    let tokens = OAuth2Layer::new(grant().token(preset(0))).token_service(service).tokens();
    tokens.get().await.unwrap_err();
    pass(Duration::from_secs(2)).await;
    assert_eq!(tokens.get().await.unwrap().refresh_token(), Some("r1"));
    for _ in 0..2 {
        assert_eq!(forms.recv().await.unwrap()[1], ("refresh_token".to_owned(), "r1".to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_preset_does_not_come_back() {
    let (service, mut forms) = token_endpoint(vec![]);
    let tokens = OAuth2Layer::new(grant().token(preset(60))).token_service(service).tokens();
    tokens.get().await.unwrap();
    tokens.forget();
    assert_eq!(tokens.get().await.unwrap().access_token(), "a");
    assert_eq!(forms.recv().await.unwrap()[0].1, "client_credentials");
}

#[tokio::test(start_paused = true)]
async fn one_that_is_forgotten_while_it_is_with_the_server_is_not_sent_twice() {
    let layer = OAuth2Layer::new(grant().token(preset(0)));
    let (service, mut server) = conversation(&layer);
    let first = tokio::spawn(service.clone().oneshot(get(API_URL)));
    let (sent, respond) = server.token_request().await;
    assert_eq!(sent[1], ("refresh_token".to_owned(), "r1".to_owned()));
    layer.tokens().forget();
    let second = tokio::spawn(service.oneshot(get(API_URL)));
    let (sent, respond_to_second) = server.token_request().await;
    assert_eq!(sent[0].1, "client_credentials");
    // Not even when nothing came of the first.
    respond.send_error("the connection broke");
    first.await.unwrap().unwrap_err();
    respond_to_second.send_response(answer(200, token("a", 0)));
    assert_eq!(server.serves().await.as_deref(), Some("Bearer a"));
    second.await.unwrap().unwrap();
    pass(Duration::from_secs(2)).await;
    layer.tokens().forget();
    tokio::spawn({
        let tokens = layer.tokens();
        async move { tokens.get().await }
    });
    assert_eq!(server.token_request().await.0[0].1, "client_credentials");
}

#[tokio::test(start_paused = true)]
async fn headers_go_to_the_server_and_not_to_the_api() {
    let inner = service_fn(async |request: http::Request<Body>| {
        let is_token_call = request.uri() == TOKEN_URL;
        assert_eq!(request.headers().contains_key("x-api-key"), is_token_call);
        if is_token_call {
            assert!(request.headers()["x-api-key"].is_sensitive());
            assert_eq!(request.headers()["accept"], "application/json", "the protocol's own are not replaced");
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
async fn a_token_type_of_the_servers_own_can_mean_bearer() {
    let own = || vec![answer(200, json!({"access_token": "a", "token_type": "Application Access Token"}))];
    let (service, _forms) = token_endpoint(own());
    OAuth2Layer::new(grant()).token_service(service).tokens().get().await.unwrap_err();
    let (service, _forms) = token_endpoint(own());
    let grant = grant().bearer_type("application access token");
    let token = OAuth2Layer::new(grant).token_service(service).tokens().get().await.unwrap();
    // Called by its name, so that it can be stored and read.
    assert_eq!(token.token_type(), "Bearer");
}
