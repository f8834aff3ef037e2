//! A token request that goes through its own layer returns an error and does not deadlock.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http_body_util::BodyExt;
use tokio::time::timeout;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Layer, ServiceExt, service_fn};
use tower_oauth2::grant::{Context, grant_fn};
use tower_oauth2::{ErrorKind, OAuth2Layer, Token, Tokens};

use crate::support::{API_URL, Body, answer, get, layer, ours};

#[tokio::test(start_paused = true)]
async fn a_token_service_that_is_wrapped_by_the_same_layer() {
    type Client = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, BoxError>;
    let wrapped: Arc<OnceLock<Client>> = Arc::default();
    let by_mistake = wrapped.clone();
    let token_service = service_fn(move |request: http::Request<Body>| {
        let wrapped = by_mistake.get().cloned().unwrap();
        wrapped.oneshot(request)
    });
    let inner = service_fn(async |_: http::Request<Body>| Ok::<_, std::io::Error>(answer(200, "")));
    let service = layer().token_service(token_service).layer(inner);
    assert!(wrapped.set(BoxCloneSyncService::new(service.clone())).is_ok());

    let outcome = timeout(Duration::from_secs(1), service.oneshot(get(API_URL))).await.expect("a deadlock");
    assert_eq!(ours(outcome.unwrap_err()).kind(), ErrorKind::Recursion);
}

#[tokio::test(start_paused = true)]
async fn a_grant_that_waits_for_its_own_token() {
    let tokens: Arc<OnceLock<Tokens>> = Arc::default();
    let by_mistake = tokens.clone();
    let grant = grant_fn(move |_: Context| {
        let tokens = by_mistake.get().unwrap().clone();
        async move { tokens.get().await }
    });
    let inner = service_fn(async |_: http::Request<Body>| Ok::<_, std::io::Error>(answer(200, "")));
    let service = OAuth2Layer::new(grant).layer(inner);
    assert!(tokens.set(service.tokens()).is_ok());
    let outcome = timeout(Duration::from_secs(1), service.oneshot(get(API_URL))).await.expect("a deadlock");
    assert_eq!(ours(outcome.unwrap_err()).kind(), ErrorKind::Recursion);
}

/// Another layer may authorize the token requests of this one. That is no recursion.
#[tokio::test(start_paused = true)]
async fn a_layer_may_authorize_the_token_requests_of_another() {
    let echo = service_fn(async |request: http::Request<Body>| {
        let authorized = crate::support::authorization(&request).unwrap().to_owned();
        Ok::<_, std::io::Error>(answer(200, authorized))
    });
    let outer = OAuth2Layer::new(grant_fn(async |cx: Context| {
        let answer = cx.transport().send(http::Request::new(bytes::Bytes::new())).await?;
        Token::bearer(String::from_utf8_lossy(answer.body()).replace(' ', "-"))
    }));
    let gate = OAuth2Layer::new(grant_fn(async |_: Context| Token::bearer("gate")));
    let service = outer.token_service(gate.layer(echo)).layer(echo);
    let body = service.oneshot(get(API_URL)).await.unwrap().into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "Bearer Bearer-gate");
}
