//! The refresh-ahead window and the clock skew depend on the whole lifetime of a token, not on the lifetime that remains when it
//! arrives. No option overflows.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use http::{Request, Response};
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use tower_oauth2::grant::{BoxGrant, Context, Reason, grant_fn};
use tower_oauth2::{OAuth2Layer, Token};

use crate::support::{API_URL, Body, answer, get, ours, pass};

const SECOND: Duration = Duration::from_secs(1);

/// Returns a token as a store or a file contains it: `left` seconds before its expiry, with its whole `lifetime` if that is known.
fn stored(left: u64, lifetime: Option<u64>) -> Token {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let mut stored = json!({"access_token": "stored", "expires_at": now + left});
    if let Some(lifetime) = lifetime {
        stored["expires_in"] = lifetime.into();
    }
    serde_json::from_value(stored).unwrap()
}

async fn api(_: Request<Body>) -> Result<Response<Body>, Infallible> {
    Ok(answer(200, ""))
}

type Configured = OAuth2Layer<BoxGrant>;

/// Sends a request each second, while no refresh completes. Returns the remaining seconds of the token when the first refresh starts,
/// and when the first request waits.
async fn windows(left: u64, lifetime: Option<u64>, configure: impl Fn(Configured) -> Configured) -> (u64, u64) {
    let started = Arc::new(AtomicUsize::new(0));
    let counter = started.clone();
    let grant = grant_fn(move |_: Context| {
        counter.fetch_add(1, Ordering::SeqCst);
        std::future::pending()
    });
    let layer = configure(OAuth2Layer::new(grant).boxed());
    let service = layer.layer(service_fn(api));
    layer.tokens().set(stored(left, lifetime));
    let (mut first, began) = (None, tokio::time::Instant::now());
    for _ in 0..=left + 10 {
        let left = left.saturating_sub(began.elapsed().as_secs());
        let sent = tokio::time::timeout(Duration::from_millis(1), service.clone().oneshot(get(API_URL))).await;
        if started.load(Ordering::SeqCst) > 0 {
            first.get_or_insert(left);
        }
        if sent.is_err() {
            return (first.unwrap(), left);
        }
        pass(SECOND - Duration::from_millis(1)).await;
    }
    panic!("the token never expires");
}

