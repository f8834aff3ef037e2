//! Which hosts may demand a token.

use http::Request;
use tower_oauth2::{ErrorKind, Token};

use super::{ended, is_sent_with, layer, send, send_request, status, unauthorized};
use crate::support::{Body, answer, authorization, get, grant, ours};

#[tokio::test(start_paused = true)]
async fn without_an_origin_each_request_fails() {
    let layer = tower_oauth2::OAuth2Layer::new(grant()).on_challenge();
    for _ in 0..2 {
        let (sent, mut server) = send(&layer);
        let error = ours(ended(sent).await.unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().contains("on_challenge") && error.to_string().contains("origin"), "{error}");
        server.assert_no_request().await;
        // Also with a token, so that the mistake is noticed at once.
        layer.tokens().set(Token::bearer("a").unwrap());
    }
    let mut request = get("https://api.example.com/");
    assert_eq!(layer.tokens().authorize(&mut request).await.unwrap_err().kind(), ErrorKind::Configuration);
    is_sent_with(&layer.origin("https://api.example.com").unwrap(), Some("Bearer a")).await;
}

/// The fast path does not skip the check: in real time, and with a token that was accepted.
#[tokio::test]
async fn without_an_origin_each_request_fails_on_the_fast_path_too() {
    let layer = crate::support::layer();
    layer.tokens().set(Token::bearer("a").unwrap());
    for _ in 0..3 {
        is_sent_with(&layer, Some("Bearer a")).await;
    }
    let layer = layer.on_challenge();
    let (sent, _server) = send(&layer);
    let outcome = tokio::time::timeout(std::time::Duration::from_secs(20), sent).await.expect("it was sent");
    assert_eq!(ours(outcome.unwrap().unwrap_err()).kind(), ErrorKind::Configuration);
}

#[tokio::test(start_paused = true)]
async fn a_401_of_another_host_passes() {
    let layer = layer();
    let (sent, mut server) = send_request(&layer, get("https://elsewhere.example/things"));
    let (request, respond) = server.next().await;
    assert_eq!(authorization(&request), None);
    respond.send_response(unauthorized("Bearer"));
    assert_eq!(status(sent).await, 401);
    server.assert_no_request().await;
    assert_eq!(layer.tokens().peek(), None);
}

#[tokio::test(start_paused = true)]
async fn a_401_to_a_request_with_its_own_header_passes() {
    let layer = layer();
    let mut request = get(crate::support::API_URL);
    request.headers_mut().insert("authorization", "Basic eDp5".parse().unwrap());
    let (sent, mut server) = send_request(&layer, request);
    let (request, respond) = server.next().await;
    assert_eq!(authorization(&request), Some("Basic eDp5"));
    respond.send_response(unauthorized("Bearer"));
    assert_eq!(status(sent).await, 401);
    server.assert_no_request().await;
}

/// The request goes to the only server of the inner service.
#[tokio::test(start_paused = true)]
async fn a_401_to_a_request_without_a_host_demands_a_token() {
    let layer = layer();
    let (sent, mut server) = send_request(&layer, Request::get("/things").body(Body::default()).unwrap());
    let (request, respond) = server.next().await;
    assert_eq!(authorization(&request), None);
    respond.send_response(unauthorized("Bearer"));
    server.issue_token(crate::support::token("a", 3600)).await;
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer a"));
    assert_eq!(status(sent).await, 200);
}

#[tokio::test(start_paused = true)]
async fn cleartext_and_other_origins_are_denied_as_before() {
    let layer = layer().origin("http://api.example.com").unwrap().deny_other_origins();
    for (uri, kind) in
        [("http://api.example.com/", ErrorKind::Cleartext), ("https://elsewhere.example/", ErrorKind::OriginDenied)]
    {
        let (sent, mut server) = send_request(&layer, get(uri));
        assert_eq!(ours(ended(sent).await.unwrap_err()).kind(), kind);
        server.assert_no_request().await;
    }
    let (sent, mut server) = send(&layer);
    let (_, respond) = server.next().await;
    respond.send_response(answer(200, ""));
    assert_eq!(status(sent).await, 200);
}
