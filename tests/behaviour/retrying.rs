//! `RetryUnauthorized` repeats a request once, with a newer token, if its token was rejected.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use tower::retry::RetryLayer;
use tower::{BoxError, Layer, ServiceExt};
use tower_oauth2::grant::ClientCredentials;
use tower_oauth2::retry::{RejectionReason, RetryUnauthorized, TokenRejected};
use tower_oauth2::{ErrorKind, OAuth2Layer, Token};

use crate::support::{API_URL, Body, Server, TOKEN_URL, answer, authorization, get, layer, mock_service, ours, token};

type Stack = tower::util::BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>;

fn stacked<P>(policy: P) -> (Stack, tower_oauth2::Tokens, Server)
where
    P: tower::retry::Policy<Request<Body>, Response<Body>, BoxError, Future: Send> + Clone + Send + Sync + 'static,
{
    with(layer(), policy)
}

fn with<G, P>(layer: OAuth2Layer<G>, policy: P) -> (Stack, tower_oauth2::Tokens, Server)
where
    G: tower_oauth2::grant::Grant,
    P: tower::retry::Policy<Request<Body>, Response<Body>, BoxError, Future: Send> + Clone + Send + Sync + 'static,
{
    let (service, server) = mock_service(&layer);
    let tokens = service.tokens();
    tokens.set(Token::bearer("a").unwrap());
    (Stack::new(RetryLayer::new(policy).layer(service)), tokens, server)
}

fn post(body: &'static str) -> Request<Body> {
    Request::post(API_URL).header("x-kept", "1").body(Body::from(body)).unwrap()
}

/// Responds with this status to the next request, which must be for the API and have this token.
async fn respond_to_api(server: &mut Server, access_token: &str, status: u16) -> Request<Body> {
    let (request, respond) = server.next().await;
    assert_ne!(request.uri(), TOKEN_URL);
    assert_eq!(authorization(&request), Some(format!("Bearer {access_token}").as_str()));
    respond.send_response(answer(status, ""));
    request
}

