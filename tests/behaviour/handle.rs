//! The handle to the shared token.

use std::time::Duration;

use tower::{Service as _, ServiceExt};
use tower_oauth2::{ErrorKind, OAuth2Layer, Token};

use crate::support::{API_URL, answer, conversation, get, grant, layer, pass, token};

fn bearer(text: &str) -> Token {
    Token::bearer(text).unwrap()
}

#[tokio::test(start_paused = true)]
async fn without_a_transport_it_says_so() {
    let tokens = layer().tokens();
    assert_eq!(tokens.get().await.unwrap_err().kind(), ErrorKind::NoTransport);
    assert_eq!(tokens.refresh().await.unwrap_err().kind(), ErrorKind::NoTransport);
}

#[tokio::test(start_paused = true)]
async fn with_a_token_service_it_needs_no_service_of_the_layer() {
    let (token_service, mut handle) = tower_test::mock::pair::<http::Request<_>, http::Response<_>>();
    let tokens = OAuth2Layer::new(grant()).token_service(token_service).tokens();
    let got = tokio::spawn(async move { tokens.get().await });
    let (_, respond) = handle.next_request().await.unwrap();
    respond.send_response(answer(200, token("a", 60)));
    assert_eq!(got.await.unwrap().unwrap().access_token(), "a");
}

#[tokio::test(start_paused = true)]
async fn once_a_service_was_asked_it_goes_through_that() {
    let layer = layer();
    let tokens = layer.tokens();
    let (mut service, mut server) = conversation(&layer);
    tokens.set(bearer("a"));
    service.ready().await.unwrap();

    let renewed = tokio::spawn({
        let tokens = tokens.clone();
        async move { tokens.refresh().await }
    });
    server.grants(token("b", 3600)).await;
    assert_eq!(renewed.await.unwrap().unwrap().access_token(), "b");
    assert_eq!(tokens.get().await.unwrap().access_token(), "b");
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_fails_leaves_the_token_in_use_and_does_not_wait_for_the_back_off() {
    let layer = layer();
    let tokens = layer.tokens();
    let (mut service, mut server) = conversation(&layer);
    tokens.set(bearer("a"));
    service.ready().await.unwrap();
    for _ in 0..2 {
        let renewed = tokio::spawn({
            let tokens = tokens.clone();
            async move { tokens.refresh().await }
        });
        let (_, respond) = server.token_request().await;
        respond.send_response(answer(500, ""));
        assert_eq!(renewed.await.unwrap().unwrap_err().kind(), ErrorKind::Overloaded);
        assert_eq!(tokens.get().await.unwrap().access_token(), "a");
    }
}

#[tokio::test(start_paused = true)]
async fn an_invalidated_token_is_not_sent_again_and_its_refresh_token_is_used() {
    let (service, mut server) = conversation(&layer());
    let tokens = service.tokens();
    tokens.set(bearer("a").with_refresh_token("r"));
    tokens.invalidate();
    assert_eq!(tokens.peek(), None);
    let sent = tokio::spawn(service.oneshot(get(API_URL)));
    let (form, respond) = server.token_request().await;
    assert!(form.contains(&("refresh_token".to_owned(), "r".to_owned())));
    respond.send_response(answer(200, token("b", 3600)));
    assert_eq!(server.serves().await.as_deref(), Some("Bearer b"));
    sent.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_token_leaves_no_refresh_token_behind() {
    let (service, mut server) = conversation(&layer());
    service.tokens().set(bearer("a").with_refresh_token("r"));
    service.tokens().forget();
    let sent = tokio::spawn(service.oneshot(get(API_URL)));
    let (form, respond) = server.token_request().await;
    assert_eq!(form[0].1, "client_credentials");
    respond.send_response(answer(200, token("b", 3600)));
    server.serves().await;
    sent.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_set_during_a_token_call_wins() {
    let (service, mut server) = conversation(&layer());
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    let (_, respond) = server.token_request().await;
    service.tokens().set(bearer("set"));
    respond.send_response(answer(200, token("late", 3600)));
    assert_eq!(server.serves().await.as_deref(), Some("Bearer set"));
    sent.await.unwrap().unwrap();
    assert_eq!(service.tokens().peek().unwrap().access_token(), "set");
}

#[tokio::test(start_paused = true)]
async fn what_is_forgotten_during_a_token_call_does_not_come_back() {
    let (service, mut server) = conversation(&layer());
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    let (_, respond) = server.token_request().await;
    service.tokens().forget();
    respond.send_response(answer(200, token("late", 3600)));
    // The request that waited begins anew, rather than go out with what was forgotten.
    server.grants(token("new", 3600)).await;
    assert_eq!(server.serves().await.as_deref(), Some("Bearer new"));
    sent.await.unwrap().unwrap();
    assert_eq!(service.tokens().peek().unwrap().access_token(), "new");
}

#[tokio::test(start_paused = true)]
async fn changes_are_followed() {
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
    assert!(!changes.has_changed().unwrap(), "nothing changed");
}

#[tokio::test(start_paused = true)]
async fn it_authorizes_requests_that_are_sent_without_the_layer() {
    let tokens = layer().origin("https://api.example.com").unwrap().tokens();
    tokens.set(bearer("a"));
    let mut request = get(API_URL);
    tokens.authorize(&mut request).await.unwrap();
    assert_eq!(request.headers()["authorization"], "Bearer a");
    let mut foreign = get("https://evil.example/");
    tokens.authorize(&mut foreign).await.unwrap();
    assert!(foreign.headers().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_token_call_goes_on_without_the_handle_that_began_it() {
    let (mut service, mut server) = conversation(&layer());
    let tokens = service.tokens();
    tokens.set(bearer("a"));
    service.ready().await.unwrap();
    let abandoned = tokio::spawn({
        let tokens = tokens.clone();
        async move { tokens.refresh().await }
    });
    let (_, respond) = server.token_request().await;
    abandoned.abort();
    respond.send_response(answer(200, token("b", 3600)));
    pass(Duration::from_millis(1)).await;
    assert_eq!(tokens.peek().unwrap().access_token(), "b");
    let sent = service.call(get(API_URL));
    assert_eq!(server.serves().await.as_deref(), Some("Bearer b"));
    sent.await.unwrap();
}
