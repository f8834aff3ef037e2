//! Replaces the observer and the recorders if neither `tracing` nor `metrics` is enabled. Nothing is recorded.

use http::Uri;

use super::event::Event;
use super::event_data::{FinishedRefresh, RefreshCause};
use crate::token::Token;

#[derive(Clone)]
pub(crate) struct Observer;

pub(crate) struct CallerSpan;

pub(crate) struct RefreshRecorder;

#[derive(Clone)]
pub(crate) struct WeakRecorder;

pub(crate) struct WaitGuard;

impl Observer {
    pub(crate) fn new(_grant: &'static str) -> Self {
        Self
    }

    pub(crate) fn set_name(&self, _name: String) {}

    #[cfg(feature = "tenants")]
    pub(crate) fn set_default_name(&self, _name: &str) {}

    pub(crate) fn record(&self, _event: &Event<'_>) {}

    pub(crate) fn record_token(&self, _peek: impl Fn() -> Option<Token>) {}
}

impl CallerSpan {
    pub(crate) fn current() -> Self {
        Self
    }
}

impl WaitGuard {
    pub(crate) fn new(_observer: Observer) -> Self {
        Self
    }
}

impl RefreshRecorder {
    pub(crate) fn start(_observer: Observer, _cause: RefreshCause, _caller: CallerSpan) -> Self {
        Self
    }

    pub(crate) fn downgrade(&self) -> WeakRecorder {
        WeakRecorder
    }

    pub(crate) async fn run<F: Future>(&self, refresh: F) -> F::Output {
        refresh.await
    }

    pub(crate) fn finish(&self, _refresh: &FinishedRefresh<'_>) {}
}

impl WeakRecorder {
    pub(crate) fn none() -> Self {
        Self
    }

    pub(crate) fn request_sent(&self, _uri: &Uri) {}

    pub(crate) fn store_failed(&self, _cause: Option<&str>) {}

    pub(crate) fn waiting_for_store(&self, _cause: Option<&str>) {}

    pub(crate) fn waiting_for_lock(&self) {}
}