/// Compares with a tolerance of two seconds, because the wall clock advances during the test.
fn assert_about(found: (u64, u64), expected: (u64, u64), what: &str) {
    let is_about = |found: u64, expected: u64| found.abs_diff(expected) <= 2;
    assert!(is_about(found.0, expected.0) && is_about(found.1, expected.1), "{what}: {found:?}, not {expected:?}");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_set_late_in_its_lifetime() {
    let exact = |layer: Configured| layer.refresh_ahead_jitter(0.0).unwrap();
    for (left, lifetime, expected) in [
        (3600, Some(3600), (300, 30)),
        (60, Some(3600), (60, 30)),
        (299, Some(3600), (299, 30)),
        (60, Some(60), (30, 6)),
        (10, Some(3600), (10, 10)),
        (60, Some(u64::MAX), (60, 30)),
        // An unknown lifetime is treated as long.
        (3600, None, (300, 30)),
        (60, None, (60, 30)),
    ] {
        let found = windows(left, lifetime, exact).await;
        assert_about(found, expected, &format!("{left} s of {lifetime:?}"));
    }
}

/// The same for the initial token of a grant.
#[tokio::test(start_paused = true)]
async fn an_initial_token_late_in_its_lifetime() {
    use tower_oauth2::grant::RefreshToken;

    let client = tower_oauth2::client::Client::public("id");
    let grant = RefreshToken::new(crate::support::TOKEN_URL, client, "r").unwrap().token(stored(60, Some(3600)));
    let (token_service, mut forms) = crate::support::token_endpoint(vec![]);
    let layer = OAuth2Layer::new(grant).token_service(token_service);
    let began = tokio::time::Instant::now();
    assert_eq!(layer.tokens().get().await.unwrap().access_token(), "stored");
    forms.recv().await.unwrap();
    assert!(began.elapsed() < SECOND, "the token is due at once");
}

#[tokio::test(start_paused = true)]
async fn the_limits_of_each_option() {
    let ahead = |ahead| move |layer: Configured| layer.refresh_ahead_jitter(0.0).unwrap().refresh_ahead(ahead);
    let skew = |skew| move |layer: Configured| ahead(300 * SECOND)(layer).clock_skew(skew);
    assert_about(windows(3600, Some(3600), ahead(Duration::ZERO)).await, (30, 30), "never ahead");
    assert_about(windows(3600, Some(3600), ahead(Duration::MAX)).await, (1800, 30), "half of it");
    assert_about(windows(3600, Some(3600), ahead(3600 * SECOND)).await, (1800, 30), "half of it");
    assert_about(windows(3600, None, ahead(Duration::MAX)).await, (3600, 30), "at once");
    assert_about(windows(100, None, ahead(Duration::ZERO)).await, (30, 30), "never ahead");
    assert_about(windows(1000, Some(1000), skew(Duration::ZERO)).await, (300, 0), "to its end");
    assert_about(windows(1000, Some(1000), skew(Duration::MAX)).await, (300, 100), "a tenth of it");
    assert_about(windows(1000, Some(1000), skew(300 * SECOND)).await, (300, 100), "equal to the window");
    assert_about(windows(1000, None, skew(300 * SECOND)).await, (600, 300), "at twice the skew");
    assert_about(windows(1000, None, skew(Duration::MAX)).await, (1000, 1000), "never sent");
    assert_about(windows(0, Some(3600), skew(Duration::ZERO)).await, (0, 0), "expired");
}

/// Returns the number of calls of a grant that returns `token`, during `seconds` with ten requests each.
async fn calls(
    seconds: u32,
    token: impl Fn() -> Token + Send + Sync + 'static,
    configure: impl Fn(Configured) -> Configured,
) -> usize {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    let grant = grant_fn(move |_: Context| {
        counter.fetch_add(1, Ordering::SeqCst);
        std::future::ready(Ok(token()))
    });
    let service = configure(OAuth2Layer::new(grant).boxed()).layer(service_fn(api));
    for _ in 0..seconds * 10 {
        let sent = tokio::time::timeout(SECOND, service.clone().oneshot(get(API_URL))).await;
        assert_eq!(sent.expect("the request waits").map_err(ours).unwrap().status(), 200);
        pass(SECOND / 10).await;
    }
    calls.load(Ordering::SeqCst)
}

/// A grant that reads a file gets the same token until the file is replaced. It is called at most once per
/// `min_refresh_interval`.
#[tokio::test(start_paused = true)]
async fn a_token_that_is_due_when_it_arrives_does_not_start_a_refresh_per_request() {
    let same = |left: u64, lifetime| {
        let token = stored(left, lifetime);
        move || token.clone()
    };
    for lifetime in [None, Some(3600)] {
        let found = calls(61, same(200, lifetime), |layer| layer).await;
        assert!((2..=4).contains(&found), "{lifetime:?}: {found} calls in a minute");
    }
    let found = calls(61, same(36_000, None), |layer| layer.refresh_ahead(Duration::MAX)).await;
    assert!((2..=4).contains(&found), "{found} calls in a minute");
    let found =
        calls(60, same(36_000, None), |layer| layer.refresh_ahead(Duration::MAX).min_refresh_interval(10 * SECOND))
            .await;
    assert!((5..=8).contains(&found), "{found} calls in a minute");
}

/// The clock skew is ignored after a refresh has returned the same token.
#[tokio::test(start_paused = true)]
async fn a_token_within_the_skew_when_it_arrives_does_not_make_each_request_wait() {
    let token = stored(20, None);
    let found = calls(15, move || token.clone(), |layer| layer).await;
    assert!(found <= 3, "{found} calls in 15 s");
    let token = stored(36_000, None);
    let found = calls(60, move || token.clone(), |layer| layer.clock_skew(Duration::MAX)).await;
    assert!(found <= 4, "{found} calls in a minute");
}

/// With a lifetime of zero, a token is used only by its waiters.
#[tokio::test(start_paused = true)]
async fn a_default_lifetime_of_zero() {
    let found = calls(1, || Token::bearer("a").unwrap(), |layer| layer.default_lifetime(Duration::ZERO)).await;
    assert_eq!(found, 10);
    let found = calls(1, || Token::bearer("a").unwrap(), |layer| layer.default_lifetime(Duration::MAX)).await;
    assert_eq!(found, 1);
    // It does not affect a token with an expiry.
    let found = calls(1, || stored(3600, None), |layer| layer.default_lifetime(Duration::ZERO)).await;
    assert_eq!(found, 1);
}

/// Nothing overflows, and the layer works.
#[tokio::test(start_paused = true)]
async fn the_maximum_values_of_all_options() {
    let all = |layer: Configured| {
        layer
            .clock_skew(Duration::ZERO)
            .refresh_ahead(Duration::MAX)
            .min_refresh_interval(Duration::MAX)
            .default_lifetime(Duration::MAX)
            .max_wait(Duration::MAX)
            .backoff(Duration::MAX, Duration::MAX)
            .unwrap()
            .backoff_multiplier(f64::MAX)
            .unwrap()
            .backoff_jitter(1.0)
            .unwrap()
            .refresh_ahead_jitter(0.5)
            .unwrap()
            .token_timeout(Duration::MAX)
            .unwrap()
            .max_response_size(usize::MAX)
            .unwrap()
    };
    assert_eq!(calls(1, || Token::bearer("a").unwrap(), all).await, 1);
    assert_eq!(calls(1, || stored(3600, Some(3600)), all).await, 1);

    let failing = grant_fn(async |cx: Context| {
        assert_ne!(cx.reason(), Reason::Rejected);
        Err(tower_oauth2::Error::caused_by(tower_oauth2::ErrorKind::Overloaded, "always"))
    });
    let service = all(OAuth2Layer::new(failing).boxed()).layer(service_fn(api));
    for _ in 0..3 {
        let error = ours(service.clone().oneshot(get(API_URL)).await.unwrap_err());
        assert!(error.retry_at().unwrap() > SystemTime::now() + 1000 * SECOND);
        pass(3600 * SECOND).await;
    }
}

/// In real time, too: the helper thread gets the longest timers.
#[tokio::test]
async fn the_maximum_timeouts_in_real_time() {
    let grant = grant_fn(async |_: Context| {
        tokio::time::sleep(Duration::from_millis(50)).await;
        Token::bearer("a")
    });
    let layer = OAuth2Layer::new(grant).max_wait(Duration::MAX).token_timeout(Duration::MAX).unwrap();
    let sent = tokio::time::timeout(60 * SECOND, layer.layer(service_fn(api)).oneshot(get(API_URL))).await;
    assert_eq!(sent.unwrap().unwrap().status(), 200);
}
