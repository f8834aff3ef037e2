//! D19: which responses reject a bound token.

use tower::ServiceExt;
use tower_oauth2::retry::{RejectionReason, TokenRejected};
use tower_oauth2::{OAuth2Layer, Token};

use super::{bound, bound_token, in_memory, unauthorized, with_nonce};
use crate::support::{API_URL, answer, get, mock_service};

/// A token that the API has accepted before is rejected, too.
#[tokio::test(start_paused = true)]
async fn d19_an_accepted_token_can_be_rejected() {
    let layer = OAuth2Layer::new(bound(in_memory()));
    layer.tokens().set(Token::dpop("a").unwrap());
    let (service, mut server) = mock_service(&layer);
    for (response, is_rejected) in [(answer(200, ""), false), (unauthorized(r#"DPoP error="invalid_token""#), true)] {
        let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
        server.next().await.1.send_response(response);
        let response = sent.await.unwrap().unwrap();
        let mark = response.extensions().get::<TokenRejected>().map(TokenRejected::reason);
        assert_eq!(mark, is_rejected.then_some(RejectionReason::Token));
    }
    server.issue_token(bound_token("b", 3600)).await;
}

#[tokio::test(start_paused = true)]
async fn d19_a_response_that_the_application_recognises_rejects_the_token() {
    let layer = OAuth2Layer::new(bound(in_memory())).reject_when(|status, _| status == 403);
    layer.tokens().set(Token::dpop("a").unwrap());
    let (service, mut server) = mock_service(&layer);
    let sent = tokio::spawn(service.oneshot(get(API_URL)));
    server.next().await.1.send_response(answer(403, ""));
    let response = sent.await.unwrap().unwrap();
    assert_eq!(response.extensions().get::<TokenRejected>().unwrap().reason(), RejectionReason::Token);
    assert_eq!(layer.tokens().peek(), None);
}

/// The response of a proxy says nothing about the token, and its nonce is one of the API.
#[tokio::test(start_paused = true)]
async fn d18_the_response_of_a_proxy_rejects_nothing() {
    for status in [407, 502, 503] {
        let layer = OAuth2Layer::new(bound(in_memory()));
        layer.tokens().set(Token::dpop("a").unwrap());
        let (service, mut server) = mock_service(&layer);
        let sent = tokio::spawn(service.oneshot(get(API_URL)));
        let mut response = with_nonce(answer(status, "<html>"), "n1");
        response.headers_mut().insert("proxy-authenticate", r#"DPoP error="invalid_token""#.parse().unwrap());
        server.next().await.1.send_response(response);
        assert!(sent.await.unwrap().unwrap().extensions().get::<TokenRejected>().is_none(), "{status}");
        assert!(layer.tokens().peek().is_some(), "{status}");
    }
}
