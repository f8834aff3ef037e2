//! D21: a token that is bound to a key is never sent as Bearer, by any way.

use std::time::Duration;

use http::{Request, Response};
use tokio::time::timeout;
use tower::retry::RetryLayer;
use tower::{BoxError, ServiceExt};
use tower_oauth2::grant::{Context, Grant, grant_fn};
use tower_oauth2::retry::RetryUnauthorized;
use tower_oauth2::store::{Entry, MemoryStore, TokenStore};
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token};

use super::{bound_token, dpop, issued_for};
use crate::support::{API_URL, Body, answer, get, grant, layer, mock_service, ours, token, token_endpoint};

fn bound() -> Token {
    Token::dpop("hunter2").unwrap()
}

/// The error of a request that is not sent. One that is sent would wait for a response without end.
async fn failure(sent: impl Future<Output = Result<Response<Body>, BoxError>>) -> Error {
    ours(timeout(Duration::from_secs(10), sent).await.expect("the request is sent").unwrap_err())
}

/// A token that a grant without a key returns.
fn without_key() -> impl Grant {
    grant_fn(async |_: Context| Ok(bound()))
}

#[tokio::test(start_paused = true)]
async fn d21_a_request_fails_without_the_key() {
    let (service, mut server) = mock_service(&OAuth2Layer::new(without_key()));
    for _ in 0..3 {
        let error = failure(service.clone().oneshot(get(API_URL))).await;
        assert_eq!(error.kind(), ErrorKind::Proof);
        assert!(error.to_string().contains("`Grant::dpop`"), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"));
    }
    server.assert_no_request().await;
}

/// The configured scheme, header and predicate apply to Bearer tokens only.
#[tokio::test(start_paused = true)]
async fn d21_options_for_bearer_tokens_do_not_send_it_either() {
    let layer = layer().authorization_header("x-token".parse().unwrap()).reject_when(|_, _| false);
    let layer = layer.authorization_scheme("Token").unwrap().override_authorization();
    layer.tokens().set(bound());
    let (service, mut server) = mock_service(&layer);
    let request = Request::get(API_URL).header("authorization", "Basic eDp5").body(Default::default()).unwrap();
    assert_eq!(failure(service.oneshot(request)).await.kind(), ErrorKind::Proof);
    server.assert_no_request().await;
}

#[tokio::test(start_paused = true)]
async fn d21_a_token_that_is_set_is_not_sent_and_a_bearer_token_after_it_is() {
    let layer = layer();
    layer.tokens().set(Token::bearer("one").unwrap());
    let (service, mut server) = mock_service(&layer);
    for round in ["one", "two"] {
        // The second request of the round is one of the fast path, where time is real.
        for _ in 0..2 {
            let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
            assert_eq!(server.next_authorization().await, Some(format!("Bearer {round}")));
            sent.await.unwrap().unwrap();
        }
        layer.tokens().set(bound());
        for _ in 0..2 {
            assert_eq!(failure(service.clone().oneshot(get(API_URL))).await.kind(), ErrorKind::Proof);
        }
        layer.tokens().set(Token::bearer("two").unwrap());
    }
}

/// In real time, where requests with a fresh token take the fast path.
#[tokio::test]
async fn d21_a_bound_token_never_enters_the_fast_path() {
    let layer = layer();
    let (service, mut server) = mock_service(&layer);
    layer.tokens().set(Token::bearer("one").unwrap());
    for _ in 0..3 {
        let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
        server.next_authorization().await.unwrap();
        sent.await.unwrap().unwrap();
    }
    layer.tokens().set(bound());
    for _ in 0..3 {
        assert_eq!(failure(service.clone().oneshot(get(API_URL))).await.kind(), ErrorKind::Proof);
    }
    server.assert_no_request().await;
}

#[tokio::test(start_paused = true)]
async fn d21_a_request_that_waited_for_the_token_fails() {
    let release = std::sync::Arc::new(tokio::sync::Notify::new());
    let released = release.clone();
    let grant = grant_fn(move |_: Context| {
        let released = released.clone();
        async move {
            released.notified().await;
            Ok(bound())
        }
    });
    let (service, mut server) = mock_service(&OAuth2Layer::new(grant));
    let sent = tokio::spawn(service.oneshot(get(API_URL)));
    server.assert_no_request().await;
    release.notify_one();
    assert_eq!(failure(async { sent.await.unwrap() }).await.kind(), ErrorKind::Proof);
    server.assert_no_request().await;
}

#[tokio::test(start_paused = true)]
async fn d21_a_repeated_request_fails_if_the_newer_token_is_bound() {
    let layer = OAuth2Layer::new(without_key());
    layer.tokens().set(Token::bearer("bearer").unwrap());
    let (inner, mut server) = mock_service(&layer);
    let service = tower::Layer::layer(&RetryLayer::new(RetryUnauthorized::new()), inner);
    let sent = tokio::spawn(service.oneshot(get(API_URL)));
    let (request, respond) = server.next().await;
    assert_eq!(request.headers()["authorization"], "Bearer bearer");
    respond.send_response(answer(401, ""));
    assert_eq!(failure(async { sent.await.unwrap() }).await.kind(), ErrorKind::Proof);
    server.assert_no_request().await;
}

#[tokio::test(start_paused = true)]
async fn d21_a_stored_token_is_not_sent() {
    let store = MemoryStore::new();
    let login = grant().persisted(store.clone());
    let mut lock = store.lock(login.key()).await.unwrap();
    store.save(login.key(), &Entry::new(bound(), 1), &mut lock).await.unwrap();
    drop(lock);
    let (service, mut server) = mock_service(&OAuth2Layer::new(login));
    assert_eq!(failure(service.oneshot(get(API_URL))).await.kind(), ErrorKind::Proof);
    server.assert_no_request().await;
}

#[tokio::test(start_paused = true)]
async fn d21_authorize_does_not_attach_it() {
    let tokens = layer().tokens();
    tokens.set(bound());
    let mut request = get(API_URL);
    assert_eq!(tokens.authorize(&mut request).await.unwrap_err().kind(), ErrorKind::Proof);
    assert!(request.headers().is_empty());
}

/// A token of another process, of another key: `Tokens::set` and a store of the application can bring it.
#[tokio::test(start_paused = true)]
async fn d21_a_token_of_another_key_is_not_sent() {
    let layer = OAuth2Layer::new(super::bound(dpop(1)));
    layer.tokens().set(issued_for(dpop(2).thumbprint()));
    let (service, mut server) = mock_service(&layer);
    let error = failure(service.oneshot(get(API_URL))).await;
    assert_eq!(error.kind(), ErrorKind::Proof);
    assert!(error.to_string().contains("another DPoP key"), "{error}");
    server.assert_no_request().await;
}

/// A request to another origin carries no token, so it needs no proof.
#[tokio::test(start_paused = true)]
async fn a_request_without_a_token_is_sent() {
    let layer = layer().origin("https://elsewhere.example.com").unwrap();
    layer.tokens().set(bound());
    let (service, mut server) = mock_service(&layer);
    let sent = tokio::spawn(service.oneshot(get(API_URL)));
    assert_eq!(server.next_authorization().await, None);
    sent.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_issues_a_bound_token_without_a_proof_is_malformed() {
    let (service, _forms) = token_endpoint(vec![answer(200, bound_token("a", 60)), answer(200, token("b", 60))]);
    let error = layer().token_service(service).tokens().get().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
}
