//! The values of the metrics, as Prometheus scrapes them.

use std::time::{Duration, SystemTime};

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};
use serde_json::json;
use tokio_test::{assert_pending, task};
use tower::{Layer, ServiceExt, service_fn};
use tower_oauth2::{Token, grant::RefreshToken, store::MemoryStore};

use crate::endpoint;
use crate::support::{API_URL, Body, answer, get, layer, mock_service, pass, token};

fn recorder() -> PrometheusRecorder {
    let buckets = [0.1, 1.0, 10.0];
    PrometheusBuilder::new().set_buckets(&buckets).unwrap().build_recorder()
}

/// Returns the value of the only series with this name and these labels.
fn value(recorder: &PrometheusRecorder, name: &str, labels: &[&str]) -> Option<f64> {
    let text = recorder.handle().render();
    let mut found = text.lines().filter(|line| {
        let (series, _) = line.rsplit_once(' ').unwrap_or_default();
        let (series, rest) = series.split_once('{').unwrap_or((series, ""));
        series == format!("tower_oauth2_{name}") && labels.iter().all(|label| rest.contains(label))
    });
    let value = found.next()?.rsplit_once(' ')?.1.parse().ok();
    assert_eq!(found.next(), None, "more than one {name} {labels:?}");
    value
}

#[tokio::test(start_paused = true)]
async fn refreshes_by_reason_and_outcome() {
    let recorder = recorder();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let responses = vec![answer(503, ""), answer(200, token("a", 600)), answer(400, json!({"error": "invalid_scope"}))];
    let layer = layer().name("billing").token_service(endpoint(responses));
    layer.tokens().get().await.unwrap_err();
    layer.tokens().get().await.unwrap_err();
    pass(Duration::from_secs(2)).await;
    layer.tokens().get().await.unwrap();
    layer.tokens().refresh().await.unwrap_err();
    layer.tokens().refresh().await.unwrap();

    for (reason, outcome, count) in [
        ("missing", "overloaded", 1.0),
        ("missing", "ok", 1.0),
        ("forced", "request_rejected", 1.0),
        ("forced", "ok", 1.0),
    ] {
        let (reason, outcome) = (format!("reason=\"{reason}\""), format!("outcome=\"{outcome}\""));
        let labels = ["name=\"billing\"", "grant=\"client_credentials\"", &reason, &outcome];
        assert_eq!(value(&recorder, "refreshes_total", &labels), Some(count), "{labels:?}");
    }
    assert_eq!(value(&recorder, "refresh_duration_seconds_count", &["outcome=\"ok\""]), Some(2.0));
    assert_eq!(value(&recorder, "fast_failures_total", &["error=\"overloaded\""]), Some(1.0));
    let text = recorder.handle().render();
    for name in ["refreshes_total", "refresh_duration_seconds", "waiting_requests", "token_expiry_timestamp_seconds"] {
        assert!(text.contains(&format!("# HELP tower_oauth2_{name} ")), "{name} is not described:\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_duration_is_in_seconds() {
    let recorder = recorder();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let (service, mut server) = mock_service(&layer());
    let sent = tokio::spawn(service.oneshot(get(API_URL)));
    let (_, respond) = server.token_request().await;
    pass(Duration::from_millis(2500)).await;
    respond.send_response(answer(200, token("a", 600)));
    server.next_authorization().await;
    sent.await.unwrap().unwrap();
    let sum = value(&recorder, "refresh_duration_seconds_sum", &["outcome=\"ok\""]).unwrap();
    assert!((sum - 2.5).abs() < 0.01, "{sum}");
}

/// Callers that got a token, callers that were dropped, and callers that were never polled do not count.
#[tokio::test(start_paused = true)]
async fn waiting_callers_are_counted() {
    let recorder = recorder();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let waiting = || value(&recorder, "waiting_requests", &["grant=\"client_credentials\""]);
    let (service, mut server) = mock_service(&layer());
    let mut callers: Vec<_> = (0..5).map(|_| task::spawn(service.clone().oneshot(get(API_URL)))).collect();
    assert_eq!(waiting(), None, "no caller was polled");
    for caller in &mut callers {
        for _ in 0..3 {
            assert_pending!(caller.poll());
        }
    }
    let tokens = service.tokens();
    let mut handle = task::spawn(tokens.get());
    assert_pending!(handle.poll());
    assert_eq!(waiting(), Some(6.0));
    callers.truncate(3);
    drop(handle);
    assert_eq!(waiting(), Some(3.0), "dropped callers do not wait");
    server.issue_token(token("a", 600)).await;
    pass(Duration::from_millis(1)).await;
    for caller in &mut callers {
        assert_pending!(caller.poll());
    }
    assert_eq!(waiting(), Some(0.0), "callers with a token do not wait");
}

#[tokio::test(start_paused = true)]
async fn the_expiry_of_the_token() {
    let recorder = recorder();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let expiry = || value(&recorder, "token_expiry_timestamp_seconds", &["grant=\"client_credentials\""]);
    let layer = layer().token_service(endpoint(vec![]));
    let tokens = layer.tokens();
    assert_eq!(expiry(), None);
    tokens.get().await.unwrap();
    let expires_at = tokens.peek().unwrap().expires_at().unwrap();
    let seconds = expires_at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
    assert!((expiry().unwrap() - seconds).abs() < 0.01);
    tokens.set(Token::bearer("b").unwrap());
    assert_eq!(expiry(), Some(f64::INFINITY));
    tokens.invalidate();
    assert_eq!(expiry(), Some(0.0), "an invalidated token is not used");
    tokens.set(Token::bearer("b").unwrap());
    drop((tokens, layer));
    assert_eq!(expiry(), Some(0.0), "the token of a dropped cell is gone");
}

#[tokio::test(start_paused = true)]
async fn the_expiry_of_the_initial_token() {
    let recorder = recorder();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let initial = Token::bearer("initial").unwrap().with_expires_in(Duration::from_secs(3600));
    let layer = tower_oauth2::OAuth2Layer::new(crate::support::grant().token(initial)).name("billing");
    let (_service, _server) = mock_service(&layer);
    assert!(value(&recorder, "token_expiry_timestamp_seconds", &["name=\"billing\""]).unwrap() > 0.0);
}

#[tokio::test(start_paused = true)]
async fn rejections_by_effect() {
    let recorder = recorder();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let inner = service_fn(async |_: http::Request<Body>| Ok::<_, std::io::Error>(answer(401, "")));
    let service = layer().token_service(endpoint(vec![])).layer(inner);
    for _ in 0..4 {
        service.clone().oneshot(get(API_URL)).await.unwrap();
    }
    // The first token is refreshed at once. The next one is rejected too, and kept until the back-off has passed.
    assert_eq!(value(&recorder, "rejections_total", &["effect=\"refresh\""]), Some(1.0));
    assert_eq!(value(&recorder, "rejections_total", &["effect=\"backoff\""]), Some(3.0));
    assert_eq!(value(&recorder, "refreshes_total", &["reason=\"rejected\""]), Some(1.0));
}

#[tokio::test(start_paused = true)]
async fn a_token_from_the_store_has_the_outcome_local() {
    let recorder = recorder();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let store = MemoryStore::new();
    for _ in 0..2 {
        let grant = RefreshToken::new(crate::support::TOKEN_URL, tower_oauth2::client::Client::public("app"), "r");
        let layer = tower_oauth2::OAuth2Layer::new(grant.unwrap().persisted(store.clone()));
        layer.token_service(endpoint(vec![])).tokens().get().await.unwrap();
    }
    assert_eq!(value(&recorder, "refreshes_total", &["outcome=\"ok\""]), Some(1.0));
    assert_eq!(value(&recorder, "refreshes_total", &["outcome=\"local\""]), Some(1.0));
}
