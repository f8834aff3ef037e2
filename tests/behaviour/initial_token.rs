//! The token of `.token(…)` is the layer's token from the start.

use std::time::Duration;

use http::Response;
use serde_json::json;
use tower::{Layer, ServiceExt};
use tower_oauth2::client::Client;
use tower_oauth2::grant::{DeviceCode, Grant, RefreshToken};
use tower_oauth2::{ErrorKind, OAuth2Layer, Token, Tokens};

use crate::support::{API_URL, Body, Forms, TOKEN_URL, answer, get, grant, mock_service, pass, token, token_endpoint};

const HOUR: Duration = Duration::from_secs(3600);

fn initial(lifetime: Duration) -> Token {
    Token::bearer("initial").unwrap().with_expires_in(lifetime)
}

fn with_refresh_token(lifetime: Duration) -> Token {
    initial(lifetime).with_refresh_token("own")
}

fn refresh_token_grant() -> RefreshToken {
    RefreshToken::new(TOKEN_URL, Client::public("id"), "configured").unwrap()
}

fn tokens(grant: impl Grant, answers: Vec<Response<Body>>) -> (Tokens, Forms) {
    let (service, forms) = token_endpoint(answers);
    (OAuth2Layer::new(grant).token_service(service).tokens(), forms)
}

/// Returns the refresh token of the next token request, which must have been sent.
fn sent(forms: &mut Forms) -> Option<String> {
    let form = forms.try_recv().expect("no token request was sent");
    form.into_iter().find(|(name, _)| name == "refresh_token").map(|(_, value)| value)
}

#[track_caller]
fn nothing_sent(forms: &mut Forms) {
    assert!(forms.try_recv().is_err(), "a token request was sent");
}

fn rotated(access_token: &str, refresh_token: &str) -> Response<Body> {
    let body = json!({"access_token": access_token, "refresh_token": refresh_token, "expires_in": 3600});
    answer(200, body)
}

#[tokio::test(start_paused = true)]
async fn the_refresh_token_of_the_grant_is_kept_with_an_initial_token_without_one() {
    let (tokens, mut forms) = tokens(refresh_token_grant().token(initial(HOUR)), vec![rotated("a", "next")]);
    assert_eq!(tokens.get().await.unwrap().access_token(), "initial");
    nothing_sent(&mut forms);
    pass(HOUR).await;
    assert_eq!(tokens.get().await.unwrap().access_token(), "a");
    assert_eq!(sent(&mut forms).as_deref(), Some("configured"));
    pass(HOUR).await;
    tokens.get().await.unwrap();
    assert_eq!(sent(&mut forms).as_deref(), Some("next"));
}

#[tokio::test(start_paused = true)]
async fn the_initial_tokens_own_refresh_token_takes_precedence() {
    let (tokens, mut forms) = tokens(refresh_token_grant().token(with_refresh_token(HOUR)), vec![]);
    tokens.refresh().await.unwrap();
    assert_eq!(sent(&mut forms).as_deref(), Some("own"));
}

#[tokio::test(start_paused = true)]
async fn the_refresh_token_is_forgotten_with_the_initial_token() {
    let (tokens, mut forms) = tokens(refresh_token_grant().token(initial(HOUR)), vec![]);
    tokens.forget();
    assert_eq!(tokens.get().await.unwrap_err().kind(), ErrorKind::LoginRequired);
    nothing_sent(&mut forms);
}

