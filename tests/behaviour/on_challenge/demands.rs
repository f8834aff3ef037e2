//! Which responses demand a token.

use tower::ServiceExt;
use tower_oauth2::retry::{RejectionReason, TokenRejected};

use super::{Sent, is_sent_with, layer, respond, send, status, unauthorized, with_challenge};
use crate::support::{API_URL, Body, answer, get, mock_service, token};

/// Returns whether this response to a request without a token starts the token request, after which the request is repeated.
async fn is_demand(response: http::Response<Body>) -> bool {
    let (sent, mut server) = send(&layer());
    let expected = response.status();
    assert_eq!(respond(&mut server, response).await, None);
    tokio::task::yield_now().await;
    if sent_is_finished(&sent).await {
        let passed = sent.await.unwrap().unwrap();
        assert_eq!(passed.status(), expected);
        assert!(passed.extensions().get::<TokenRejected>().is_none(), "{expected}");
        server.assert_no_request().await;
        return false;
    }
    server.issue_token(token("a", 3600)).await;
    assert_eq!(respond(&mut server, answer(200, "")).await.as_deref(), Some("Bearer a"));
    assert_eq!(status(sent).await, 200);
    true
}

async fn sent_is_finished(sent: &Sent) -> bool {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    sent.is_finished()
}

#[tokio::test(start_paused = true)]
async fn a_public_resource_starts_nothing() {
    let layer = layer();
    for _ in 0..3 {
        is_sent_with(&layer, None).await;
    }
    assert_eq!(layer.tokens().peek(), None);
}

#[tokio::test(start_paused = true)]
async fn any_401_demands_a_token_unless_it_clearly_names_other_schemes_only() {
    for (challenge, demands) in [
        ("Bearer", true),
        ("bearer resource_metadata=\"https://api.example.com/.well-known/oauth-protected-resource\"", true),
        ("DPoP algs=\"ES256\"", true),
        ("Bearer error=\"insufficient_scope\", scope=\"write\"", true),
        ("Bearer error=\"insufficient_user_authentication\", max_age=\"5\"", true),
        ("Basic realm=\"x\", Bearer", true),
        ("OAuth error=\"invalid_token\"", true),
        // A header that cannot be read, and none, as of a proxy.
        ("Basic realm=\"open", true),
        ("nonsense {", true),
        ("", true),
        ("Basic realm=\"x\"", false),
        ("Negotiate, Digest realm=\"x\", nonce=\"y\"", false),
    ] {
        assert_eq!(is_demand(unauthorized(challenge)).await, demands, "{challenge}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_401_of_a_proxy_demands_a_token() {
    let mut page = answer(401, "<html>Unauthorized</html>");
    page.headers_mut().insert("content-type", "text/html".parse().unwrap());
    assert!(is_demand(page).await);
}

#[tokio::test(start_paused = true)]
async fn another_status_demands_none() {
    for status in [200, 302, 400, 403, 404, 407, 500] {
        assert!(!is_demand(with_challenge(status, "Bearer error=\"insufficient_scope\", scope=\"write\"")).await);
        assert!(!is_demand(with_challenge(status, "")).await);
    }
}

#[tokio::test(start_paused = true)]
async fn grpc_unauthenticated_demands_a_token() {
    for (code, demands) in [("16", true), ("7", false), ("0", false)] {
        let mut trailers_only = answer(200, "");
        trailers_only.headers_mut().insert("grpc-status", code.parse().unwrap());
        assert_eq!(is_demand(trailers_only).await, demands, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_mark_says_why() {
    let layer = layer();
    let (service, mut server) = mock_service(&layer);
    let sent = tokio::spawn(service.oneshot(get(API_URL)));
    respond(&mut server, unauthorized("Bearer")).await;
    let response = sent.await.unwrap().unwrap();
    let mark = response.extensions().get::<TokenRejected>().unwrap();
    assert_eq!((mark.reason(), mark.is_retryable()), (RejectionReason::Challenge, true));
}

/// Also for a program that creates a service for each request, and without a layer that repeats requests.
#[tokio::test(start_paused = true)]
async fn the_token_request_goes_through_the_service_of_the_request_even_if_that_is_dropped() {
    let layer = layer();
    let (service, mut server) = mock_service(&layer);
    let sent = tokio::spawn(service.oneshot(get(API_URL)));
    respond(&mut server, unauthorized("Bearer")).await;
    assert_eq!(sent.await.unwrap().unwrap().status(), 401);
    server.issue_token(token("a", 3600)).await;
    layer.tokens().flush().await;
    is_sent_with(&layer, Some("Bearer a")).await;
}
