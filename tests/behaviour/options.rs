//! Every number of the layer is an option, and has an effect; a wrong one is refused by name.

use std::time::Duration;

use tokio::time::Instant;
use tower::ServiceExt;
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token};

use crate::support::{API_URL, Server, Service, answer, conversation, get, grant, layer, ours, pass, token};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_wrong_number_is_refused_by_name() {
    let cases: [(Option<Error>, &str); 9] = [
        (layer().refresh_ahead_jitter(0.6).err(), "`refresh_ahead_jitter`"),
        (layer().refresh_ahead_jitter(f64::NAN).err(), "`refresh_ahead_jitter`"),
        (layer().backoff(2 * SECOND, SECOND).err(), "`backoff`"),
        (layer().backoff_growth(0.9).err(), "`backoff_growth`"),
        (layer().backoff_growth(f64::INFINITY).err(), "`backoff_growth`"),
        (layer().backoff_jitter(-0.1).err(), "`backoff_jitter`"),
        (layer().longest_retry_after(3601 * SECOND).err(), "`longest_retry_after`"),
        (layer().token_deadline(Duration::ZERO).err(), "`token_deadline`"),
        (layer().response_limit(0).err(), "`response_limit`"),
    ];
    for (error, names) in cases {
        let error = error.expect(names);
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().contains(names), "{error}");
    }
}

/// The age at which a token of `lifetime` is first renewed while it serves, and whether a request had to wait for it.
async fn renewed<G: tower_oauth2::grant::Grant>(layer: OAuth2Layer<G>, lifetime: u32) -> (u64, bool) {
    let (service, mut server) = conversation(&layer);
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
async fn when_a_token_is_renewed() {
    let exact = || layer().refresh_ahead_jitter(0.0).unwrap();
    let off = || layer().refresh_ahead(Duration::ZERO);
    assert_eq!(renewed(exact(), 3600).await, (3300, false));
    // Of a lifetime that has begun: half of it is a moment after the 50 s.
    assert!(matches!(renewed(exact(), 100).await, (50..=51, false)), "at most half of the lifetime");
    assert_eq!(renewed(exact().refresh_ahead(60 * SECOND), 3600).await, (3540, false));
    assert_eq!(renewed(exact().skew(300 * SECOND), 3600).await, (3000, false), "before the skew, even a long one");
    assert_eq!(renewed(off(), 3600).await, (3570, true));
    assert_eq!(renewed(off().skew(60 * SECOND), 3600).await, (3540, true));
    assert_eq!(renewed(off().skew(Duration::ZERO), 3600).await, (3600, true));
    assert!(matches!(renewed(off().skew(Duration::MAX), 3600).await, (3240..=3241, true)), "at most a tenth of it");
    assert!(matches!(renewed(exact().refresh_ahead(Duration::MAX), 3600).await, (1800..=1801, false)));
    let (age, waits) = renewed(layer().refresh_ahead_jitter(0.5).unwrap(), 3600).await;
    assert!((3300..=3450).contains(&age) && !waits, "{age}");
}

/// The times of the token calls, in seconds from the first, while a request comes each second and each call fails.
async fn failing<G: tower_oauth2::grant::Grant>(
    layer: OAuth2Layer<G>,
    start: impl FnOnce(&Service<G>),
    seconds: u64,
    retry_after: Option<&str>,
) -> Vec<u64> {
    let (service, mut server) = conversation(&layer);
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
async fn how_long_a_failure_is_waited_out() {
    let exact = || layer().backoff_jitter(0.0).unwrap();
    let same = exact().backoff(10 * SECOND, 10 * SECOND).unwrap();
    assert_eq!(failing(same, |_| (), 35, None).await, [0, 10, 20, 30]);
    let doubled = exact().backoff(5 * SECOND, 20 * SECOND).unwrap().backoff_growth(2.0).unwrap();
    assert_eq!(failing(doubled, |_| (), 60, None).await, [0, 5, 15, 35, 55]);
    assert_eq!(failing(exact(), |_| (), 20, Some("15")).await, [0, 15]);
    let deaf = exact().backoff(SECOND, SECOND).unwrap().longest_retry_after(Duration::ZERO).unwrap();
    assert_eq!(failing(deaf, |_| (), 3, Some("15")).await, [0, 1, 2]);
    let impatient = exact().longest_retry_after(4 * SECOND).unwrap();
    assert_eq!(failing(impatient, |_| (), 9, Some("15")).await, [0, 4, 8]);
}

#[tokio::test(start_paused = true)]
async fn how_often_a_renewal_ahead_is_tried() {
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
    assert_eq!(hour_old(base().smallest_gap(45 * SECOND)).await, [0, 45, 90]);
    assert_eq!(hour_old(base().smallest_gap(Duration::MAX).refresh_ahead(1000 * SECOND)).await, [0, 360, 720]);
}

#[tokio::test(start_paused = true)]
async fn what_a_token_without_expiry_lives() {
    let layer = layer().default_lifetime(100 * SECOND).refresh_ahead(Duration::ZERO);
    let (service, mut server) = conversation(&layer);
    service.tokens().set(Token::bearer("a").unwrap());
    pass(91 * SECOND).await;
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    server.grants(token("b", 3600)).await;
    server.serves().await;
    sent.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn how_long_a_token_call_may_take_and_how_much_is_read() {
    let (service, mut server) = conversation(&OAuth2Layer::new(grant()).token_deadline(5 * SECOND).unwrap());
    let began = Instant::now();
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    let (_, _unanswered) = server.token_request().await;
    assert_eq!(fails(sent).await, ErrorKind::Timeout);
    assert_eq!(began.elapsed().as_secs(), 5);

    let (service, mut server): (Service, Server) = conversation(&OAuth2Layer::new(grant()).response_limit(10).unwrap());
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    server.grants(token("a", 3600)).await;
    assert_eq!(fails(sent).await, ErrorKind::Malformed);
}

async fn fails(
    sent: tokio::task::JoinHandle<Result<http::Response<crate::support::Body>, tower::BoxError>>,
) -> ErrorKind {
    ours(sent.await.unwrap().unwrap_err()).kind()
}
