//! After a rejection, the next request gets a new token.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Response;
use tower::{BoxError, ServiceExt};
use tower_oauth2::Token;

use crate::support::{API_URL, Body, Server, Service, answer, get, layer, mock_service, pass, token};

type Sent = tokio::task::JoinHandle<Result<Response<Body>, BoxError>>;

fn send(service: &Service) -> Sent {
    tokio::spawn(service.clone().oneshot(get(API_URL)))
}

fn with_token() -> (Service, Server) {
    let (service, server) = mock_service(&layer());
    service.tokens().set(Token::bearer("a").unwrap());
    (service, server)
}

/// Sends a request, to which the API sends this response. Returns whether a token request was sent before.
async fn request(service: &Service, server: &mut Server, response: Response<Body>) -> (bool, Response<Body>) {
    let sent = send(service);
    let (mut request, mut respond) = server.next().await;
    let refreshed = request.uri() == crate::support::TOKEN_URL;
    if refreshed {
        respond.send_response(answer(200, token("b", 3600)));
        (request, respond) = server.next().await;
    }
    assert!(request.headers().contains_key("authorization"));
    respond.send_response(response);
    (refreshed, sent.await.unwrap().unwrap())
}

fn unauthorized(challenge: &str) -> Response<Body> {
    let mut response = answer(401, "no");
    if !challenge.is_empty() {
        response.headers_mut().insert("www-authenticate", challenge.parse().unwrap());
    }
    response
}

#[tokio::test(start_paused = true)]
async fn any_401_is_a_rejection_and_is_returned_unchanged() {
    for challenge in [
        "",
        "Bearer error=\"invalid_token\"",
        "Basic realm=x, Bearer",
        "Bearer realm=\"open",
        "nonsense {",
        "Basic realm=\"x\", Custom error=\"invalid_token\"",
        "OAuth realm=\"x\", error='invalid_token'",
        "OAuth \"Platform\" \"invalid_token\" \"expired\"",
    ] {
        let (service, mut server) = with_token();
        let (refreshed, response) = request(&service, &mut server, unauthorized(challenge)).await;
        assert!(!refreshed && response.status() == 401);
        let (refreshed, response) = request(&service, &mut server, answer(200, "")).await;
        assert!(refreshed && response.status() == 200, "{challenge}");
    }
}

#[tokio::test(start_paused = true)]
async fn other_responses_are_not_rejections() {
    let other_scheme = unauthorized("Negotiate, Digest realm=\"x\", nonce=\"y\"");
    let mut not_sufficient = unauthorized("Bearer error=\"insufficient_scope\", scope=\"write\"");
    *not_sufficient.status_mut() = http::StatusCode::FORBIDDEN;
    for response in [other_scheme, not_sufficient, answer(403, ""), answer(407, ""), answer(500, "")] {
        let (service, mut server) = with_token();
        let status = response.status();
        request(&service, &mut server, response).await;
        assert!(!request(&service, &mut server, answer(200, "")).await.0, "{status}");
    }
}

/// Sends a request through a layer with a predicate, and returns what the predicate was called with, and whether the next request
/// gets a new token.
async fn predicate_calls(response: Response<Body>) -> (Vec<u16>, bool) {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let seen = calls.clone();
    let layer = layer().reject_when(move |status, headers| {
        seen.lock().unwrap().push(status.as_u16());
        headers.contains_key("x-token-expired")
    });
    let (service, mut server) = mock_service(&layer);
    service.tokens().set(Token::bearer("a").unwrap());
    request(&service, &mut server, response).await;
    let calls = std::mem::take(&mut *calls.lock().unwrap());
    (calls, request(&service, &mut server, answer(200, "")).await.0)
}

#[tokio::test(start_paused = true)]
async fn the_predicate_is_called_for_each_response_that_is_not_a_rejection() {
    let other_scheme = || unauthorized("Negotiate");
    let expired = |mut response: Response<Body>| {
        response.headers_mut().insert("x-token-expired", "1".parse().unwrap());
        response
    };
    assert_eq!(predicate_calls(other_scheme()).await, (vec![401], false));
    assert_eq!(predicate_calls(expired(other_scheme())).await, (vec![401], true));
    assert_eq!(predicate_calls(expired(answer(403, ""))).await, (vec![403], true));
    assert_eq!(predicate_calls(expired(answer(200, ""))).await, (vec![200], true));
    // The predicate is not called for rejections.
    assert_eq!(predicate_calls(unauthorized("")).await, (vec![], true));
    assert_eq!(predicate_calls(unauthorized("OAuth error='invalid_token'")).await, (vec![], true));
}

#[tokio::test(start_paused = true)]
async fn grpc_unauthenticated_is_a_rejection() {
    let (service, mut server) = with_token();
    let mut trailers_only = answer(200, "");
    trailers_only.headers_mut().insert("grpc-status", "16".parse().unwrap());
    request(&service, &mut server, trailers_only).await;
    assert!(request(&service, &mut server, answer(200, "")).await.0);
}

#[tokio::test(start_paused = true)]
async fn many_late_rejections_cause_one_token_request() {
    let (service, mut server) = with_token();
    let under_way: Vec<Sent> = (0..10).map(|_| send(&service)).collect();
    let mut responds = Vec::new();
    for _ in 0..10 {
        responds.push(server.next().await.1);
    }
    let mut late = responds.split_off(5);
    for respond in responds {
        respond.send_response(unauthorized(""));
    }
    tokio::task::yield_now().await;
    assert!(request(&service, &mut server, answer(200, "")).await.0);
    for respond in late.drain(..) {
        respond.send_response(unauthorized(""));
    }
    for sent in under_way {
        assert_eq!(sent.await.unwrap().unwrap().status(), 401);
    }
    assert!(!request(&service, &mut server, answer(200, "")).await.0, "the newer token was dropped");
}

#[tokio::test(start_paused = true)]
async fn an_api_that_rejects_every_token_does_not_cause_a_token_request_per_request() {
    let (service, mut server) = with_token();
    let mut calls = 0;
    for _ in 0..50 {
        calls += usize::from(request(&service, &mut server, unauthorized("")).await.0);
    }
    assert_eq!(calls, 1, "the successor is sent until the back-off has passed");
    pass(Duration::from_secs(2)).await;
    for _ in 0..50 {
        calls += usize::from(request(&service, &mut server, unauthorized("")).await.0);
    }
    assert_eq!(calls, 2);
}

/// One endpoint rejects every token, and others accept them.
#[tokio::test(start_paused = true)]
async fn a_time_without_rejections_ends_the_series_and_accepted_requests_do_not() {
    let (service, mut server) = with_token();
    let mut calls = 0;
    for _ in 0..50 {
        calls += usize::from(request(&service, &mut server, unauthorized("")).await.0);
        calls += usize::from(request(&service, &mut server, answer(200, "")).await.0);
    }
    assert_eq!(calls, 1, "one refresh, and no other before the back-off has passed");
    pass(Duration::from_secs(10)).await;
    let rejected = send(&service);
    server.next().await.1.send_response(unauthorized(""));
    server.issue_token(token("c", 3600)).await;
    rejected.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_rejection_of_another_credential_does_not_count() {
    let (service, mut server) = with_token();
    let mut with_its_own = get(API_URL);
    with_its_own.headers_mut().insert("authorization", "Basic eDp5".parse().unwrap());
    let sent = tokio::spawn(service.clone().oneshot(with_its_own));
    server.next().await.1.send_response(unauthorized("Bearer"));
    assert_eq!(sent.await.unwrap().unwrap().status(), 401);
    assert!(!request(&service, &mut server, answer(200, "")).await.0);
}
