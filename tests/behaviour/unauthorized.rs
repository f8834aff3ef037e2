//! A server that refuses a token: the next request gets a new one, once.

use std::time::Duration;

use http::Response;
use tower::{BoxError, ServiceExt};
use tower_oauth2::Token;

use crate::support::{API_URL, Body, Server, Service, answer, conversation, get, layer, pass, token};

type Sent = tokio::task::JoinHandle<Result<Response<Body>, BoxError>>;

fn send(service: &Service) -> Sent {
    tokio::spawn(service.clone().oneshot(get(API_URL)))
}

fn with_token() -> (Service, Server) {
    let (service, server) = conversation(&layer());
    service.tokens().set(Token::bearer("a").unwrap());
    (service, server)
}

/// One request, answered by the API; whether it cost a token call before.
async fn request(service: &Service, server: &mut Server, response: Response<Body>) -> (bool, Response<Body>) {
    let sent = send(service);
    let (mut request, mut respond) = server.next().await;
    let renewed = request.uri() == crate::support::TOKEN_URL;
    if renewed {
        respond.send_response(answer(200, token("b", 3600)));
        (request, respond) = server.next().await;
    }
    assert!(request.headers().contains_key("authorization"));
    respond.send_response(response);
    (renewed, sent.await.unwrap().unwrap())
}

fn refusal(challenge: &str) -> Response<Body> {
    let mut response = answer(401, "no");
    if !challenge.is_empty() {
        response.headers_mut().insert("www-authenticate", challenge.parse().unwrap());
    }
    response
}

#[tokio::test(start_paused = true)]
async fn any_401_counts_and_passes_on_untouched() {
    for challenge in
        ["", "Bearer error=\"invalid_token\"", "Basic realm=x, Bearer", "Bearer realm=\"open", "nonsense {"]
    {
        let (service, mut server) = with_token();
        let (renewed, response) = request(&service, &mut server, refusal(challenge)).await;
        assert!(!renewed && response.status() == 401);
        let (renewed, response) = request(&service, &mut server, answer(200, "")).await;
        assert!(renewed && response.status() == 200, "{challenge}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_does_not_speak_of_the_token_does_not_count() {
    let other_scheme = refusal("Negotiate, Digest realm=\"x\", nonce=\"y\"");
    for response in [other_scheme, answer(403, ""), answer(407, ""), answer(500, "")] {
        let (service, mut server) = with_token();
        let status = response.status();
        request(&service, &mut server, response).await;
        assert!(!request(&service, &mut server, answer(200, "")).await.0, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn grpc_says_it_in_a_header() {
    let (service, mut server) = with_token();
    let mut trailers_only = answer(200, "");
    trailers_only.headers_mut().insert("grpc-status", "16".parse().unwrap());
    request(&service, &mut server, trailers_only).await;
    assert!(request(&service, &mut server, answer(200, "")).await.0);
}

#[tokio::test(start_paused = true)]
async fn ten_late_refusals_cost_one_token_call() {
    let (service, mut server) = with_token();
    let under_way: Vec<Sent> = (0..10).map(|_| send(&service)).collect();
    let mut responds = Vec::new();
    for _ in 0..10 {
        responds.push(server.next().await.1);
    }
    let mut late = responds.split_off(5);
    for respond in responds {
        respond.send_response(refusal(""));
    }
    tokio::task::yield_now().await;
    assert!(request(&service, &mut server, answer(200, "")).await.0);
    for respond in late.drain(..) {
        respond.send_response(refusal(""));
    }
    for sent in under_way {
        assert_eq!(sent.await.unwrap().unwrap().status(), 401);
    }
    assert!(!request(&service, &mut server, answer(200, "")).await.0, "the newer token was thrown away");
}

#[tokio::test(start_paused = true)]
async fn an_api_that_refuses_everything_does_not_cost_a_token_call_per_request() {
    let (service, mut server) = with_token();
    let mut calls = 0;
    for _ in 0..50 {
        calls += usize::from(request(&service, &mut server, refusal("")).await.0);
    }
    assert_eq!(calls, 1, "the successor is sent until the back-off has passed");
    pass(Duration::from_secs(2)).await;
    for _ in 0..50 {
        calls += usize::from(request(&service, &mut server, refusal("")).await.0);
    }
    assert_eq!(calls, 2);
}

#[tokio::test(start_paused = true)]
async fn an_accepted_request_ends_the_series() {
    let (service, mut server) = with_token();
    for _ in 0..5 {
        request(&service, &mut server, refusal("")).await;
        assert!(request(&service, &mut server, answer(200, "")).await.0, "renewed at once");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_another_credential_is_not_ours() {
    let (service, mut server) = with_token();
    let mut with_its_own = get(API_URL);
    with_its_own.headers_mut().insert("authorization", "Basic eDp5".parse().unwrap());
    let sent = tokio::spawn(service.clone().oneshot(with_its_own));
    server.next().await.1.send_response(refusal("Bearer"));
    assert_eq!(sent.await.unwrap().unwrap().status(), 401);
    assert!(!request(&service, &mut server, answer(200, "")).await.0);
}
