//! S4, S6: a token with more scope is obtained, and the token in use stays in use.

use tower::ServiceExt;
use tower_oauth2::grant::{Context, Reason, grant_fn};
use tower_oauth2::retry::{RejectionReason, RetryUnauthorized, TokenRejected};
use tower_oauth2::{ErrorKind, OAuth2Layer, Token};

use super::{issue, needs_scope, respond, send};
use crate::support::{API_URL, answer, get, grant, layer, mock_service, ours, token};

#[tokio::test(start_paused = true)]
async fn the_next_token_has_the_configured_and_the_demanded_scope() {
    let layer = OAuth2Layer::new(grant().scope("read").unwrap()).step_up();
    let (sent, mut server) = send(&layer);
    assert_eq!(issue(&mut server, "a", "scope").await.as_deref(), Some("read"));
    assert_eq!(respond(&mut server, needs_scope("write admin")).await, "Bearer a");
    assert_eq!(issue(&mut server, "b", "scope").await.as_deref(), Some("read admin write"));
    assert_eq!(respond(&mut server, answer(200, "")).await, "Bearer b");
    assert_eq!(sent.await.unwrap().unwrap().status(), 200);
    // The next token keeps it.
    layer.tokens().invalidate();
    let (_sent, mut server) = send(&layer);
    assert_eq!(issue(&mut server, "c", "scope").await.as_deref(), Some("read admin write"));
}

#[tokio::test(start_paused = true)]
async fn without_the_option_the_response_passes() {
    let layer = layer();
    layer.tokens().set(Token::bearer("a").unwrap());
    let (sent, mut server) = send(&layer);
    respond(&mut server, needs_scope("write")).await;
    let response = sent.await.unwrap().unwrap();
    assert_eq!(response.status(), 403);
    assert!(response.extensions().get::<TokenRejected>().is_none());
    server.assert_no_request().await;
}

