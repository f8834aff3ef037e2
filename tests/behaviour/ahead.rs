//! A token is refreshed in the background before it expires, and no request waits meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::Response;
use tokio::time::Instant;
use tower::{Layer, ServiceExt, service_fn};
use tower_oauth2::grant::{Context, Reason, grant_fn};
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token};

use crate::support::{
    API_URL, Body, Server, Service, TOKEN_URL, answer, authorization, get, layer, mock_service, pass, token,
};

/// A token with a lifetime of an hour becomes due between these ages, depending on the jitter.
const NOT_YET_DUE: Duration = Duration::from_secs(3600 - 301);
const DUE: Duration = Duration::from_secs(3600 - 239);

/// Sends a request that must not wait for a token. Returns its `Authorization` header.
async fn served(service: &Service, server: &mut Server) -> String {
    let began = Instant::now();
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    let authorization = server.next_authorization().await.unwrap();
    assert_eq!(sent.await.unwrap().unwrap().status(), 200);
    assert_eq!(began.elapsed(), Duration::ZERO, "the request waited");
    authorization
}

/// Returns a service whose token has this age.
async fn aged(age: Duration) -> (Service, Server) {
    let (service, server) = mock_service(&layer());
    let hour = Duration::from_secs(3600);
    service.tokens().set(Token::bearer("a").unwrap().with_expires_in(hour).with_refresh_token("r"));
    // Handles use the transport of a service that was polled.
    service.clone().ready().await.unwrap();
    pass(age).await;
    (service, server)
}

/// A token request takes two seconds, a token is valid for ten, and a request is sent every 100 ms for ten minutes.
#[tokio::test(start_paused = true)]
async fn a_steady_stream_of_requests_waits_only_for_the_first_token() {
    let token_requests = Arc::new(AtomicUsize::new(0));
    let counter = token_requests.clone();
    let inner = service_fn(move |request: http::Request<Body>| {
        let counter = counter.clone();
        async move {
            if request.uri() != TOKEN_URL {
                return Ok::<_, std::convert::Infallible>(answer(200, authorization(&request).unwrap()));
            }
            let call = counter.fetch_add(1, Ordering::SeqCst);
            pass(Duration::from_secs(2)).await;
            Ok(answer(200, token(&format!("t{call}"), 10)))
        }
    });
    let service = layer().layer(inner);
    service.clone().oneshot(get(API_URL)).await.unwrap();
    for _ in 0..6000 {
        let began = Instant::now();
        service.clone().oneshot(get(API_URL)).await.unwrap();
        assert_eq!(began.elapsed(), Duration::ZERO, "a request waited");
        pass(Duration::from_millis(100)).await;
    }
    // Each token is used for five to six of its ten seconds, and for two more during its refresh.
    let calls = token_requests.load(Ordering::SeqCst);
    assert!((600 / 8 - 1..=600 / 7 + 2).contains(&calls), "{calls} token requests in 600 s");
}

#[tokio::test(start_paused = true)]
async fn the_refresh_starts_in_the_window_and_the_old_token_is_sent_meanwhile() {
    let (service, mut server) = aged(NOT_YET_DUE).await;
    assert_eq!(served(&service, &mut server).await, "Bearer a");
    server.assert_no_request().await;

    pass(DUE - NOT_YET_DUE).await;
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    // The request and the token request are both in flight.
    let (one, respond_one) = server.next().await;
    let (two, respond_two) = server.next().await;
    let (respond_api, respond_token) = match one.uri() == TOKEN_URL {
        true => (respond_two, respond_one),
        false => (respond_one, respond_two),
    };
    assert!(one.uri() == TOKEN_URL || two.uri() == TOKEN_URL);
    respond_api.send_response(answer(200, ""));
    sent.await.unwrap().unwrap();
    for _ in 0..3 {
        assert_eq!(served(&service, &mut server).await, "Bearer a");
    }
    server.assert_no_request().await;

    respond_token.send_response(answer(200, token("b", 3600)));
    pass(Duration::from_millis(1)).await;
    assert_eq!(served(&service, &mut server).await, "Bearer b");
}

#[tokio::test(start_paused = true)]
async fn an_idle_service_sends_no_token_request() {
    let (_service, mut server) = aged(DUE).await;
    pass(Duration::from_secs(10)).await;
    server.assert_no_request().await;
}

