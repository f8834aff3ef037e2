//! `max_wait` limits the wait of a request, and not the refresh.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use tower::{Service as _, ServiceExt};
use tower_oauth2::grant::{Context, grant_fn};
use tower_oauth2::{ErrorKind, OAuth2Layer, Token};

use crate::support::{API_URL, Service, answer, get, layer, mock_service, ours, pass, token};

const HALF: Duration = Duration::from_millis(500);

async fn times_out(
    sent: impl Future<Output = Result<http::Response<crate::support::Body>, tower::BoxError>>,
) -> Duration {
    let began = Instant::now();
    let error = ours(sent.await.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.is_transient(), "it can be retried");
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn the_request_fails_and_the_refresh_continues() {
    let (service, mut server) = mock_service(&layer().max_wait(HALF));
    assert_eq!(times_out(service.clone().oneshot(get(API_URL))).await, HALF);
    let (_, respond) = server.token_request().await;
    // The refresh has not failed, so the next request waits for it, too.
    assert_eq!(times_out(service.clone().oneshot(get(API_URL))).await, HALF);
    server.assert_no_request().await;
    respond.send_response(answer(200, token("a", 3600)));
    let sent = tokio::spawn(service.oneshot(get(API_URL)));
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer a"));
    sent.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn zero_fails_at_once_and_starts_a_refresh() {
    let (service, mut server) = mock_service(&layer().max_wait(Duration::ZERO));
    assert!(times_out(service.clone().oneshot(get(API_URL))).await < Duration::from_millis(2));
    server.issue_token(token("a", 3600)).await;
    pass(Duration::from_millis(1)).await;
    let sent = tokio::spawn(service.oneshot(get(API_URL)));
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer a"));
    sent.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_huge_limit_is_no_limit() {
    let (service, mut server) = mock_service(&layer().max_wait(Duration::MAX).token_timeout(Duration::MAX).unwrap());
    let sent = tokio::spawn(service.oneshot(get(API_URL)));
    let (_, respond) = server.token_request().await;
    pass(Duration::from_secs(3000)).await;
    respond.send_response(answer(200, token("a", 3600)));
    server.next_authorization().await;
    sent.await.unwrap().unwrap();
}

/// `call` waits too, if the token has expired since `poll_ready`, or was rejected.
#[tokio::test(start_paused = true)]
async fn the_wait_of_call_is_limited() {
    let (mut service, mut server) = mock_service(&layer().max_wait(HALF));
    service.tokens().set(Token::bearer("a").unwrap().with_expires_in(Duration::from_secs(100)));
    service.ready().await.unwrap();
    pass(Duration::from_secs(100)).await;
    assert_eq!(times_out(service.call(get(API_URL))).await, HALF);
    let (_, _unanswered) = server.token_request().await;
}

/// A waiter that acquires a token again does not get a new limit.
#[tokio::test(start_paused = true)]
async fn changes_meanwhile_do_not_lengthen_the_wait() {
    let attempts = Arc::new(AtomicUsize::new(0));
    let counter = attempts.clone();
    let grant = grant_fn(move |_: Context| {
        counter.fetch_add(1, Ordering::SeqCst);
        std::future::pending()
    });
    let layer = OAuth2Layer::new(grant).max_wait(HALF);
    let (mut service, _server) = mock_service(&layer);
    let tokens = layer.tokens();
    let forgetter = tokio::spawn({
        let tokens = tokens.clone();
        async move {
            loop {
                pass(HALF * 3 / 10).await;
                tokens.forget();
            }
        }
    });
    let bounded = async |sent| tokio::time::timeout(Duration::from_secs(60), times_out(sent)).await.expect("no limit");
    assert_eq!(bounded(Box::pin(service.clone().oneshot(get(API_URL))) as Sent).await, HALF);
    assert!(attempts.load(Ordering::SeqCst) > 2);
    // The same for the future of `call`.
    tokens.set(Token::bearer("a").unwrap());
    service.ready().await.unwrap();
    tokens.forget();
    assert_eq!(bounded(Box::pin(service.call(get(API_URL)))).await, HALF);
    forgetter.abort();
}

type Sent =
    std::pin::Pin<Box<dyn Future<Output = Result<http::Response<crate::support::Body>, tower::BoxError>> + Send>>;

/// A token that is set ends the wait.
#[tokio::test(start_paused = true)]
async fn a_token_that_is_set_in_time_is_sent() {
    let (service, mut server) = mock_service(&layer().max_wait(HALF));
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    let (_, _unanswered) = server.token_request().await;
    pass(HALF - Duration::from_millis(1)).await;
    service.tokens().set(Token::bearer("set").unwrap());
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer set"));
    sent.await.unwrap().unwrap();
}

/// A service that is ready with an error uses a token that has arrived since.
#[tokio::test(start_paused = true)]
async fn after_the_timeout_the_service_works_again() {
    let (mut service, mut server): (Service, _) = mock_service(&layer().max_wait(HALF));
    service.ready().await.unwrap();
    service.tokens().set(Token::bearer("set").unwrap());
    // The token that was set is sent, instead of returning the error.
    let sent = tokio::spawn(service.call(get(API_URL)));
    let (_, _unanswered) = server.token_request().await;
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer set"));
    sent.await.unwrap().unwrap();
}

/// The option applies only to requests. For handles, use `tokio::time::timeout`.
#[tokio::test(start_paused = true)]
async fn it_does_not_limit_handles() {
    let (mut service, mut server) = mock_service(&layer().max_wait(HALF));
    service.ready().await.unwrap();
    let tokens = service.tokens();
    let got = tokio::spawn(async move { tokens.get().await });
    let (_, respond) = server.token_request().await;
    pass(10 * HALF).await;
    respond.send_response(answer(200, token("a", 3600)));
    assert_eq!(got.await.unwrap().unwrap().access_token(), "a");
}
