//! `Retry-After` can only lengthen the back-off, and the retries of several clients are spread.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use http::{Request, Response};
use tower::{Layer, ServiceExt, service_fn};
use tower_oauth2::{Error, OAuth2Layer};

use crate::support::{API_URL, Body, TOKEN_URL, answer, get, layer, ours, pass};

/// A server that always responds with 503 and `Retry-After`, and the number of its token requests.
fn overloaded(retry_after: &[&str]) -> (impl Clone + Fn(Request<Body>) -> ServerFuture + use<>, Arc<AtomicUsize>) {
    let (counter, mut response) = (Arc::new(AtomicUsize::new(0)), answer(503, ""));
    for value in retry_after {
        response.headers_mut().append("retry-after", value.parse().unwrap());
    }
    let counts = counter.clone();
    let server = move |request: Request<Body>| {
        assert_eq!(request.uri(), TOKEN_URL, "sent without a token");
        counts.fetch_add(1, Ordering::SeqCst);
        std::future::ready(Ok(response.clone()))
    };
    (server, counter)
}

type ServerFuture = std::future::Ready<Result<Response<Body>, Infallible>>;

/// Sends a thousand requests in ten seconds. Returns the error of the first one, and the number of token requests.
async fn storm<G>(layer: OAuth2Layer<G>, retry_after: &[&str]) -> (Error, usize) {
    let (server, counter) = overloaded(retry_after);
    let service = layer.layer(service_fn(server));
    let first = ours(service.clone().oneshot(get(API_URL)).await.unwrap_err());
    for _ in 0..1000 {
        pass(Duration::from_millis(10)).await;
        service.clone().oneshot(get(API_URL)).await.unwrap_err();
    }
    (first, counter.load(Ordering::SeqCst))
}

#[tokio::test(start_paused = true)]
async fn zero_past_and_invalid_values_do_not_change_the_back_off() {
    let (_, by_back_off) = storm(layer().backoff_jitter(0.0).unwrap(), &[]).await;
    // At 0, 1, 2.6, 5.2 and 9.3 s.
    assert_eq!(by_back_off, 5);
    for value in ["0", "-1", "-99999999999999999999", "Wed, 21 Oct 2015 07:28:00 GMT", "soon", "", "NaN", "0.0"] {
        let (error, token_requests) = storm(layer().backoff_jitter(0.0).unwrap(), &[value]).await;
        assert_eq!(token_requests, by_back_off, "{value:?}");
        assert!(error.retry_after().is_none_or(|wait| wait.is_zero()), "{value:?}");
        assert!(error.retry_at().unwrap() > SystemTime::now(), "{value:?}");
    }
    let (_, twice) = storm(layer().backoff_jitter(0.0).unwrap(), &["0", "0"]).await;
    assert_eq!(twice, by_back_off);
}

/// A back-off of zero is allowed, and the header still lengthens it.
#[tokio::test(start_paused = true)]
async fn retry_after_lengthens_a_back_off_of_zero() {
    let none = || layer().backoff(Duration::ZERO, Duration::ZERO).unwrap();
    assert_eq!(storm(none(), &[]).await.1, 1001);
    assert_eq!(storm(none(), &["0"]).await.1, 1001);
    assert_eq!(storm(none(), &["3"]).await.1, 4);
    assert_eq!(storm(none().max_retry_after(Duration::ZERO).unwrap(), &["3"]).await.1, 1001);
}

#[tokio::test(start_paused = true)]
async fn a_huge_retry_after_is_shortened_to_an_hour() {
    for value in ["3600", "999999", "99999999999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"] {
        let (error, token_requests) = storm(layer(), &[value]).await;
        assert_eq!(token_requests, 1, "{value}");
        assert_eq!(error.retry_after(), Some(Duration::from_secs(3600)), "{value}");
        let wait = error.retry_at().unwrap().duration_since(SystemTime::now()).unwrap();
        assert!((3590..=3601).contains(&wait.as_secs()), "{value}: {wait:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn retries_of_several_clients_are_spread() {
    let began = SystemTime::now();
    let mut returns = Vec::new();
    for _ in 0..50 {
        let (server, _) = overloaded(&["30"]);
        let error = ours(layer().layer(service_fn(server)).oneshot(get(API_URL)).await.unwrap_err());
        assert_eq!(error.retry_after(), Some(Duration::from_secs(30)));
        returns.push((error.retry_at().unwrap(), SystemTime::now()));
    }
    for (at, now) in &returns {
        assert!(at.duration_since(began).unwrap() >= Duration::from_secs(30), "earlier than Retry-After");
        assert!(at.duration_since(*now).unwrap() <= Duration::from_millis(30_400), "later than the jitter");
    }
    // The durations of the waits, in steps of 20 ms. The points in time differ in any case.
    let steps: HashSet<_> = returns.iter().map(|(at, now)| at.duration_since(*now).unwrap().as_millis() / 20).collect();
    assert!(steps.len() > 8, "{steps:?}");
}

/// A valid token is sent during the wait, regardless of its length.
#[tokio::test(start_paused = true)]
async fn retry_after_does_not_affect_a_valid_token() {
    let (server, counter) = overloaded(&["3600"]);
    let layer = layer().token_service(service_fn(server));
    let service = layer.layer(service_fn(async |_: Request<Body>| Ok::<_, Infallible>(answer(200, ""))));
    let due = tower_oauth2::Token::bearer("a").unwrap().with_expires_in(Duration::from_secs(3600));
    layer.tokens().set(due);
    pass(Duration::from_secs(3400)).await;
    for _ in 0..199 {
        service.clone().oneshot(get(API_URL)).await.unwrap();
        pass(Duration::from_secs(1)).await;
    }
    assert_eq!(counter.load(Ordering::SeqCst), 1);
}
