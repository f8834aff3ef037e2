//! Two clocks: a token has ended when either says so, whatever happens to the other.

use std::time::Duration;

use tokio::time::Instant;
use tower::ServiceExt;
use tower_oauth2::Token;
use tower_oauth2::test_util::Clock;

use crate::support::{API_URL, Server, Service, answer, conversation, get, layer, ours, pass, token};

const HOUR: Duration = Duration::from_secs(3600);

fn with_token() -> (Service, Server) {
    let (service, server) = conversation(&layer());
    service.tokens().set(Token::bearer("a").unwrap().with_expires_in(HOUR));
    (service, server)
}

async fn renews(service: &Service, server: &mut Server, to: &str) {
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    server.grants(token(to, 3600)).await;
    assert_eq!(server.serves().await, Some(format!("Bearer {to}")));
    sent.await.unwrap().unwrap();
}

async fn reuses(service: &Service, server: &mut Server, token: &str) {
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    assert_eq!(server.serves().await, Some(format!("Bearer {token}")));
    sent.await.unwrap().unwrap();
    server.hears_nothing().await;
}

/// A laptop sleeps for a night: the monotonic clock stood still, the wall clock did not.
#[tokio::test(start_paused = true)]
async fn a_token_does_not_outlive_a_suspended_machine() {
    let clock = Clock::new();
    let _entered = clock.enter();
    let (service, mut server) = with_token();
    reuses(&service, &mut server, "a").await;
    clock.step_forward(8 * HOUR);
    renews(&service, &mut server, "b").await;
    reuses(&service, &mut server, "b").await;
}

/// Somebody sets the clock back by a day: the token lives no longer for it.
#[tokio::test(start_paused = true)]
async fn a_token_does_not_live_longer_when_the_clock_is_set_back() {
    let clock = Clock::new();
    let _entered = clock.enter();
    let (service, mut server) = with_token();
    clock.step_back(24 * HOUR);
    reuses(&service, &mut server, "a").await;
    pass(HOUR).await;
    renews(&service, &mut server, "b").await;
    // By the clock that was set back the next one lives as long as any.
    pass(HOUR / 2).await;
    reuses(&service, &mut server, "b").await;
}

/// The clock jumps ahead and back again (a wrong time server): one token call too many, and then all is as before.
#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_and_comes_back_costs_one_call() {
    let clock = Clock::new();
    let _entered = clock.enter();
    let (service, mut server) = with_token();
    clock.step_forward(24 * HOUR);
    renews(&service, &mut server, "b").await;
    clock.step_back(24 * HOUR);
    reuses(&service, &mut server, "b").await;
    pass(HOUR).await;
    renews(&service, &mut server, "c").await;
}

/// A failure is not remembered for longer than it should be, whichever way the clock goes.
#[tokio::test(start_paused = true)]
async fn a_back_off_ends_whichever_clock_goes() {
    for back in [true, false] {
        let clock = Clock::new();
        let _entered = clock.enter();
        let (service, mut server) = conversation(&layer());
        let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
        server.token_request().await.1.send_response(answer(503, ""));
        ours(sent.await.unwrap().unwrap_err());
        if back {
            clock.step_back(24 * HOUR);
            pass(Duration::from_secs(2)).await;
        } else {
            clock.step_forward(24 * HOUR);
        }
        renews(&service, &mut server, "b").await;
    }
}

/// `Retry-After` as a date is a wait by the wall clock.
#[tokio::test(start_paused = true)]
async fn a_date_to_retry_after_is_read_by_the_wall_clock() {
    let clock = Clock::new();
    let _entered = clock.enter();
    clock.step_forward(1000 * HOUR);
    let (service, mut server) = conversation(&layer());
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
    renews(&service, &mut server, "b").await;
}

/// The answer of a server that rotates must not be lost for it.
#[tokio::test(start_paused = true)]
async fn a_step_during_a_token_call_does_not_end_it() {
    let clock = Clock::new();
    let _entered = clock.enter();
    let (service, mut server) = conversation(&layer());
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    let (_, respond) = server.token_request().await;
    pass(Duration::from_secs(1)).await;
    clock.step_forward(HOUR);
    pass(Duration::from_secs(20)).await;
    respond.send_response(answer(200, token("a", 3600)));
    assert_eq!(server.serves().await.as_deref(), Some("Bearer a"));
    sent.await.unwrap().unwrap();
}
