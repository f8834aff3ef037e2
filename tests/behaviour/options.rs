//! Each timing option has an effect, and an invalid value is an error that names the option.

use std::time::Duration;

use tokio::time::Instant;
use tower::ServiceExt;
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token};

use crate::support::{API_URL, Server, Service, answer, get, grant, layer, mock_service, ours, pass, token};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn an_invalid_value_is_an_error_that_names_the_option() {
    let cases: [(Option<Error>, &str); 9] = [
        (layer().refresh_ahead_jitter(0.6).err(), "`refresh_ahead_jitter`"),
        (layer().refresh_ahead_jitter(f64::NAN).err(), "`refresh_ahead_jitter`"),
        (layer().backoff(2 * SECOND, SECOND).err(), "`backoff`"),
        (layer().backoff_multiplier(0.9).err(), "`backoff_multiplier`"),
        (layer().backoff_multiplier(f64::INFINITY).err(), "`backoff_multiplier`"),
        (layer().backoff_jitter(-0.1).err(), "`backoff_jitter`"),
        (layer().max_retry_after(3601 * SECOND).err(), "`max_retry_after`"),
        (layer().token_timeout(Duration::ZERO).err(), "`token_timeout`"),
        (layer().max_response_size(0).err(), "`max_response_size`"),
    ];
    for (error, names) in cases {
        let error = error.expect(names);
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().contains(names), "{error}");
    }
}

