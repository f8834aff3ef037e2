//! D19: which responses reject a bound token.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tower::util::BoxCloneSyncService;
use tower::{BoxError, Layer, ServiceExt, service_fn};
use tower_oauth2::grant::{Context, grant_fn};
use tower_oauth2::retry::{RejectionReason, TokenRejected};
use tower_oauth2::{OAuth2Layer, Token};

use super::{bound, bound_token, in_memory, unauthorized, with_nonce};
use crate::support::{API_URL, Body, answer, authorization, get, mock_service, pass};

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

/// With a key in memory, a grant can call the API with the token in use, as with a Bearer token.
#[cfg(feature = "jwt")]
#[tokio::test(start_paused = true)]
async fn a_grant_may_send_a_request_with_the_token_in_use() {
    let inner = service_fn(async |request: http::Request<Body>| {
        assert_eq!(authorization(&request), Some("DPoP a"));
        assert!(request.headers().contains_key("dpop"));
        Ok::<_, std::convert::Infallible>(answer(200, ""))
    });
    let own = Arc::new(OnceLock::<BoxCloneSyncService<http::Request<Body>, http::Response<Body>, BoxError>>::new());
    let service = own.clone();
    let grant = grant_fn(move |_: Context| {
        let service = service.get().unwrap().clone();
        async move {
            let response = service.oneshot(get(API_URL)).await.unwrap();
            assert_eq!(response.status(), 200);
            Token::dpop("b")
        }
    });
    let layer = OAuth2Layer::new(grant.dpop(in_memory()));
    layer.tokens().set(Token::dpop("a").unwrap().with_expires_in(Duration::from_secs(3600)));
    assert!(own.set(BoxCloneSyncService::new(layer.layer(inner))).is_ok());
    assert_eq!(own.get().unwrap().clone().oneshot(get(API_URL)).await.unwrap().status(), 200);
    pass(Duration::from_secs(1)).await;
    assert_eq!(layer.tokens().refresh().await.unwrap().access_token(), "b");
}
