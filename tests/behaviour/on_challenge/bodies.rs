//! Requests with a body.

use http::Request;
use http_body_util::BodyExt;
use tower::retry::RetryLayer;
use tower::{Layer, ServiceExt};
use tower_oauth2::retry::{RetryUnauthorized, TokenRejected};

use super::{layer, status, unauthorized};
use crate::support::{API_URL, Body, answer, authorization, mock_service, token};

fn post() -> Request<Body> {
    Request::post(API_URL).body(Body::from("content")).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_body_that_can_be_copied_is_sent_again() {
    let (service, mut server) = mock_service(&layer());
    let policy = RetryUnauthorized::new().replay(|body: &Body| Some(body.clone()));
    let sent = tokio::spawn(RetryLayer::new(policy).layer(service).oneshot(post()));
    let (request, respond) = server.next().await;
    assert_eq!(authorization(&request), None);
    respond.send_response(unauthorized("Bearer"));
    server.issue_token(token("a", 3600)).await;
    let (request, respond) = server.next().await;
    assert_eq!(authorization(&request), Some("Bearer a"));
    assert_eq!(request.into_body().collect().await.unwrap().to_bytes(), "content");
    respond.send_response(answer(200, ""));
    assert_eq!(status(sent).await, 200);
}

/// The login starts nevertheless, so that the caller can send the request again.
#[tokio::test(start_paused = true)]
async fn the_401_of_a_body_that_cannot_be_copied_is_returned_with_its_mark() {
    let layer = layer();
    let (service, mut server) = mock_service(&layer);
    let service = RetryLayer::new(RetryUnauthorized::new()).layer(service);
    let sent = tokio::spawn(service.clone().oneshot(post()));
    let (_, respond) = server.next().await;
    respond.send_response(unauthorized("Bearer"));
    let response = sent.await.unwrap().unwrap();
    assert_eq!(response.status(), 401);
    assert!(response.extensions().get::<TokenRejected>().is_some());
    server.issue_token(token("a", 3600)).await;
    layer.tokens().flush().await;

    let sent = tokio::spawn(service.oneshot(post()));
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer a"));
    assert_eq!(status(sent).await, 200);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_recorded_is_sent_again() {
    let (service, mut server) = mock_service(&layer());
    // The recorded body is collected, because the mock server has one body type.
    let wrap = |body: tower_oauth2::retry::RecordedBody<Body>| {
        let mut body = std::pin::pin!(body.collect());
        match body.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
            std::task::Poll::Ready(collected) => Body::from(collected.unwrap().to_bytes()),
            std::task::Poll::Pending => panic!("the body is in memory"),
        }
    };
    let service = RetryUnauthorized::new().buffered(1024).into_layer(wrap).layer(service);
    let sent = tokio::spawn(service.oneshot(post()));
    let (_, respond) = server.next().await;
    respond.send_response(unauthorized("Bearer"));
    server.issue_token(token("a", 3600)).await;
    let (request, respond) = server.next().await;
    assert_eq!(authorization(&request), Some("Bearer a"));
    assert_eq!(request.into_body().collect().await.unwrap().to_bytes(), "content");
    respond.send_response(answer(200, ""));
    assert_eq!(status(sent).await, 200);
}
