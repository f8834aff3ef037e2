//! A subscriber and metrics recorder that runs a callback.

use std::sync::Arc;

use metrics::{Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn};
use metrics::{Key, KeyName, Metadata, Recorder, SharedString, Unit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};

/// Runs the callback in each method, with the name of the method or of the metric's operation.
#[derive(Clone)]
pub(crate) struct CallbackSubscriber(pub(crate) Arc<dyn Fn(&str) + Send + Sync>);

impl Subscriber for CallbackSubscriber {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "tower_oauth2"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        (self.0)("new_span");
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {
        (self.0)("record");
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {
        (self.0)("record_follows_from");
    }

    fn event(&self, _: &Event<'_>) {
        (self.0)("event");
    }

    fn enter(&self, _: &Id) {
        (self.0)("enter");
    }

    fn exit(&self, _: &Id) {
        (self.0)("exit");
    }

    fn clone_span(&self, id: &Id) -> Id {
        (self.0)("clone_span");
        id.clone()
    }

    fn try_close(&self, _: Id) -> bool {
        (self.0)("try_close");
        true
    }
}

impl Recorder for CallbackSubscriber {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
        (self.0)("describe");
    }

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
        (self.0)("describe");
    }

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
        (self.0)("describe");
    }

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(Arc::new(self.clone()))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(Arc::new(self.clone()))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Arc::new(self.clone()))
    }
}

impl CounterFn for CallbackSubscriber {
    fn increment(&self, _: u64) {
        (self.0)("count");
    }

    fn absolute(&self, _: u64) {
        (self.0)("count");
    }
}

impl GaugeFn for CallbackSubscriber {
    fn increment(&self, _: f64) {
        (self.0)("gauge");
    }

    fn decrement(&self, _: f64) {
        (self.0)("gauge");
    }

    fn set(&self, _: f64) {
        (self.0)("gauge");
    }
}

impl HistogramFn for CallbackSubscriber {
    fn record(&self, _: f64) {
        (self.0)("histogram");
    }
}