#[tokio::test(start_paused = true)]
async fn a_rejected_request_is_repeated_with_the_new_token() {
    let (stack, _, mut server) = stacked(RetryUnauthorized::new());
    let sent = tokio::spawn(stack.clone().oneshot(post("")));
    respond_to_api(&mut server, "a", 401).await;
    server.issue_token(token("b", 3600)).await;
    let again = respond_to_api(&mut server, "b", 200).await;
    assert_eq!((again.method(), &again.headers()["x-kept"]), (&http::Method::POST, &"1".parse().unwrap()));
    assert_eq!(sent.await.unwrap().unwrap().status(), 200);
    server.assert_no_request().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_is_repeated_only_once() {
    let (stack, tokens, mut server) = stacked(RetryUnauthorized::new());
    let sent = tokio::spawn(stack.clone().oneshot(get(API_URL)));
    respond_to_api(&mut server, "a", 401).await;
    server.issue_token(token("b", 3600)).await;
    let (_, respond) = server.next().await;
    // Even if a newer token exists.
    tokens.set(Token::bearer("c").unwrap());
    respond.send_response(answer(401, ""));
    assert_eq!(sent.await.unwrap().unwrap().status(), 401);
    server.assert_no_request().await;
}

#[tokio::test(start_paused = true)]
async fn a_body_is_repeated_only_if_it_can_be_copied() {
    let (stack, _, mut server) = stacked(RetryUnauthorized::new());
    let sent = tokio::spawn(stack.clone().oneshot(post("hello")));
    respond_to_api(&mut server, "a", 401).await;
    assert_eq!(sent.await.unwrap().unwrap().status(), 401);
    server.issue_token(token("b", 3600)).await;
    server.assert_no_request().await;

    let (stack, _, mut server) = stacked(RetryUnauthorized::new().replay(|body: &Body| Some(body.clone())));
    for body in ["hello", ""] {
        let sent = tokio::spawn(stack.clone().oneshot(post(body)));
        let (request, respond) = server.next().await;
        let rejected = authorization(&request).unwrap().to_owned();
        respond.send_response(answer(401, ""));
        server.issue_token(token(&format!("after {rejected}").replace(' ', "-"), 3600)).await;
        let (again, respond) = server.next().await;
        assert_ne!(authorization(&again), Some(rejected.as_str()));
        let replayed = http_body_util::BodyExt::collect(again.into_body()).await.unwrap().to_bytes();
        assert_eq!(replayed, Bytes::from(body));
        respond.send_response(answer(200, ""));
        assert_eq!(sent.await.unwrap().unwrap().status(), 200);
        // The back-off between refreshes that rejections start.
        tokio::time::sleep(Duration::from_secs(2)).await;
    }

    // An empty body needs no `replay`.
    let (stack, _, mut server) = stacked(RetryUnauthorized::new().replay(|_: &Body| None));
    let sent = tokio::spawn(stack.clone().oneshot(get(API_URL)));
    respond_to_api(&mut server, "a", 401).await;
    server.issue_token(token("b", 3600)).await;
    respond_to_api(&mut server, "b", 200).await;
    sent.await.unwrap().unwrap();
}

/// The server revokes the old token when it issues the next one. Requests in flight are repeated without another token request.
#[tokio::test(start_paused = true)]
async fn requests_in_flight_with_the_old_token_cause_no_further_token_request() {
    let (stack, tokens, mut server) = stacked(RetryUnauthorized::new());
    let sent: Vec<_> = (0..5).map(|_| tokio::spawn(stack.clone().oneshot(get(API_URL)))).collect();
    let mut responds = Vec::new();
    for _ in 0..5 {
        responds.push(server.next().await.1);
    }
    tokens.set(Token::bearer("b").unwrap());
    for respond in responds {
        respond.send_response(answer(401, ""));
    }
    for _ in 0..5 {
        respond_to_api(&mut server, "b", 200).await;
    }
    for sent in sent {
        assert_eq!(sent.await.unwrap().unwrap().status(), 200);
    }
    server.assert_no_request().await;
}

/// The API rejects every token. During the back-off, a retry would send the same token again.
#[tokio::test(start_paused = true)]
async fn no_request_is_repeated_with_the_same_token() {
    let (stack, _, mut server) = stacked(RetryUnauthorized::new());
    let first = tokio::spawn(stack.clone().oneshot(get(API_URL)));
    respond_to_api(&mut server, "a", 401).await;
    server.issue_token(token("b", 3600)).await;
    respond_to_api(&mut server, "b", 401).await;
    first.await.unwrap().unwrap();
    for _ in 0..3 {
        let sent = tokio::spawn(stack.clone().oneshot(get(API_URL)));
        respond_to_api(&mut server, "b", 401).await;
        assert_eq!(sent.await.unwrap().unwrap().status(), 401);
    }
    server.assert_no_request().await;
}

#[tokio::test(start_paused = true)]
async fn a_response_that_does_not_reject_the_token_is_not_repeated() {
    let (stack, _, mut server) = stacked(RetryUnauthorized::new());
    for status in [403, 404, 500] {
        let sent = tokio::spawn(stack.clone().oneshot(get(API_URL)));
        respond_to_api(&mut server, "a", status).await;
        assert_eq!(sent.await.unwrap().unwrap().status(), status);
    }
    let mut with_its_own = get(API_URL);
    with_its_own.headers_mut().insert("authorization", "Basic eDp5".parse().unwrap());
    let sent = tokio::spawn(stack.clone().oneshot(with_its_own));
    server.next().await.1.send_response(answer(401, ""));
    assert_eq!(sent.await.unwrap().unwrap().status(), 401);
    server.assert_no_request().await;
}

#[tokio::test(start_paused = true)]
async fn if_no_new_token_can_be_obtained_the_caller_gets_the_error() {
    let (stack, _, mut server) = stacked(RetryUnauthorized::new());
    let sent = tokio::spawn(stack.clone().oneshot(get(API_URL)));
    respond_to_api(&mut server, "a", 401).await;
    server.token_request().await.1.send_response(answer(503, ""));
    assert_eq!(ours(sent.await.unwrap().unwrap_err()).kind(), ErrorKind::Overloaded);
}

/// `reject_when` adds rejections.
#[tokio::test(start_paused = true)]
async fn a_response_that_reject_when_matches_is_repeated() {
    let layer = layer().reject_when(|status, headers| status == 403 && headers.contains_key("x-expired"));
    let (stack, _, mut server) = with(layer, RetryUnauthorized::new());
    let sent = tokio::spawn(stack.clone().oneshot(get(API_URL)));
    respond_to_api(&mut server, "a", 403).await;
    assert_eq!(sent.await.unwrap().unwrap().status(), 403);
    server.assert_no_request().await;

    let sent = tokio::spawn(stack.clone().oneshot(get(API_URL)));
    let (_, respond) = server.next().await;
    let mut expired = answer(403, "<html>");
    expired.headers_mut().insert("x-expired", "1".parse().unwrap());
    respond.send_response(expired);
    server.issue_token(token("b", 3600)).await;
    respond_to_api(&mut server, "b", 200).await;
    assert_eq!(sent.await.unwrap().unwrap().status(), 200);
}

/// The policy does not wait before it repeats a request.
#[tokio::test(start_paused = true)]
async fn it_repeats_without_a_delay() {
    let (stack, _, mut server) = stacked(RetryUnauthorized::new());
    let began = tokio::time::Instant::now();
    let sent = tokio::spawn(stack.clone().oneshot(get(API_URL)));
    respond_to_api(&mut server, "a", 401).await;
    server.issue_token(token("b", 3600)).await;
    respond_to_api(&mut server, "b", 200).await;
    sent.await.unwrap().unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO);
}