/// Responds to this number of requests with 200, and to token requests with `answer_token`. Returns the number of token requests.
async fn answers(server: &mut Server, requests: usize, answer_token: impl Fn() -> Response<Body>) -> usize {
    let (mut calls, mut served) = (0, 0);
    while served < requests {
        let (request, respond) = server.next().await;
        if request.uri() == TOKEN_URL {
            calls += 1;
            respond.send_response(answer_token());
        } else {
            assert_eq!(authorization(&request), Some("Bearer a"));
            served += 1;
            respond.send_response(answer(200, ""));
        }
    }
    calls
}

/// One request per second, from the time when the token is due until its expiry, while the authorization server is unavailable.
#[tokio::test(start_paused = true)]
async fn the_token_is_sent_until_its_expiry_during_an_outage() {
    let (service, mut server) = aged(DUE).await;
    let left = 239;
    let mut calls = 0;
    for second in 0..left - 1 {
        let began = Instant::now();
        let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
        calls += answers(&mut server, 1, || answer(503, "")).await;
        assert_eq!(sent.await.unwrap().unwrap().status(), 200, "{second}");
        assert_eq!(began.elapsed(), Duration::ZERO, "the request waited");
        pass(Duration::from_secs(1)).await;
    }
    // First the minimum interval of 30 s, and later the back-off, which is longer: 1.6^8 s is 43 s.
    assert!((3..=9).contains(&calls), "{calls} token requests");

    pass(Duration::from_secs(2)).await;
    let error = service.clone().oneshot(get(API_URL));
    let error = tokio::spawn(error);
    let outcome = tokio::time::timeout(Duration::from_secs(1), async {
        loop {
            let (request, respond) = server.next().await;
            assert_eq!(request.uri(), TOKEN_URL, "an expired token was sent");
            respond.send_response(answer(503, ""));
        }
    });
    assert!(outcome.await.is_err());
    assert_eq!(crate::support::ours(error.await.unwrap().unwrap_err()).kind(), ErrorKind::Overloaded);
}

/// Within the clock skew, requests wait for the token request. If it fails, they are sent with the old token.
#[tokio::test(start_paused = true)]
async fn the_token_is_sent_within_the_clock_skew_if_the_refresh_fails() {
    let (service, mut server) = aged(Duration::from_secs(3600 - 29)).await;
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    let got = tokio::spawn({
        let tokens = service.tokens();
        async move { tokens.get().await }
    });
    server.token_request().await.1.send_response(answer(503, ""));
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer a"));
    sent.await.unwrap().unwrap();
    assert_eq!(got.await.unwrap().unwrap().access_token(), "a");

    // After the back-off, the next attempt is in the background.
    pass(Duration::from_secs(2)).await;
    assert_eq!(served(&service, &mut server).await, "Bearer a");
    server.issue_token(token("b", 3600)).await;
    pass(Duration::from_millis(1)).await;
    assert_eq!(served(&service, &mut server).await, "Bearer b");
}

#[tokio::test(start_paused = true)]
async fn a_forced_refresh_returns_its_error() {
    let (service, mut server) = aged(DUE).await;
    let tokens = service.tokens();
    let refreshed = tokio::spawn(async move { tokens.refresh().await });
    server.token_request().await.1.send_response(answer(503, ""));
    assert_eq!(refreshed.await.unwrap().unwrap_err().kind(), ErrorKind::Overloaded);
    assert_eq!(served(&service, &mut server).await, "Bearer a");
}

/// The error is also cached if the refresh failed before the token was due.
#[tokio::test(start_paused = true)]
async fn retry_after_applies_when_the_token_becomes_due() {
    let (service, mut server) = aged(NOT_YET_DUE).await;
    let tokens = service.tokens();
    let refreshed = tokio::spawn(async move { tokens.refresh().await });
    let mut busy = answer(503, "");
    busy.headers_mut().insert("retry-after", "120".parse().unwrap());
    server.token_request().await.1.send_response(busy);
    assert_eq!(refreshed.await.unwrap().unwrap_err().kind(), ErrorKind::Overloaded);
    for _ in 0..118 {
        assert_eq!(served(&service, &mut server).await, "Bearer a");
        server.assert_no_request().await;
        pass(Duration::from_secs(1)).await;
    }
    pass(Duration::from_secs(3)).await;
    assert_eq!(served(&service, &mut server).await, "Bearer a");
    server.issue_token(token("b", 3600)).await;
}

#[tokio::test(start_paused = true)]
async fn a_handle_refreshes_a_due_token_too() {
    let (service, mut server) = aged(DUE).await;
    assert_eq!(service.tokens().get().await.unwrap().access_token(), "a");
    server.issue_token(token("b", 3600)).await;
    pass(Duration::from_millis(1)).await;
    assert_eq!(service.tokens().get().await.unwrap().access_token(), "b");
}

