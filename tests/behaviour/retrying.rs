//! A request whose token was refused is sent once more with the next one, where the user has stacked the policy for it.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use tower::retry::RetryLayer;
use tower::{BoxError, Layer, ServiceExt};
use tower_oauth2::retry::RetryUnauthorized;
use tower_oauth2::{ErrorKind, OAuth2Layer, Token};

use crate::support::{API_URL, Body, Server, TOKEN_URL, answer, authorization, conversation, get, layer, ours, token};

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
    let (service, server) = conversation(&layer);
    let tokens = service.tokens();
    tokens.set(Token::bearer("a").unwrap());
    (Stack::new(RetryLayer::new(policy).layer(service)), tokens, server)
}

fn post(body: &'static str) -> Request<Body> {
    Request::post(API_URL).header("x-kept", "1").body(Body::from(body)).unwrap()
}

/// The next request must be for the API, with this token; it is answered with this status.
async fn meets(server: &mut Server, access_token: &str, status: u16) -> Request<Body> {
    let (request, respond) = server.next().await;
    assert_ne!(request.uri(), TOKEN_URL);
    assert_eq!(authorization(&request), Some(format!("Bearer {access_token}").as_str()));
    respond.send_response(answer(status, ""));
    request
}

#[tokio::test(start_paused = true)]
async fn it_goes_again_with_the_new_token_and_the_caller_does_not_notice() {
    let (stack, _, mut server) = stacked(RetryUnauthorized::new());
    let sent = tokio::spawn(stack.clone().oneshot(post("")));
    meets(&mut server, "a", 401).await;
    server.grants(token("b", 3600)).await;
    let again = meets(&mut server, "b", 200).await;
    assert_eq!((again.method(), &again.headers()["x-kept"]), (&http::Method::POST, &"1".parse().unwrap()));
    assert_eq!(sent.await.unwrap().unwrap().status(), 200);
    server.hears_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn once_and_not_twice() {
    let (stack, tokens, mut server) = stacked(RetryUnauthorized::new());
    let sent = tokio::spawn(stack.clone().oneshot(get(API_URL)));
    meets(&mut server, "a", 401).await;
    server.grants(token("b", 3600)).await;
    let (_, respond) = server.next().await;
    // Even where there is another token to try by now.
    tokens.set(Token::bearer("c").unwrap());
    respond.send_response(answer(401, ""));
    assert_eq!(sent.await.unwrap().unwrap().status(), 401);
    server.hears_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn a_body_goes_again_only_where_it_can_be_copied() {
    let (stack, _, mut server) = stacked(RetryUnauthorized::new());
    let sent = tokio::spawn(stack.clone().oneshot(post("hello")));
    meets(&mut server, "a", 401).await;
    assert_eq!(sent.await.unwrap().unwrap().status(), 401);
    server.hears_nothing().await;

    let (stack, _, mut server) = stacked(RetryUnauthorized::new().replay(|body: &Body| Some(body.clone())));
    for body in ["hello", ""] {
        let sent = tokio::spawn(stack.clone().oneshot(post(body)));
        let (request, respond) = server.next().await;
        let refused = authorization(&request).unwrap().to_owned();
        respond.send_response(answer(401, ""));
        server.grants(token(&format!("after {refused}").replace(' ', "-"), 3600)).await;
        let (again, respond) = server.next().await;
        assert_ne!(authorization(&again), Some(refused.as_str()));
        let replayed = http_body_util::BodyExt::collect(again.into_body()).await.unwrap().to_bytes();
        assert_eq!(replayed, Bytes::from(body));
        respond.send_response(answer(200, ""));
        assert_eq!(sent.await.unwrap().unwrap().status(), 200);
    }

    // An empty body needs nobody's help.
    let (stack, _, mut server) = stacked(RetryUnauthorized::new().replay(|_: &Body| None));
    let sent = tokio::spawn(stack.clone().oneshot(get(API_URL)));
    meets(&mut server, "a", 401).await;
    server.grants(token("b", 3600)).await;
    meets(&mut server, "b", 200).await;
    sent.await.unwrap().unwrap();
}

/// A server that kills the old token as it issues the next: what was under way is sent again, with no further token call.
#[tokio::test(start_paused = true)]
async fn what_was_under_way_with_the_old_token_costs_no_further_call() {
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
        meets(&mut server, "b", 200).await;
    }
    for sent in sent {
        assert_eq!(sent.await.unwrap().unwrap().status(), 200);
    }
    server.hears_nothing().await;
}

/// An API that refuses everything: while no new token may be had, a second try would be the first one again.
#[tokio::test(start_paused = true)]
async fn nothing_goes_again_with_the_same_token() {
    let (stack, _, mut server) = stacked(RetryUnauthorized::new());
    let first = tokio::spawn(stack.clone().oneshot(get(API_URL)));
    meets(&mut server, "a", 401).await;
    server.grants(token("b", 3600)).await;
    meets(&mut server, "b", 401).await;
    first.await.unwrap().unwrap();
    for _ in 0..3 {
        let sent = tokio::spawn(stack.clone().oneshot(get(API_URL)));
        meets(&mut server, "b", 401).await;
        assert_eq!(sent.await.unwrap().unwrap().status(), 401);
    }
    server.hears_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_no_refusal_of_our_token_does_not_go_again() {
    let (stack, _, mut server) = stacked(RetryUnauthorized::new());
    for status in [403, 404, 500] {
        let sent = tokio::spawn(stack.clone().oneshot(get(API_URL)));
        meets(&mut server, "a", status).await;
        assert_eq!(sent.await.unwrap().unwrap().status(), status);
    }
    let mut with_its_own = get(API_URL);
    with_its_own.headers_mut().insert("authorization", "Basic eDp5".parse().unwrap());
    let sent = tokio::spawn(stack.clone().oneshot(with_its_own));
    server.next().await.1.send_response(answer(401, ""));
    assert_eq!(sent.await.unwrap().unwrap().status(), 401);
    server.hears_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn when_there_is_no_new_token_the_caller_hears_why() {
    let (stack, _, mut server) = stacked(RetryUnauthorized::new());
    let sent = tokio::spawn(stack.clone().oneshot(get(API_URL)));
    meets(&mut server, "a", 401).await;
    server.token_request().await.1.send_response(answer(503, ""));
    assert_eq!(ours(sent.await.unwrap().unwrap_err()).kind(), ErrorKind::Overloaded);
}

/// What counts as a refusal is the user's to widen.
#[tokio::test(start_paused = true)]
async fn a_refusal_by_the_users_word_counts_as_any() {
    let layer = layer().also_refused(|status, headers| status == 403 && headers.contains_key("x-expired"));
    let (stack, _, mut server) = with(layer, RetryUnauthorized::new());
    let sent = tokio::spawn(stack.clone().oneshot(get(API_URL)));
    meets(&mut server, "a", 403).await;
    assert_eq!(sent.await.unwrap().unwrap().status(), 403);
    server.hears_nothing().await;

    let sent = tokio::spawn(stack.clone().oneshot(get(API_URL)));
    let (_, respond) = server.next().await;
    let mut expired = answer(403, "<html>");
    expired.headers_mut().insert("x-expired", "1".parse().unwrap());
    respond.send_response(expired);
    server.grants(token("b", 3600)).await;
    meets(&mut server, "b", 200).await;
    assert_eq!(sent.await.unwrap().unwrap().status(), 200);
}

/// The policy and tower's own budget or back-off can stand beside one another: time passes only where the user says so.
#[tokio::test(start_paused = true)]
async fn it_does_not_wait_by_itself() {
    let (stack, _, mut server) = stacked(RetryUnauthorized::new());
    let began = tokio::time::Instant::now();
    let sent = tokio::spawn(stack.clone().oneshot(get(API_URL)));
    meets(&mut server, "a", 401).await;
    server.grants(token("b", 3600)).await;
    meets(&mut server, "b", 200).await;
    sent.await.unwrap().unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO);
}
