//! A first login that fails.

use std::time::Duration;

use tower_oauth2::grant::{Context, grant_fn};
use tower_oauth2::{Error, ErrorKind};

use super::{ended, is_sent_with, layer, on_challenge, respond, send, status, unauthorized};
use crate::support::{answer, ours, pass, spawn_refresh, token};

#[tokio::test(start_paused = true)]
async fn the_repeated_request_gets_the_error_and_others_go_on_without_a_token() {
    let layer = layer();
    let (sent, mut server) = send(&layer);
    respond(&mut server, unauthorized("Bearer")).await;
    let (_, respond_token) = server.token_request().await;
    respond_token.send_response(answer(503, ""));
    assert_eq!(ours(ended(sent).await.unwrap_err()).kind(), ErrorKind::Overloaded);

    // During the back-off, a public request is answered, and a 401 passes.
    is_sent_with(&layer, None).await;
    let (sent, mut server) = send(&layer);
    assert_eq!(respond(&mut server, unauthorized("Bearer")).await, None);
    assert_eq!(status(sent).await, 401);
    server.assert_no_request().await;

    pass(Duration::from_secs(2)).await;
    is_sent_with(&layer, None).await;
    let (sent, mut server) = send(&layer);
    assert_eq!(respond(&mut server, unauthorized("Bearer")).await, None);
    server.issue_token(token("a", 3600)).await;
    assert_eq!(respond(&mut server, answer(200, "")).await.as_deref(), Some("Bearer a"));
    assert_eq!(status(sent).await, 200);
}

/// The back-off grows, as for a token that every request needs.
#[tokio::test(start_paused = true)]
async fn a_server_that_always_fails_gets_few_token_requests() {
    let layer = layer();
    let (mut token_requests, began) = (0, tokio::time::Instant::now());
    while began.elapsed() < Duration::from_secs(600) {
        let (sent, mut server) = send(&layer);
        respond(&mut server, unauthorized("Bearer")).await;
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        if !sent.is_finished() {
            let (_, respond_token) = server.token_request().await;
            respond_token.send_response(answer(503, ""));
            token_requests += 1;
        }
        let _ = ended(sent).await;
        pass(Duration::from_millis(500)).await;
    }
    assert!((5..=15).contains(&token_requests), "{token_requests}");
}

#[tokio::test(start_paused = true)]
async fn a_person_who_denied_is_not_asked_again_until_the_application_asks() {
    let calls = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = calls.clone();
    let layer = on_challenge(grant_fn(move |_: Context| {
        let call = counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        async move {
            match call {
                0 => Err(Error::caused_by(ErrorKind::Denied, "")),
                _ => tower_oauth2::Token::bearer("a"),
            }
        }
    }));
    let (sent, mut server) = send(&layer);
    respond(&mut server, unauthorized("Bearer")).await;
    assert_eq!(ours(ended(sent).await.unwrap_err()).kind(), ErrorKind::Denied);
    for _ in 0..3 {
        pass(Duration::from_secs(3600)).await;
        let (sent, mut server) = send(&layer);
        respond(&mut server, unauthorized("Bearer")).await;
        assert_eq!(status(sent).await, 401);
        is_sent_with(&layer, None).await;
    }
    assert_eq!(calls.load(std::sync::atomic::Ordering::SeqCst), 1);
    spawn_refresh(&layer.tokens()).await.unwrap().unwrap_err();
}