#[tokio::test(start_paused = true)]
async fn refresh_ahead_can_be_disabled() {
    let (service, mut server) = mock_service(&layer().refresh_ahead(Duration::ZERO));
    service.tokens().set(Token::bearer("a").unwrap().with_expires_in(Duration::from_secs(3600)));
    pass(Duration::from_secs(3600 - 31)).await;
    assert_eq!(served(&service, &mut server).await, "Bearer a");
    server.assert_no_request().await;
    pass(Duration::from_secs(2)).await;
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    server.issue_token(token("b", 3600)).await;
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer b"));
    sent.await.unwrap().unwrap();
}

/// Some servers return the same token until its expiry. It is refreshed at half of its remaining lifetime, and not more often.
#[tokio::test(start_paused = true)]
async fn a_server_that_returns_the_same_token_again_gets_few_token_requests() {
    let began = Instant::now();
    let token_requests = Arc::new(AtomicUsize::new(0));
    let counter = token_requests.clone();
    let inner = service_fn(move |request: http::Request<Body>| {
        if request.uri() != TOKEN_URL {
            return std::future::ready(Ok::<_, std::convert::Infallible>(answer(200, "")));
        }
        counter.fetch_add(1, Ordering::SeqCst);
        let age = began.elapsed().as_secs();
        std::future::ready(Ok(answer(200, token(&format!("t{}", age / 3600), 3600 - age % 3600))))
    });
    let service = layer().layer(inner);
    for _ in 0..36_000 {
        service.clone().oneshot(get(API_URL)).await.unwrap();
        pass(Duration::from_millis(100)).await;
    }
    let calls = token_requests.load(Ordering::SeqCst);
    assert!(calls <= 20, "{calls} token requests during the lifetime of one token");
}

/// Without a runtime, requests poll the refresh, and do not wait for it.
#[cfg(feature = "test-util")]
#[test]
fn without_a_runtime_requests_poll_the_refresh() {
    use std::task::Poll;

    use tokio_test::{assert_ready_ok, task};
    use tower::Service as _;

    let clock = tower_oauth2::test_util::Clock::new();
    let _entered = clock.enter();
    let (inner, mut handle) = tower_test::mock::pair::<http::Request<Body>, Response<Body>>();
    let service = layer().layer(inner);
    let mut next = || match task::spawn(handle.next_request()).poll() {
        Poll::Ready(Some((request, respond))) => Some((request, respond)),
        _ => None,
    };
    service.tokens().set(Token::bearer("a").unwrap().with_expires_in(Duration::from_secs(3600)));
    clock.step_forward(DUE);

    let mut service = service.clone();
    assert_ready_ok!(task::spawn(service.ready()).poll(), "the old token is sent");
    let (request, respond) = next().expect("the token request was sent");
    assert_eq!(request.uri(), TOKEN_URL);
    respond.send_response(answer(200, token("b", 3600)));
    // The next request polls the refresh, which has its response.
    let mut service = service.clone();
    assert_ready_ok!(task::spawn(service.ready()).poll());
    let _sent = service.call(get(API_URL));
    let (request, _respond) = next().expect("the request");
    assert_eq!(authorization(&request), Some("Bearer b"));
}

/// A login starts only after the token has expired, and only if the grant may start it.
#[tokio::test(start_paused = true)]
async fn no_login_starts_while_the_token_is_in_use() {
    let logins = Arc::new(AtomicUsize::new(0));
    let counter = logins.clone();
    let grant = grant_fn(move |cx: Context| {
        let counter = counter.clone();
        async move {
            if cx.previous().is_some() && cx.reason() == Reason::Proactive {
                return Err(Error::caused_by(ErrorKind::LoginRequired, "not now"));
            }
            counter.fetch_add(1, Ordering::SeqCst);
            Ok(Token::bearer("a")?.with_expires_in(Duration::from_secs(3600)))
        }
    });
    let (service, _server) = mock_service(&OAuth2Layer::new(grant));
    let tokens = service.tokens();
    let mut inner = service.clone();
    inner.ready().await.unwrap();
    for _ in 0..3569 {
        tokens.get().await.unwrap();
        pass(Duration::from_secs(1)).await;
    }
    assert_eq!(logins.load(Ordering::SeqCst), 1);
    pass(Duration::from_secs(31)).await;
    tokens.get().await.unwrap();
    assert_eq!(logins.load(Ordering::SeqCst), 2);
}
