//! An error is cached until the back-off has passed. The next request after that starts a refresh.

use std::time::Duration;

use tower::ServiceExt;
use tower_oauth2::{Error, ErrorKind};

use crate::support::{API_URL, Service, answer, get, layer, mock_service, ours, pass, token};

async fn fails(service: &Service) -> Error {
    ours(service.clone().oneshot(get(API_URL)).await.unwrap_err())
}

#[tokio::test(start_paused = true)]
async fn five_waiters_on_a_failing_server_cause_one_token_request() {
    let (service, mut server) = mock_service(&layer());
    let waiting: Vec<_> = (0..5).map(|_| tokio::spawn(service.clone().oneshot(get(API_URL)))).collect();
    let (_, respond) = server.token_request().await;
    respond.send_response(answer(500, ""));
    for one in waiting {
        assert_eq!(ours(one.await.unwrap().unwrap_err()).kind(), ErrorKind::Overloaded);
    }
    server.assert_no_request().await;
}

#[tokio::test(start_paused = true)]
async fn requests_fail_at_once_during_the_back_off_and_succeed_after_it() {
    let (service, mut server) = mock_service(&layer());
    let first = tokio::spawn(service.clone().oneshot(get(API_URL)));
    let (_, respond) = server.token_request().await;
    respond.send_response(answer(500, ""));
    first.await.unwrap().unwrap_err();

    pass(Duration::from_millis(700)).await;
    assert_eq!(fails(&service).await.kind(), ErrorKind::Overloaded);
    server.assert_no_request().await;

    // The maximum of the first back-off is 1.2 s.
    pass(Duration::from_millis(501)).await;
    let next = tokio::spawn(service.oneshot(get(API_URL)));
    server.issue_token(token("a", 3600)).await;
    server.next_authorization().await;
    next.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_back_off_grows_with_each_failure_and_starts_no_token_request() {
    let (service, mut server) = mock_service(&layer());
    for max in [1.2, 1.6 * 1.2, 1.6 * 1.6 * 1.2] {
        let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
        let (_, respond) = server.token_request().await;
        respond.send_response(answer(500, ""));
        sent.await.unwrap().unwrap_err();
        pass(Duration::from_secs_f64(max * 0.8 / 1.2 - 0.01)).await;
        fails(&service).await;
        pass(Duration::from_secs_f64(max)).await;
        server.assert_no_request().await;
    }
}

#[tokio::test(start_paused = true)]
async fn retry_after_lengthens_the_back_off() {
    let (service, mut server) = mock_service(&layer());
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    let (_, respond) = server.token_request().await;
    let mut busy = answer(429, "");
    busy.headers_mut().insert("retry-after", "60".parse().unwrap());
    respond.send_response(busy);
    let error = ours(sent.await.unwrap().unwrap_err());
    assert_eq!(error.retry_after(), Some(Duration::from_secs(60)));

    pass(Duration::from_secs(59)).await;
    assert_eq!(fails(&service).await.retry_after(), Some(Duration::from_secs(60)));
    server.assert_no_request().await;
    pass(Duration::from_secs(2)).await;
    let next = tokio::spawn(service.oneshot(get(API_URL)));
    server.issue_token(token("a", 3600)).await;
    server.next_authorization().await;
    next.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_back_off_can_be_disabled() {
    let (service, mut server) = mock_service(&layer().backoff(Duration::ZERO, Duration::ZERO).unwrap());
    for _ in 0..3 {
        let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
        let (_, respond) = server.token_request().await;
        respond.send_response(answer(500, ""));
        sent.await.unwrap().unwrap_err();
    }
}
