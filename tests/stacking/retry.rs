//! `Retry`: outside it may retry a request whose token request failed, inside it retries token requests like any request.

use std::time::Duration;

use tower::retry::{Policy, Retry};
use tower::{BoxError, Layer};
use tower_oauth2::{Error, ErrorKind};

use crate::scenarios::{HERD, herd, herd_succeeds, recovers_from_failures};
use crate::support::{API, BACKOFF, Failure, MockServer, Request, Response, get, layer, oauth_error};

/// Retries transient failures after a pause: errors of the layer, and statuses.
#[derive(Clone)]
struct RetryTransient {
    retries: usize,
    pause: Duration,
}

impl Policy<Request, Response, BoxError> for RetryTransient {
    type Future = tokio::time::Sleep;

    fn retry(&mut self, _: &mut Request, result: &mut Result<Response, BoxError>) -> Option<Self::Future> {
        let is_transient = match result {
            Ok(response) => response.status().is_server_error(),
            Err(error) => error.downcast_ref().is_some_and(Error::is_transient),
        };
        self.retries = self.retries.checked_sub(usize::from(is_transient))?;
        is_transient.then(|| tokio::time::sleep(self.pause))
    }

    fn clone_request(&mut self, request: &Request) -> Option<Request> {
        Some(request.clone())
    }
}

const AFTER_THE_BACKOFF: RetryTransient = RetryTransient { retries: 1, pause: BACKOFF };
const AT_ONCE: RetryTransient = RetryTransient { retries: 5, pause: Duration::ZERO };
const NEVER: RetryTransient = RetryTransient { retries: 0, pause: Duration::ZERO };

#[tokio::test(start_paused = true)]
async fn a_herd_over_the_layer() {
    let server = MockServer::default();
    herd_succeeds(&server, Retry::new(AT_ONCE, layer().layer(server.clone()))).await;
}

#[tokio::test(start_paused = true)]
async fn a_herd_under_the_layer() {
    let server = MockServer::default();
    herd_succeeds(&server, layer().layer(Retry::new(AT_ONCE, server.clone()))).await;
}

/// Retries within the back-off send no token request.
#[tokio::test(start_paused = true)]
async fn a_failure_over_the_layer() {
    let server = MockServer::default();
    recovers_from_failures(&server, Retry::new(AT_ONCE, layer().layer(server.clone()))).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_under_the_layer() {
    let server = MockServer::default();
    recovers_from_failures(&server, layer().layer(Retry::new(NEVER, server.clone()))).await;
}

/// A herd whose token request fails shares the second token request, too.
#[tokio::test(start_paused = true)]
async fn over_the_layer_it_tries_again_after_the_back_off() {
    let server = MockServer::default();
    server.script().failures.push_back(Failure::Status(503));
    let start = tokio::time::Instant::now();
    for response in herd(&Retry::new(AFTER_THE_BACKOFF, layer().layer(server.clone()))).await {
        response.unwrap();
    }
    assert_eq!(start.elapsed(), BACKOFF);
    assert_eq!((server.token_requests(), server.received(API).len()), (2, HERD));
}

/// The rejection of a client is not retried.
#[tokio::test(start_paused = true)]
async fn over_the_layer_it_does_not_retry_permanent_errors() {
    let server = MockServer::default();
    server.script().failures.extend([Failure::Status(401); 2]);
    let error = get(&mut Retry::new(AFTER_THE_BACKOFF, layer().layer(server.clone())), API).await.unwrap_err();
    assert_eq!(oauth_error(&error).kind(), ErrorKind::ClientRejected);
    assert_eq!(server.token_requests(), 1);
}

/// For the layer it is one token request, which succeeds.
#[tokio::test(start_paused = true)]
async fn under_the_layer_it_repeats_the_token_request() {
    let server = MockServer::default();
    server.script().failures.push_back(Failure::Status(503));
    get(&mut layer().layer(Retry::new(AFTER_THE_BACKOFF, server.clone())), API).await.unwrap();
    assert_eq!(server.token_requests(), 2);
    assert_eq!(server.authorizations(API), [Some("Bearer t2".to_owned())]);
}