/// Also in real time, where requests with a fresh token would take the fast path.
#[tokio::test]
async fn a_token_that_was_accepted_before_is_challenged_too() {
    let layer = layer();
    layer.tokens().set(Token::bearer("a").unwrap());
    for _ in 0..3 {
        let (sent, mut server) = send(&layer);
        respond(&mut server, answer(200, "")).await;
        sent.await.unwrap().unwrap();
    }
    let layer = layer.step_up();
    let (sent, mut server) = send(&layer);
    respond(&mut server, needs_scope("write")).await;
    assert_eq!(issue(&mut server, "b", "scope").await.as_deref(), Some("write"));
    assert_eq!(respond(&mut server, answer(200, "")).await, "Bearer b");
    assert_eq!(sent.await.unwrap().unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn s4_ten_requests_with_one_challenge_cause_one_refresh() {
    let layer = layer().step_up();
    layer.tokens().set(Token::bearer("a").unwrap());
    let (service, mut server) = mock_service(&layer);
    let service = tower::Layer::layer(&tower::retry::RetryLayer::new(RetryUnauthorized::new()), service);
    let sent: Vec<_> = (0..10).map(|_| tokio::spawn(service.clone().oneshot(get(API_URL)))).collect();
    let mut all = Vec::new();
    for _ in 0..10 {
        all.push(server.next().await);
    }
    for (request, respond) in all {
        assert_eq!(request.headers()["authorization"], "Bearer a");
        respond.send_response(needs_scope("write"));
    }
    issue(&mut server, "b", "scope").await;
    for _ in 0..10 {
        assert_eq!(respond(&mut server, answer(200, "")).await, "Bearer b");
    }
    for sent in sent {
        assert_eq!(sent.await.unwrap().unwrap().status(), 200);
    }
    server.assert_no_request().await;
}

#[tokio::test(start_paused = true)]
async fn s6_the_token_stays_in_use_for_other_requests() {
    let layer = layer().step_up();
    layer.tokens().set(Token::bearer("a").unwrap());
    let (sent, mut server) = send(&layer);
    respond(&mut server, needs_scope("write")).await;
    let (_, issue_later) = server.token_request().await;
    for _ in 0..3 {
        let (other, mut api) = send(&layer);
        assert_eq!(respond(&mut api, answer(200, "")).await, "Bearer a");
        assert_eq!(other.await.unwrap().unwrap().status(), 200);
    }
    assert!(!sent.is_finished());
    issue_later.send_response(answer(200, token("b", 3600)));
    assert_eq!(respond(&mut server, answer(200, "")).await, "Bearer b");
    sent.await.unwrap().unwrap();
}

/// The error replaces the 403 of the repeated request, and other requests notice nothing.
#[tokio::test(start_paused = true)]
async fn s8_a_failed_refresh_is_the_error_of_the_challenged_request_only() {
    let layer = layer().step_up();
    layer.tokens().set(Token::bearer("a").unwrap());
    let (sent, mut server) = send(&layer);
    respond(&mut server, needs_scope("write")).await;
    let (_, respond_token) = server.token_request().await;
    respond_token.send_response(answer(400, serde_json::json!({"error": "invalid_scope"})));
    let error = ours(sent.await.unwrap().unwrap_err());
    assert_eq!(error.oauth().unwrap().error(), "invalid_scope");
    for _ in 0..2 {
        let (other, mut api) = send(&layer);
        assert_eq!(respond(&mut api, answer(200, "")).await, "Bearer a");
        assert_eq!(other.await.unwrap().unwrap().status(), 200);
    }
    assert_eq!(layer.tokens().get().await.unwrap().access_token(), "a");
}

#[tokio::test(start_paused = true)]
async fn a_grant_of_the_user_reads_the_challenge() {
    let layer = OAuth2Layer::new(grant_fn(async |cx: Context| {
        assert_eq!(cx.reason(), Reason::Challenged);
        let scope = cx.challenge().and_then(|challenge| challenge.scope()).unwrap_or("none");
        Token::bearer(format!("with-{scope}"))
    }))
    .step_up();
    layer.tokens().set(Token::bearer("a").unwrap());
    let (sent, mut server) = send(&layer);
    respond(&mut server, needs_scope("write")).await;
    assert_eq!(respond(&mut server, answer(200, "")).await, "Bearer with-write");
    assert_eq!(sent.await.unwrap().unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn the_mark_says_why() {
    let layer = layer().step_up();
    layer.tokens().set(Token::bearer("a").unwrap());
    let (service, mut server) = mock_service(&layer);
    // The clone keeps the transport for token requests.
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    respond(&mut server, needs_scope("write")).await;
    let response = sent.await.unwrap().unwrap();
    let mark = response.extensions().get::<TokenRejected>().unwrap();
    assert_eq!(mark.reason(), RejectionReason::Challenge);
    assert!(mark.is_retryable());
    assert_eq!(layer.tokens().peek().unwrap().access_token(), "a");
}

/// S7: the application sets or forgets the token while the challenged request waits.
#[tokio::test(start_paused = true)]
async fn s7_a_token_that_is_set_meanwhile_is_sent_at_once() {
    let layer = layer().step_up();
    layer.tokens().set(Token::bearer("a").unwrap());
    let (sent, mut server) = send(&layer);
    respond(&mut server, needs_scope("write")).await;
    let (_, _respond_never) = server.token_request().await;
    layer.tokens().set(Token::bearer("b").unwrap());
    assert_eq!(respond(&mut server, answer(200, "")).await, "Bearer b");
    assert_eq!(sent.await.unwrap().unwrap().status(), 200);

    let (sent, mut server) = send(&layer);
    respond(&mut server, needs_scope("write")).await;
    let (_, _respond_never) = server.token_request().await;
    layer.tokens().forget();
    server.issue_first_token(token("c", 3600)).await;
    assert_eq!(respond(&mut server, answer(200, "")).await, "Bearer c");
    assert_eq!(sent.await.unwrap().unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn s9_a_challenge_during_another_refresh_causes_one_more() {
    let layer = layer().step_up();
    layer.tokens().set(Token::bearer("a").unwrap());
    let (sent, mut server) = send(&layer);
    let (_, answer_api) = server.next().await;
    let refreshing = crate::support::spawn_refresh(&layer.tokens());
    let (_, respond_token) = server.token_request().await;
    answer_api.send_response(needs_scope("write"));
    server.assert_no_request().await;
    respond_token.send_response(answer(200, token("b", 3600)));
    assert_eq!(refreshing.await.unwrap().unwrap().access_token(), "b");
    // The repeated request is sent with the newer token, and the refresh for the challenge starts.
    for _ in 0..2 {
        let (request, respond) = server.next().await;
        let response = if request.uri() == API_URL { answer(200, "") } else { answer(200, token("c", 3600)) };
        respond.send_response(response);
    }
    assert_eq!(sent.await.unwrap().unwrap().status(), 200);
    assert_eq!(layer.tokens().get().await.unwrap().access_token(), "c");
}

#[tokio::test(start_paused = true)]
async fn a_demand_that_only_a_person_can_satisfy_is_an_error_of_a_grant_without_one() {
    let layer = layer().step_up();
    layer.tokens().set(Token::bearer("a").unwrap());
    let (sent, mut server) = send(&layer);
    let challenge = r#"Bearer error="insufficient_user_authentication", max_age="5""#;
    respond(&mut server, super::challenge(401, challenge)).await;
    assert_eq!(ours(sent.await.unwrap().unwrap_err()).kind(), ErrorKind::LoginRequired);
    // Nothing starts again for this token, and the response passes.
    let (sent, mut server) = send(&layer);
    respond(&mut server, super::challenge(401, challenge)).await;
    assert_eq!(sent.await.unwrap().unwrap().status(), 401);
    server.assert_no_request().await;
}