/// Returns the `TokenRejected` of a response with this status.
async fn marker(layer: OAuth2Layer<ClientCredentials>, status: u16) -> Option<TokenRejected> {
    let (service, mut server) = mock_service(&layer);
    service.tokens().set(Token::bearer("a").unwrap());
    let sent = tokio::spawn(service.oneshot(get(API_URL)));
    drop(layer);
    respond_to_api(&mut server, "a", status).await;
    sent.await.unwrap().unwrap().extensions().get().cloned()
}

#[tokio::test(start_paused = true)]
async fn a_rejected_response_is_marked_and_no_other() {
    for status in [200, 403, 500] {
        assert!(marker(layer(), status).await.is_none(), "{status}");
    }
    let layer = layer();
    let rejected = marker(layer.clone(), 401).await.unwrap();
    assert_eq!(rejected.reason(), RejectionReason::Token);
    assert!(rejected.is_retryable());
}

#[tokio::test(start_paused = true)]
async fn without_the_layer_and_its_services_no_retry_can_help() {
    assert!(!marker(layer(), 401).await.unwrap().is_retryable());
}

/// During the back-off, a rejection is marked, too, but is not retryable.
#[tokio::test(start_paused = true)]
async fn the_marker_shows_whether_a_retry_may_succeed() {
    let (service, mut server) = mock_service(&layer());
    service.tokens().set(Token::bearer("a").unwrap());
    let mut retryable = Vec::new();
    for token_of_request in ["a", "b", "b"] {
        let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
        if token_of_request == "b" && retryable.len() == 1 {
            server.issue_token(token("b", 3600)).await;
        }
        respond_to_api(&mut server, token_of_request, 401).await;
        let response = sent.await.unwrap().unwrap();
        retryable.push(response.extensions().get::<TokenRejected>().unwrap().is_retryable());
    }
    assert_eq!(retryable, [true, false, false]);
}

/// A custom retry policy: repeats a request as long as a retry may succeed.
#[derive(Clone)]
struct Persistent;

impl tower::retry::Policy<Request<Body>, Response<Body>, BoxError> for Persistent {
    type Future = std::future::Ready<()>;

    fn retry(
        &mut self,
        request: &mut Request<Body>,
        result: &mut Result<Response<Body>, BoxError>,
    ) -> Option<Self::Future> {
        let rejected: &TokenRejected = result.as_ref().ok()?.extensions().get()?;
        rejected.prepare_retry(request);
        rejected.is_retryable().then(|| std::future::ready(()))
    }

    fn clone_request(&mut self, request: &Request<Body>) -> Option<Request<Body>> {
        Some(request.clone())
    }
}

#[tokio::test(start_paused = true)]
async fn a_custom_retry_policy_can_use_the_marker() {
    let (stack, _, mut server) = stacked(Persistent);
    let sent = tokio::spawn(stack.clone().oneshot(post("hello")));
    respond_to_api(&mut server, "a", 401).await;
    server.issue_token(token("b", 3600)).await;
    let repeated = respond_to_api(&mut server, "b", 401).await;
    assert_eq!(repeated.headers()["x-kept"], "1");
    assert_eq!(sent.await.unwrap().unwrap().status(), 401);
    server.assert_no_request().await;
}
