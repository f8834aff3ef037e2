//! The first login: one, whatever the number of requests, and public requests do not wait for it.

use std::time::Duration;

use tower::retry::RetryLayer;
use tower::{Layer, ServiceExt};
use tower_oauth2::ErrorKind;
use tower_oauth2::retry::RetryUnauthorized;

use super::{ended, is_sent_with, layer, respond, send, status, unauthorized};
use crate::support::{API_URL, answer, get, mock_service, ours, pass, token};

#[tokio::test(start_paused = true)]
async fn concurrent_401s_cause_one() {
    let layer = layer();
    let (service, mut server) = mock_service(&layer);
    let service = RetryLayer::new(RetryUnauthorized::new()).layer(service);
    let sent: Vec<_> = (0..100).map(|_| tokio::spawn(service.clone().oneshot(get(API_URL)))).collect();
    let mut all = Vec::new();
    for _ in 0..100 {
        all.push(server.next().await);
    }
    for (n, (request, respond)) in all.into_iter().enumerate() {
        assert!(!request.headers().contains_key("authorization"));
        respond.send_response(unauthorized(if n % 2 == 0 { "Bearer" } else { "Bearer scope=\"other\"" }));
    }
    server.issue_token(token("a", 3600)).await;
    for _ in 0..100 {
        assert_eq!(respond(&mut server, answer(200, "")).await.as_deref(), Some("Bearer a"));
    }
    for sent in sent {
        assert_eq!(status(sent).await, 200);
    }
    server.assert_no_request().await;
}

#[tokio::test(start_paused = true)]
async fn a_401_that_arrives_after_it_is_repeated_with_the_token() {
    let layer = layer();
    let (late, mut late_server) = send(&layer);
    let (_, late_respond) = late_server.next().await;
    let (sent, mut server) = send(&layer);
    respond(&mut server, unauthorized("Bearer")).await;
    server.issue_token(token("a", 3600)).await;
    respond(&mut server, answer(200, "")).await;
    assert_eq!(status(sent).await, 200);

    late_respond.send_response(unauthorized("Bearer"));
    assert_eq!(respond(&mut late_server, answer(200, "")).await.as_deref(), Some("Bearer a"));
    assert_eq!(status(late).await, 200);
    late_server.assert_no_request().await;
}

#[tokio::test(start_paused = true)]
async fn a_public_request_does_not_wait_for_it() {
    let layer = layer();
    let (sent, mut server) = send(&layer);
    respond(&mut server, unauthorized("Bearer")).await;
    let (_, issue_later) = server.token_request().await;
    for _ in 0..3 {
        is_sent_with(&layer, None).await;
    }
    assert!(!sent.is_finished());
    issue_later.send_response(answer(200, token("a", 3600)));
    respond(&mut server, answer(200, "")).await;
    assert_eq!(status(sent).await, 200);
    is_sent_with(&layer, Some("Bearer a")).await;
}

/// Clones of a layer share the token, and each has its own services.
#[tokio::test(start_paused = true)]
async fn clones_of_the_layer_share_it() {
    let layer = layer();
    let clone = layer.clone();
    let (one, mut one_server) = send(&layer);
    let (two, mut two_server) = send(&clone);
    let (_, one_respond) = one_server.next().await;
    let (_, two_respond) = two_server.next().await;
    one_respond.send_response(unauthorized("Bearer"));
    one_server.issue_token(token("a", 3600)).await;
    two_respond.send_response(unauthorized("Bearer"));
    for (sent, mut server) in [(one, one_server), (two, two_server)] {
        assert_eq!(respond(&mut server, answer(200, "")).await.as_deref(), Some("Bearer a"));
        assert_eq!(status(sent).await, 200);
        server.assert_no_request().await;
    }
}

/// The option belongs to one layer, and not to the token.
#[tokio::test(start_paused = true)]
async fn a_clone_without_the_option_obtains_the_token_at_once() {
    let without = crate::support::layer();
    let with = without.clone().origin("https://api.example.com").unwrap().on_challenge();
    is_sent_with(&with, None).await;
    let (sent, mut server) = send(&without);
    server.issue_token(token("a", 3600)).await;
    respond(&mut server, answer(200, "")).await;
    assert_eq!(status(sent).await, 200);
    is_sent_with(&with, Some("Bearer a")).await;
}

#[tokio::test(start_paused = true)]
async fn max_wait_limits_the_repeated_request_and_not_the_login() {
    let layer = layer().max_wait(Duration::from_secs(1));
    let (sent, mut server) = send(&layer);
    respond(&mut server, unauthorized("Bearer")).await;
    let (_, issue_later) = server.token_request().await;
    assert_eq!(ours(ended(sent).await.unwrap_err()).kind(), ErrorKind::Timeout);
    is_sent_with(&layer, None).await;
    pass(Duration::from_secs(5)).await;
    issue_later.send_response(answer(200, token("a", 3600)));
    layer.tokens().flush().await;
    is_sent_with(&layer, Some("Bearer a")).await;
}

#[tokio::test(start_paused = true)]
async fn the_login_continues_if_its_request_is_dropped() {
    let layer = layer();
    let (sent, mut server) = send(&layer);
    respond(&mut server, unauthorized("Bearer")).await;
    let (_, issue_later) = server.token_request().await;
    sent.abort();
    assert!(sent.await.is_err());
    issue_later.send_response(answer(200, token("a", 3600)));
    layer.tokens().flush().await;
    is_sent_with(&layer, Some("Bearer a")).await;
}
