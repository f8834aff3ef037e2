//! A request with a fresh token records nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use tower::{Layer, ServiceExt, service_fn};
use tower_oauth2::Token;

use crate::recorded::Recorded;
use crate::support::{API_URL, Body, answer, get, layer};

/// Counts the calls of the recorder.
#[derive(Default)]
struct CountingRecorder(Arc<AtomicUsize>);

impl CountingRecorder {
    fn count(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Recorder for CountingRecorder {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
        self.count();
    }

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
        self.count();
    }

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
        self.count();
    }

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        self.count();
        Counter::noop()
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        self.count();
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        self.count();
        Histogram::noop()
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_with_a_fresh_token_records_nothing() {
    let (recorded, _subscriber) = Recorded::install();
    let recorder = CountingRecorder::default();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let service = layer().layer(service_fn(async |_: http::Request<Body>| Ok::<_, std::io::Error>(answer(200, ""))));
    service.tokens().set(Token::bearer("a").unwrap().with_expires_in(Duration::from_secs(3600)));
    let counts = || {
        let all = recorded.all();
        (all.events.len(), all.spans.len(), recorder.0.load(Ordering::SeqCst))
    };
    let before = counts();
    assert_eq!((before.0, before.1), (1, 0), "the event of the set token");
    assert!(before.2 > 0, "the gauge of the expiry");
    for _ in 0..100 {
        service.clone().oneshot(get(API_URL)).await.unwrap();
        service.tokens().get().await.unwrap();
    }
    assert_eq!(counts(), before);
}
