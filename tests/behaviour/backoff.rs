//! A failure is remembered until the back-off has passed: then, and not before, the next request tries again.

use std::time::Duration;

use tower::ServiceExt;
use tower_oauth2::{Error, ErrorKind};

use crate::support::{API_URL, Service, answer, conversation, get, layer, ours, pass, token};

async fn fails(service: &Service) -> Error {
    ours(service.clone().oneshot(get(API_URL)).await.unwrap_err())
}

#[tokio::test(start_paused = true)]
async fn five_waiters_on_a_failing_server_make_one_call() {
    let (service, mut server) = conversation(&layer());
    let waiting: Vec<_> = (0..5).map(|_| tokio::spawn(service.clone().oneshot(get(API_URL)))).collect();
    let (_, respond) = server.token_request().await;
    respond.send_response(answer(500, ""));
    for one in waiting {
        assert_eq!(ours(one.await.unwrap().unwrap_err()).kind(), ErrorKind::Overloaded);
    }
    server.hears_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn within_it_callers_fail_at_once_and_after_it_all_is_well() {
    let (service, mut server) = conversation(&layer());
    let first = tokio::spawn(service.clone().oneshot(get(API_URL)));
    let (_, respond) = server.token_request().await;
    respond.send_response(answer(500, ""));
    first.await.unwrap().unwrap_err();

    pass(Duration::from_millis(700)).await;
    assert_eq!(fails(&service).await.kind(), ErrorKind::Overloaded);
    server.hears_nothing().await;

    // 1 s and a fifth is the longest that the first one lasts.
    pass(Duration::from_millis(501)).await;
    let next = tokio::spawn(service.oneshot(get(API_URL)));
    server.grants(token("a", 3600)).await;
    server.serves().await;
    next.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn it_grows_while_the_failures_last_and_nobody_calls_while_nobody_asks() {
    let (service, mut server) = conversation(&layer());
    for longest in [1.2, 1.6 * 1.2, 1.6 * 1.6 * 1.2] {
        let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
        let (_, respond) = server.token_request().await;
        respond.send_response(answer(500, ""));
        sent.await.unwrap().unwrap_err();
        pass(Duration::from_secs_f64(longest * 0.8 / 1.2 - 0.01)).await;
        fails(&service).await;
        pass(Duration::from_secs_f64(longest)).await;
        server.hears_nothing().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_server_may_ask_for_more() {
    let (service, mut server) = conversation(&layer());
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    let (_, respond) = server.token_request().await;
    let mut busy = answer(429, "");
    busy.headers_mut().insert("retry-after", "60".parse().unwrap());
    respond.send_response(busy);
    let error = ours(sent.await.unwrap().unwrap_err());
    assert_eq!(error.retry_after(), Some(Duration::from_secs(60)));

    pass(Duration::from_secs(59)).await;
    assert_eq!(fails(&service).await.retry_after(), Some(Duration::from_secs(60)));
    server.hears_nothing().await;
    pass(Duration::from_secs(2)).await;
    let next = tokio::spawn(service.oneshot(get(API_URL)));
    server.grants(token("a", 3600)).await;
    server.serves().await;
    next.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn its_numbers_are_the_users() {
    let (service, mut server) = conversation(&layer().backoff(Duration::ZERO, Duration::ZERO).unwrap());
    for _ in 0..3 {
        let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
        let (_, respond) = server.token_request().await;
        respond.send_response(answer(500, ""));
        sent.await.unwrap().unwrap_err();
    }
}
