//! Two clocks: a token has expired as soon as either clock says so.

use std::time::Duration;

use tokio::time::Instant;
use tower::ServiceExt;
use tower_oauth2::Token;
use tower_oauth2::test_util::Clock;

use crate::support::{API_URL, Server, Service, answer, get, layer, mock_service, ours, pass, token};

const HOUR: Duration = Duration::from_secs(3600);

fn with_token() -> (Service, Server) {
    let (service, server) = mock_service(&layer());
    service.tokens().set(Token::bearer("a").unwrap().with_expires_in(HOUR));
    (service, server)
}

async fn refreshes(service: &Service, server: &mut Server, to: &str) {
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    server.issue_token(token(to, 3600)).await;
    assert_eq!(server.next_authorization().await, Some(format!("Bearer {to}")));
    sent.await.unwrap().unwrap();
}

async fn reuses(service: &Service, server: &mut Server, token: &str) {
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    assert_eq!(server.next_authorization().await, Some(format!("Bearer {token}")));
    sent.await.unwrap().unwrap();
    server.assert_no_request().await;
}

/// During a suspend, the monotonic clock stops and the wall clock does not.
#[tokio::test(start_paused = true)]
async fn a_token_does_not_outlive_a_suspended_machine() {
    let clock = Clock::new();
    let _entered = clock.enter();
    let (service, mut server) = with_token();
    reuses(&service, &mut server, "a").await;
    clock.step_forward(8 * HOUR);
    refreshes(&service, &mut server, "b").await;
    reuses(&service, &mut server, "b").await;
}

/// Setting the wall clock back does not extend the lifetime of a token.
#[tokio::test(start_paused = true)]
async fn a_token_does_not_outlive_its_lifetime_if_the_clock_is_set_back() {
    let clock = Clock::new();
    let _entered = clock.enter();
    let (service, mut server) = with_token();
    clock.step_back(24 * HOUR);
    reuses(&service, &mut server, "a").await;
    pass(HOUR).await;
    refreshes(&service, &mut server, "b").await;
    // The next token has its full lifetime on the clock that was set back.
    pass(HOUR / 2).await;
    reuses(&service, &mut server, "b").await;
}

/// The wall clock jumps forward and back again, because of a wrong time server. That costs one additional token request.
#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_forward_and_back_costs_one_token_request() {
    let clock = Clock::new();
    let _entered = clock.enter();
    let (service, mut server) = with_token();
    clock.step_forward(24 * HOUR);
    refreshes(&service, &mut server, "b").await;
    clock.step_back(24 * HOUR);
    reuses(&service, &mut server, "b").await;
    pass(HOUR).await;
    refreshes(&service, &mut server, "c").await;
}

/// An error is not cached for longer than the back-off, in whichever direction the clock is stepped.
#[tokio::test(start_paused = true)]
async fn a_back_off_ends_after_a_clock_step_in_either_direction() {
    for back in [true, false] {
        let clock = Clock::new();
        let _entered = clock.enter();
        let (service, mut server) = mock_service(&layer());
        let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
        server.token_request().await.1.send_response(answer(503, ""));
        ours(sent.await.unwrap().unwrap_err());
        if back {
            clock.step_back(24 * HOUR);
            pass(Duration::from_secs(2)).await;
        } else {
            clock.step_forward(24 * HOUR);
        }
        refreshes(&service, &mut server, "b").await;
    }
}

/// A date in `Retry-After` is compared with the wall clock.
#[tokio::test(start_paused = true)]
async fn a_retry_after_date_is_compared_with_the_wall_clock() {
    let clock = Clock::new();
    let _entered = clock.enter();
    clock.step_forward(1000 * HOUR);
    let (service, mut server) = mock_service(&layer());
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    let mut busy = answer(503, "");
    let at = std::time::SystemTime::now() + 1000 * HOUR + Duration::from_secs(60);
    busy.headers_mut().insert("retry-after", httpdate::fmt_http_date(at).parse().unwrap());
    server.token_request().await.1.send_response(busy);
    let error = ours(sent.await.unwrap().unwrap_err());
    let wait = error.retry_after().unwrap();
    assert!((57..=60).contains(&wait.as_secs()), "{wait:?}");

    let began = Instant::now();
    pass(Duration::from_secs(56)).await;
    ours(service.clone().oneshot(get(API_URL)).await.unwrap_err());
    assert!(began.elapsed() < Duration::from_secs(57));
    pass(Duration::from_secs(5)).await;
    refreshes(&service, &mut server, "b").await;
}

/// The response of a server that rotates refresh tokens must not be lost.
#[tokio::test(start_paused = true)]
async fn a_clock_step_during_a_token_request_does_not_end_it() {
    let clock = Clock::new();
    let _entered = clock.enter();
    let (service, mut server) = mock_service(&layer());
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    let (_, respond) = server.token_request().await;
    pass(Duration::from_secs(1)).await;
    clock.step_forward(HOUR);
    pass(Duration::from_secs(20)).await;
    respond.send_response(answer(200, token("a", 3600)));
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer a"));
    sent.await.unwrap().unwrap();
}
