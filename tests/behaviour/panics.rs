//! A panic becomes an error for those who wait, and the cell goes on.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tower::{Layer, ServiceExt, service_fn};
use tower_oauth2::transport::Transport;
use tower_oauth2::{ErrorKind, OAuth2Layer, Token};

use crate::support::{API_URL, Body, TOKEN_URL, answer, authorization, get, layer, ours, pass};

#[tokio::test(start_paused = true)]
async fn in_the_grant() {
    let runs = AtomicUsize::new(0);
    let grant = move |_: Option<Token>, _: Transport| {
        let run = runs.fetch_add(1, Ordering::SeqCst);
        async move {
            tokio::task::yield_now().await;
            assert_ne!(run, 0, "the first run fails with hunter2");
            Token::bearer("a")
        }
    };
    let inner = service_fn(async |request: http::Request<Body>| {
        Ok::<_, std::io::Error>(answer(200, authorization(&request).unwrap_or_default()))
    });
    let service = OAuth2Layer::new(grant).layer(inner);
    let (one, two) = tokio::join!(service.clone().oneshot(get(API_URL)), service.clone().oneshot(get(API_URL)));
    for outcome in [one, two] {
        let error = ours(outcome.unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Panicked);
        assert!(!format!("{error} {error:?}").contains("hunter2"), "what a panic says may be a secret");
    }
    pass(Duration::from_secs(2)).await;
    assert_eq!(service.oneshot(get(API_URL)).await.unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn before_the_grant_is_a_future() {
    let runs = AtomicUsize::new(0);
    let grant = move |_: Option<Token>, _: Transport| {
        assert_ne!(runs.fetch_add(1, Ordering::SeqCst), 0, "the first run fails");
        std::future::ready(Token::bearer("a"))
    };
    let inner = service_fn(async |_: http::Request<Body>| Ok::<_, std::io::Error>(answer(200, "")));
    let service = OAuth2Layer::new(grant).layer(inner);
    assert_eq!(ours(service.clone().oneshot(get(API_URL)).await.unwrap_err()).kind(), ErrorKind::Panicked);
    pass(Duration::from_secs(2)).await;
    assert_eq!(service.oneshot(get(API_URL)).await.unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn in_the_service_that_sends_the_token_call() {
    let inner = service_fn(async |request: http::Request<Body>| {
        assert_ne!(request.uri(), TOKEN_URL, "no token calls here");
        Ok::<_, std::io::Error>(answer(200, ""))
    });
    let service = layer().layer(inner);
    assert_eq!(ours(service.clone().oneshot(get(API_URL)).await.unwrap_err()).kind(), ErrorKind::Panicked);
    service.tokens().set(Token::bearer("a").unwrap());
    assert_eq!(service.oneshot(get(API_URL)).await.unwrap().status(), 200);
}