/// Returns the age at which a token of `lifetime` is refreshed, and whether a request had to wait for that.
async fn refreshed_at<G: tower_oauth2::grant::Grant>(layer: OAuth2Layer<G>, lifetime: u32) -> (u64, bool) {
    let (service, mut server) = mock_service(&layer);
    service.tokens().set(Token::bearer("a").unwrap().with_expires_in(lifetime * SECOND));
    let began = Instant::now();
    loop {
        let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
        let (request, respond) = server.next().await;
        let waits = request.uri() == crate::support::TOKEN_URL;
        if waits {
            return (began.elapsed().as_secs(), true);
        }
        respond.send_response(answer(200, ""));
        sent.await.unwrap().unwrap();
        if let Ok((request, _)) = tokio::time::timeout(Duration::from_millis(1), server.next()).await {
            assert_eq!(request.uri(), crate::support::TOKEN_URL);
            return (began.elapsed().as_secs(), false);
        }
        pass(SECOND - Duration::from_millis(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn when_a_token_is_refreshed() {
    let exact = || layer().refresh_ahead_jitter(0.0).unwrap();
    let off = || layer().refresh_ahead(Duration::ZERO);
    assert_eq!(refreshed_at(exact(), 3600).await, (3300, false));
    // The clocks advance during the test, so half of the lifetime is slightly more than 50 s.
    assert!(matches!(refreshed_at(exact(), 100).await, (50..=51, false)), "at most half of the lifetime");
    assert_eq!(refreshed_at(exact().refresh_ahead(60 * SECOND), 3600).await, (3540, false));
    assert_eq!(
        refreshed_at(exact().clock_skew(300 * SECOND), 3600).await,
        (3000, false),
        "before a long clock skew begins"
    );
    assert_eq!(refreshed_at(off(), 3600).await, (3570, true));
    assert_eq!(refreshed_at(off().clock_skew(60 * SECOND), 3600).await, (3540, true));
    assert_eq!(refreshed_at(off().clock_skew(Duration::ZERO), 3600).await, (3600, true));
    assert!(
        matches!(refreshed_at(off().clock_skew(Duration::MAX), 3600).await, (3240..=3241, true)),
        "at most a tenth of it"
    );
    assert!(matches!(refreshed_at(exact().refresh_ahead(Duration::MAX), 3600).await, (1800..=1801, false)));
    let (age, waits) = refreshed_at(layer().refresh_ahead_jitter(0.5).unwrap(), 3600).await;
    assert!((3300..=3450).contains(&age) && !waits, "{age}");
}

/// Returns the times of the token requests, in seconds from the first one. A request is sent each second, and each token request fails.
async fn failing<G: tower_oauth2::grant::Grant>(
    layer: OAuth2Layer<G>,
    start: impl FnOnce(&Service<G>),
    seconds: u64,
    retry_after: Option<&str>,
) -> Vec<u64> {
    let (service, mut server) = mock_service(&layer);
    start(&service);
    let mut calls: Vec<Instant> = Vec::new();
    for _ in 0..seconds {
        let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
        while let Ok((request, respond)) = tokio::time::timeout(Duration::from_millis(1), server.next()).await {
            if request.uri() == crate::support::TOKEN_URL {
                calls.push(Instant::now());
                let mut failure = answer(503, "");
                if let Some(wait) = retry_after {
                    failure.headers_mut().insert("retry-after", wait.parse().unwrap());
                }
                respond.send_response(failure);
            } else {
                respond.send_response(answer(200, ""));
            }
        }
        let _ = sent.await.unwrap();
        pass(SECOND - Duration::from_millis(1)).await;
    }
    calls.iter().map(|call| call.duration_since(calls[0]).as_secs()).collect()
}

#[tokio::test(start_paused = true)]
async fn how_long_the_back_off_is() {
    let exact = || layer().backoff_jitter(0.0).unwrap();
    let same = exact().backoff(10 * SECOND, 10 * SECOND).unwrap();
    assert_eq!(failing(same, |_| (), 35, None).await, [0, 10, 20, 30]);
    let doubled = exact().backoff(5 * SECOND, 20 * SECOND).unwrap().backoff_multiplier(2.0).unwrap();
    assert_eq!(failing(doubled, |_| (), 60, None).await, [0, 5, 15, 35, 55]);
    assert_eq!(failing(exact(), |_| (), 20, Some("15")).await, [0, 15]);
    let ignoring = exact().backoff(SECOND, SECOND).unwrap().max_retry_after(Duration::ZERO).unwrap();
    assert_eq!(failing(ignoring, |_| (), 3, Some("15")).await, [0, 1, 2]);
    let limited = exact().max_retry_after(4 * SECOND).unwrap();
    assert_eq!(failing(limited, |_| (), 9, Some("15")).await, [0, 4, 8]);
}

#[tokio::test(start_paused = true)]
async fn how_often_a_proactive_refresh_is_attempted() {
    let base = || layer().refresh_ahead_jitter(0.0).unwrap().backoff(Duration::ZERO, Duration::ZERO).unwrap();
    let due = |service: &Service| {
        service.tokens().set(Token::bearer("a").unwrap().with_expires_in(3600 * SECOND));
    };
    let hour_old = async |layer| {
        let calls = failing(layer, due, 3300 + 100, None).await;
        assert!(calls.len() > 1, "{calls:?}");
        calls
    };
    assert_eq!(hour_old(base()).await, [0, 30, 60, 90]);
    assert_eq!(hour_old(base().min_refresh_interval(45 * SECOND)).await, [0, 45, 90]);
    assert_eq!(hour_old(base().min_refresh_interval(Duration::MAX).refresh_ahead(1000 * SECOND)).await, [0, 360, 720]);
}

#[tokio::test(start_paused = true)]
async fn the_default_lifetime_applies_to_a_token_without_expiry() {
    let layer = layer().default_lifetime(100 * SECOND).refresh_ahead(Duration::ZERO);
    let (service, mut server) = mock_service(&layer);
    service.tokens().set(Token::bearer("a").unwrap());
    pass(91 * SECOND).await;
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    server.issue_token(token("b", 3600)).await;
    server.next_authorization().await;
    sent.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_timeout_and_the_maximum_size_of_a_token_request() {
    let (service, mut server) = mock_service(&OAuth2Layer::new(grant()).token_timeout(5 * SECOND).unwrap());
    let began = Instant::now();
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    let (_, _unanswered) = server.token_request().await;
    assert_eq!(fails(sent).await, ErrorKind::Timeout);
    assert_eq!(began.elapsed().as_secs(), 5);

    let (service, mut server): (Service, Server) =
        mock_service(&OAuth2Layer::new(grant()).max_response_size(10).unwrap());
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    server.issue_token(token("a", 3600)).await;
    assert_eq!(fails(sent).await, ErrorKind::Malformed);
}

async fn fails(
    sent: tokio::task::JoinHandle<Result<http::Response<crate::support::Body>, tower::BoxError>>,
) -> ErrorKind {
    ours(sent.await.unwrap().unwrap_err()).kind()
}
