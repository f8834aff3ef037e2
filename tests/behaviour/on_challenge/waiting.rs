//! What the application does while the first login waits.

use tower_oauth2::grant::{Context, Reason, grant_fn};
use tower_oauth2::{OAuth2Layer, Token};

use super::{Sent, is_sent_with, layer, on_challenge, respond, send, status, unauthorized};
use crate::support::{Server, answer, token};

/// A request whose 401 has started a token request, which the server does not answer.
async fn waiting<G: tower_oauth2::grant::Grant>(
    layer: &OAuth2Layer<G>,
) -> (Sent, Server, tower_test::mock::SendResponse<http::Response<crate::support::Body>>) {
    let (sent, mut server) = send(layer);
    respond(&mut server, unauthorized("Bearer")).await;
    let (_, respond_token) = server.token_request().await;
    (sent, server, respond_token)
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_set_is_sent_at_once() {
    let layer = layer();
    let (sent, mut server, respond_late) = waiting(&layer).await;
    layer.tokens().set(Token::bearer("set").unwrap());
    assert_eq!(respond(&mut server, answer(200, "")).await.as_deref(), Some("Bearer set"));
    assert_eq!(status(sent).await, 200);
    respond_late.send_response(answer(200, token("late", 3600)));
    layer.tokens().flush().await;
    is_sent_with(&layer, Some("Bearer set")).await;
}

/// The API demands a token for this request, so it starts over. Others are sent without one.
#[tokio::test(start_paused = true)]
async fn after_forget_the_challenged_request_starts_over() {
    let layer = layer();
    let (sent, mut server, respond_late) = waiting(&layer).await;
    layer.tokens().forget();
    is_sent_with(&layer, None).await;
    let (_, respond_token) = server.token_request().await;
    respond_late.send_response(answer(200, token("late", 3600)));
    is_sent_with(&layer, None).await;
    respond_token.send_response(answer(200, token("a", 3600)));
    assert_eq!(respond(&mut server, answer(200, "")).await.as_deref(), Some("Bearer a"));
    assert_eq!(status(sent).await, 200);
    is_sent_with(&layer, Some("Bearer a")).await;
}

#[tokio::test(start_paused = true)]
async fn after_forget_without_a_waiting_request_nothing_starts() {
    let layer = layer();
    let (sent, mut server, respond_late) = waiting(&layer).await;
    sent.abort();
    assert!(sent.await.is_err());
    layer.tokens().forget();
    respond_late.send_response(answer(200, token("late", 3600)));
    is_sent_with(&layer, None).await;
    server.assert_no_request().await;
    assert_eq!(layer.tokens().peek(), None);
}

/// There is nothing to invalidate.
#[tokio::test(start_paused = true)]
async fn invalidate_changes_nothing() {
    let layer = layer();
    let (sent, mut server, respond_token) = waiting(&layer).await;
    layer.tokens().invalidate();
    respond_token.send_response(answer(200, token("a", 3600)));
    assert_eq!(respond(&mut server, answer(200, "")).await.as_deref(), Some("Bearer a"));
    assert_eq!(status(sent).await, 200);
}

#[tokio::test(start_paused = true)]
async fn get_waits_for_the_same_login() {
    let layer = layer();
    let (sent, mut server, respond_token) = waiting(&layer).await;
    let tokens = layer.tokens();
    let getting = tokio::spawn(async move { tokens.get().await });
    server.assert_no_request().await;
    respond_token.send_response(answer(200, token("a", 3600)));
    assert_eq!(getting.await.unwrap().unwrap().access_token(), "a");
    respond(&mut server, answer(200, "")).await;
    assert_eq!(status(sent).await, 200);
}

#[tokio::test(start_paused = true)]
async fn a_401_joins_the_refresh_that_the_application_has_started() {
    let layer = layer();
    let (sent, mut server) = send(&layer);
    let (_, respond_api) = server.next().await;
    let getting = crate::support::spawn_refresh(&layer.tokens());
    let (_, respond_token) = server.token_request().await;
    respond_api.send_response(unauthorized("Bearer"));
    server.assert_no_request().await;
    respond_token.send_response(answer(200, token("a", 3600)));
    assert_eq!(respond(&mut server, answer(200, "")).await.as_deref(), Some("Bearer a"));
    assert_eq!(status(sent).await, 200);
    assert_eq!(getting.await.unwrap().unwrap().access_token(), "a");
}

/// The request was sent before the logout, so its 401 is not about what follows.
#[tokio::test(start_paused = true)]
async fn a_late_401_starts_nothing_after_a_logout() {
    let layer = layer();
    let (late, mut late_server) = send(&layer);
    let (_, respond_late) = late_server.next().await;
    layer.tokens().set(Token::bearer("a").unwrap());
    layer.tokens().forget();
    respond_late.send_response(unauthorized("Bearer"));
    assert_eq!(status(late).await, 401);
    late_server.assert_no_request().await;
}

#[tokio::test(start_paused = true)]
async fn the_login_ends_with_the_layer_and_its_services() {
    let (began, mut has_begun) = tokio::sync::mpsc::unbounded_channel();
    let layer = on_challenge(grant_fn(move |cx: Context| {
        began.send(cx.reason()).unwrap();
        std::future::pending()
    }));
    let (sent, mut server) = send(&layer);
    respond(&mut server, unauthorized("Bearer")).await;
    assert_eq!(has_begun.recv().await, Some(Reason::Challenged));
    drop(layer);
    sent.abort();
    assert!(sent.await.is_err());
    assert!(has_begun.try_recv().is_err(), "it is not started again");
}
