//! With a token, the layer works as without the option.

use std::time::Duration;

use tower::ServiceExt;
use tower_oauth2::Token;

use super::{is_sent_with, layer, on_challenge, respond, send, status, unauthorized};
use crate::support::{API_URL, TOKEN_URL, answer, authorization, get, grant, mock_service, pass, token};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(start_paused = true)]
async fn a_token_that_is_set_is_sent() {
    let layer = layer();
    layer.tokens().set(Token::bearer("set").unwrap());
    is_sent_with(&layer, Some("Bearer set")).await;
}

#[tokio::test(start_paused = true)]
async fn get_and_refresh_obtain_a_token_at_once() {
    for is_refresh in [false, true] {
        let layer = layer();
        // The first request registers the transport.
        let (service, mut server) = mock_service(&layer);
        let first = tokio::spawn(service.clone().oneshot(get(API_URL)));
        assert_eq!(respond(&mut server, answer(200, "")).await, None);
        assert_eq!(status(first).await, 200);
        let tokens = layer.tokens();
        let getting = tokio::spawn(async move { if is_refresh { tokens.refresh().await } else { tokens.get().await } });
        server.issue_token(token("a", 3600)).await;
        assert_eq!(getting.await.unwrap().unwrap().access_token(), "a");
        is_sent_with(&layer, Some("Bearer a")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_initial_token_of_the_grant_is_sent() {
    let layer = on_challenge(grant().token(Token::bearer("initial").unwrap()));
    is_sent_with(&layer, Some("Bearer initial")).await;
}

/// An expired one without a refresh token counts as none.
#[tokio::test(start_paused = true)]
async fn an_expired_initial_token_is_not_refreshed_before_a_401() {
    let expired = Token::bearer("initial").unwrap().with_expires_in(Duration::ZERO);
    is_sent_with(&on_challenge(grant().token(expired)), None).await;
}

#[tokio::test(start_paused = true)]
async fn a_token_is_refreshed_ahead_and_after_its_expiry_and_a_rejection() {
    let layer = layer();
    layer.tokens().set(Token::bearer("a").unwrap().with_expires_in(HOUR));
    pass(HOUR - Duration::from_secs(60)).await;
    let (sent, mut server) = send(&layer);
    let (mut authorized, mut refreshed) = (None, false);
    for _ in 0..2 {
        let (request, respond) = server.next().await;
        if request.uri() == TOKEN_URL {
            refreshed = true;
            respond.send_response(answer(200, token("b", 3600)));
        } else {
            authorized = authorization(&request).map(ToOwned::to_owned);
            respond.send_response(answer(200, ""));
        }
    }
    assert!(refreshed);
    assert_eq!(authorized.as_deref(), Some("Bearer a"));
    assert_eq!(status(sent).await, 200);

    pass(HOUR).await;
    let (sent, mut server) = send(&layer);
    server.issue_token(token("c", 3600)).await;
    assert_eq!(respond(&mut server, unauthorized("Bearer error=\"invalid_token\"")).await.as_deref(), Some("Bearer c"));
    server.issue_token(token("d", 3600)).await;
    assert_eq!(respond(&mut server, answer(200, "")).await.as_deref(), Some("Bearer d"));
    assert_eq!(status(sent).await, 200);
}

#[tokio::test(start_paused = true)]
async fn an_invalidated_token_is_replaced_at_once() {
    let layer = layer();
    layer.tokens().set(Token::bearer("a").unwrap());
    layer.tokens().invalidate();
    let (sent, mut server) = send(&layer);
    server.issue_token(token("b", 3600)).await;
    assert_eq!(respond(&mut server, answer(200, "")).await.as_deref(), Some("Bearer b"));
    assert_eq!(status(sent).await, 200);
}

#[tokio::test(start_paused = true)]
async fn after_forget_requests_are_sent_without_a_token_again() {
    let layer = layer();
    for round in 0..2 {
        layer.tokens().set(Token::bearer("a").unwrap());
        is_sent_with(&layer, Some("Bearer a")).await;
        layer.tokens().forget();
        is_sent_with(&layer, None).await;
        let (sent, mut server) = send(&layer);
        assert_eq!(respond(&mut server, unauthorized("Bearer")).await, None);
        server.issue_first_token(token("b", 3600)).await;
        assert_eq!(respond(&mut server, answer(200, "")).await.as_deref(), Some("Bearer b"), "{round}");
        assert_eq!(status(sent).await, 200);
    }
}

/// A request waits for the refresh of an expired token. Then the user logs out.
#[tokio::test(start_paused = true)]
async fn a_request_that_waits_for_a_refresh_is_sent_without_a_token_after_forget() {
    let layer = layer();
    layer.tokens().set(Token::bearer("a").unwrap());
    layer.tokens().invalidate();
    let (sent, mut server) = send(&layer);
    let (_, _respond_never) = server.token_request().await;
    layer.tokens().forget();
    assert_eq!(respond(&mut server, answer(200, "")).await, None);
    assert_eq!(status(sent).await, 200);
    server.assert_no_request().await;
}

/// `keep_fresh` obtains no first token.
#[tokio::test(start_paused = true)]
async fn keep_fresh_starts_nothing() {
    let layer = layer();
    let (service, mut server) = mock_service(&layer);
    let kept = tokio::spawn(layer.tokens().keep_fresh());
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    respond(&mut server, answer(200, "")).await;
    assert_eq!(status(sent).await, 200);
    pass(24 * HOUR).await;
    server.assert_no_request().await;
    kept.abort();
}