#[tokio::test(start_paused = true)]
async fn refresh_refreshes_it_each_time() {
    let (tokens, mut forms) =
        tokens(grant().token(with_refresh_token(HOUR)), vec![rotated("a", "r2"), rotated("b", "r3")]);
    assert_eq!(tokens.refresh().await.unwrap().access_token(), "a");
    assert_eq!(sent(&mut forms).as_deref(), Some("own"));
    assert_eq!(tokens.refresh().await.unwrap().access_token(), "b");
    assert_eq!(sent(&mut forms).as_deref(), Some("r2"));
    nothing_sent(&mut forms);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_fails_leaves_it_in_use() {
    let (tokens, _forms) = tokens(grant().token(with_refresh_token(HOUR)), vec![answer(503, "")]);
    assert_eq!(tokens.refresh().await.unwrap_err().kind(), ErrorKind::Overloaded);
    assert_eq!(tokens.get().await.unwrap().access_token(), "initial");
}

#[tokio::test(start_paused = true)]
async fn peek_and_changes_show_it_before_the_first_request() {
    let (tokens, mut forms) = tokens(grant().token(initial(HOUR)), vec![]);
    assert_eq!(tokens.peek().unwrap().access_token(), "initial");
    assert_eq!(*tokens.changes().borrow(), tokens.peek());
    nothing_sent(&mut forms);
}

#[tokio::test(start_paused = true)]
async fn it_can_be_invalidated_before_the_first_request() {
    let (tokens, mut forms) = tokens(grant().token(with_refresh_token(HOUR)), vec![]);
    tokens.invalidate();
    assert_eq!(tokens.peek(), None);
    assert_eq!(tokens.get().await.unwrap().access_token(), "a");
    assert_eq!(sent(&mut forms).as_deref(), Some("own"));
}

#[tokio::test(start_paused = true)]
async fn it_can_be_forgotten_before_the_first_request() {
    let (tokens, mut forms) = tokens(grant().token(with_refresh_token(HOUR)), vec![]);
    tokens.forget();
    assert_eq!(tokens.get().await.unwrap().access_token(), "a");
    assert_eq!(sent(&mut forms), None);
}

#[tokio::test(start_paused = true)]
async fn an_expired_initial_token_is_refreshed_first() {
    let (tokens, mut forms) = tokens(grant().token(with_refresh_token(Duration::ZERO)), vec![]);
    assert_eq!(tokens.get().await.unwrap().access_token(), "a");
    assert_eq!(sent(&mut forms).as_deref(), Some("own"));
}

#[tokio::test(start_paused = true)]
async fn an_expired_initial_token_without_a_refresh_token_counts_as_none() {
    let device = DeviceCode::new("https://auth.example.com/device", TOKEN_URL, Client::public("id"), |_| {}).unwrap();
    let layer = OAuth2Layer::new(device.token(initial(Duration::ZERO)));
    assert_eq!(layer.tokens().peek(), None);
    let (service, mut server) = mock_service(&layer);
    // So the login is the first one, which a request starts.
    tokio::spawn(service.oneshot(get(API_URL)));
    assert_eq!(server.next().await.0.uri(), "https://auth.example.com/device");
}

#[tokio::test(start_paused = true)]
async fn a_rejected_initial_token_is_refreshed() {
    let (service, mut server) = mock_service(&OAuth2Layer::new(grant().token(with_refresh_token(HOUR))));
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    let (_, respond) = server.next().await;
    respond.send_response(answer(401, ""));
    assert_eq!(sent.await.unwrap().unwrap().status(), 401);
    let sent = tokio::spawn(service.oneshot(get(API_URL)));
    assert_eq!(server.token_request().await.0[1].1, "own");
    sent.abort();
}

#[tokio::test(start_paused = true)]
async fn a_due_initial_token_is_refreshed_in_the_background() {
    let layer = OAuth2Layer::new(grant().token(with_refresh_token(HOUR)));
    let (service, mut server) = mock_service(&layer);
    pass(HOUR - Duration::from_secs(60)).await;
    let sent = tokio::spawn(service.oneshot(get(API_URL)));
    let (mut refreshed, mut served) = (false, false);
    for _ in 0..2 {
        let (request, respond) = server.next().await;
        let is_token_request = request.uri() == TOKEN_URL;
        let body = if is_token_request { token("a", 3600).to_string() } else { String::new() };
        (refreshed, served) = (refreshed | is_token_request, served | !is_token_request);
        respond.send_response(answer(200, body));
    }
    assert!(refreshed && served);
    sent.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn options_apply_to_it() {
    let skew = |layer: OAuth2Layer<_>| layer.clock_skew(Duration::from_secs(360)).refresh_ahead(Duration::ZERO);
    let (service, mut forms) = token_endpoint(vec![]);
    let tokens = skew(OAuth2Layer::new(grant().token(initial(HOUR)))).token_service(service).tokens();
    pass(HOUR - Duration::from_secs(300)).await;
    assert_eq!(tokens.get().await.unwrap().access_token(), "a");
    assert_eq!(sent(&mut forms), None);

    let (service, _forms) = token_endpoint(vec![]);
    let endless = grant().token(Token::bearer("initial").unwrap());
    let tokens = OAuth2Layer::new(endless).default_lifetime(HOUR).token_service(service).tokens();
    assert_eq!(tokens.get().await.unwrap().access_token(), "initial");
    pass(HOUR).await;
    assert_eq!(tokens.get().await.unwrap().access_token(), "a");
}

#[tokio::test(start_paused = true)]
async fn an_option_that_is_set_later_does_not_restore_it() {
    let layer = OAuth2Layer::new(grant().token(initial(HOUR)));
    layer.tokens().invalidate();
    let layer = layer.clock_skew(Duration::from_secs(10));
    assert_eq!(layer.tokens().peek(), None);
    layer.tokens().set(Token::bearer("set").unwrap());
    assert_eq!(layer.clock_skew(Duration::ZERO).tokens().peek().unwrap().access_token(), "set");
}

#[tokio::test(start_paused = true)]
async fn clones_of_a_layer_share_it_and_layers_of_one_grant_do_not() {
    let initial = grant().token(with_refresh_token(HOUR));
    let (layer, other) = (OAuth2Layer::new(initial.clone()), OAuth2Layer::new(initial));
    let clone = layer.clone();
    clone.tokens().invalidate();
    assert_eq!(layer.tokens().peek(), None);
    assert_eq!(other.tokens().peek().unwrap().access_token(), "initial");
    let (inner, _handle) = tower_test::mock::pair::<http::Request<Body>, Response<Body>>();
    assert_eq!(other.layer(inner).tokens().peek().unwrap().access_token(), "initial");
}
