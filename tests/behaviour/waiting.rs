//! All callers wait for one token request, and share its token.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::Request;
use tokio::task::JoinSet;
use tower::{Layer, ServiceExt, service_fn};
use tower_oauth2::OAuth2Layer;

use crate::support::{API_URL, Body, TOKEN_URL, answer, authorization, get, grant, layer, mock_service, pass, token};

#[tokio::test(start_paused = true)]
async fn ten_thousand_tasks_share_one_token_request() {
    let token_requests = Arc::new(AtomicUsize::new(0));
    let counter = token_requests.clone();
    let inner = service_fn(move |request: Request<Body>| {
        let counter = counter.clone();
        async move {
            if request.uri() == TOKEN_URL {
                counter.fetch_add(1, Ordering::SeqCst);
                pass(Duration::from_millis(50)).await;
                return Ok::<_, std::convert::Infallible>(answer(200, token("a", 3600)));
            }
            Ok(answer(if authorization(&request) == Some("Bearer a") { 200 } else { 401 }, ""))
        }
    });
    let service = layer().layer(inner);
    let mut tasks: JoinSet<_> = (0..10_000).map(|_| service.clone().oneshot(get(API_URL))).collect();
    while let Some(response) = tasks.join_next().await {
        assert_eq!(response.unwrap().unwrap().status(), 200);
    }
    assert_eq!(token_requests.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn the_task_that_started_the_refresh_is_aborted_and_the_others_get_the_token() {
    let (service, mut server) = mock_service(&layer());
    let starter = tokio::spawn(service.clone().oneshot(get(API_URL)));
    let (_, respond) = server.token_request().await;
    let other = tokio::spawn(service.clone().oneshot(get(API_URL)));
    tokio::task::yield_now().await;
    starter.abort();
    assert!(starter.await.unwrap_err().is_cancelled());

    respond.send_response(answer(200, token("a", 3600)));
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer a"));
    assert_eq!(other.await.unwrap().unwrap().status(), 200);
    assert_eq!(service.tokens().peek().unwrap().access_token(), "a");
    server.assert_no_request().await;
}

#[tokio::test(start_paused = true)]
async fn all_waiters_are_aborted_and_the_token_is_kept() {
    let (service, mut server) = mock_service(&layer());
    let only = tokio::spawn(service.clone().oneshot(get(API_URL)));
    let (_, respond) = server.token_request().await;
    only.abort();
    assert!(only.await.unwrap_err().is_cancelled());
    respond.send_response(answer(200, token("a", 3600)));

    let next = tokio::spawn(service.oneshot(get(API_URL)));
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer a"));
    next.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_token_is_used_until_a_tenth_of_its_lifetime_is_left() {
    let (service, mut server) = mock_service(&layer());
    let send = || tokio::spawn(service.clone().oneshot(get(API_URL)));

    let first = send();
    server.issue_token(token("a", 2)).await;
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer a"));
    first.await.unwrap().unwrap();

    pass(Duration::from_millis(1_700)).await;
    let second = send();
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer a"));
    second.await.unwrap().unwrap();

    pass(Duration::from_millis(200)).await;
    let third = send();
    server.issue_token(token("b", 2)).await;
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer b"));
    third.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_token_without_expiry_has_the_default_lifetime() {
    let without_expiry = layer();
    let for_a_minute = layer().default_lifetime(Duration::from_secs(60));
    for (layer, calls) in [(without_expiry, 1), (for_a_minute, 2)] {
        let (service, mut server) = mock_service(&layer);
        for call in 1..=2 {
            let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
            if call <= calls {
                server.issue_token(serde_json::json!({"access_token": "a"})).await;
            }
            server.next_authorization().await;
            sent.await.unwrap().unwrap();
            pass(Duration::from_secs(61)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn services_and_clones_of_one_layer_share_its_token_and_layers_do_not() {
    let layer = OAuth2Layer::new(grant());
    let (one, mut server) = mock_service(&layer);
    let first = tokio::spawn(one.oneshot(get(API_URL)));
    server.issue_token(token("a", 3600)).await;
    server.next_authorization().await;
    first.await.unwrap().unwrap();

    let (two, mut server) = mock_service(&layer.clone());
    let second = tokio::spawn(two.oneshot(get(API_URL)));
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer a"));
    second.await.unwrap().unwrap();

    let (three, mut server) = mock_service(&OAuth2Layer::new(grant()));
    let third = tokio::spawn(three.oneshot(get(API_URL)));
    server.issue_token(token("b", 3600)).await;
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer b"));
    third.await.unwrap().unwrap();
}

/// The same on several threads: one token request at a time, and no caller waits without end.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_threads_share_one_token_request_per_token() {
    let token_requests = Arc::new(AtomicUsize::new(0));
    let counter = token_requests.clone();
    let inner = service_fn(move |request: Request<Body>| {
        let counter = counter.clone();
        async move {
            tokio::task::yield_now().await;
            let calls = match request.uri() == TOKEN_URL {
                true => counter.fetch_add(1, Ordering::SeqCst),
                false => 0,
            };
            Ok::<_, std::convert::Infallible>(answer(200, token(&format!("t{calls}"), 3600)))
        }
    });
    let service = layer().layer(inner);
    for round in 1..=20 {
        let mut tasks: JoinSet<_> = (0..200).map(|_| service.clone().oneshot(get(API_URL))).collect();
        while let Some(response) = tasks.join_next().await {
            assert_eq!(response.unwrap().unwrap().status(), 200);
        }
        assert_eq!(token_requests.load(Ordering::SeqCst), round);
        service.tokens().invalidate();
    }
}
