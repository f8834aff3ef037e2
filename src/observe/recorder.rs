//! Records the events of one refresh.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Weak};

use http::Uri;

use super::caller_span::CallerSpan;
use super::event::Event;
use super::event_data::{FinishedRefresh, RefreshCause};
use super::observer::Observer;
use super::record::RefreshRecord;

/// Records one refresh, from its start to its end.
pub(crate) struct RefreshRecorder(Arc<Recorded>);

struct Recorded {
    observer: Observer,
    record: RefreshRecord,
}

/// Records the requests of a transport, and the state of the token store.
///
/// It has no effect after the refresh has ended. It is weak because a grant may keep its transport for any time.
#[derive(Clone)]
pub(crate) struct WeakRecorder(Option<Weak<Recorded>>);

impl RefreshRecorder {
    /// Records the start of a refresh.
    pub(crate) fn start(observer: Observer, cause: RefreshCause, caller: CallerSpan) -> Self {
        let record = RefreshRecord::new(&observer.names(), cause, &caller);
        let recorder = Self(Arc::new(Recorded { observer, record }));
        recorder.record(&Event::RefreshStarted(&recorder.0.record));
        recorder
    }

    /// Returns the recorder for the transport of this refresh.
    pub(crate) fn downgrade(&self) -> WeakRecorder {
        WeakRecorder(Some(Arc::downgrade(&self.0)))
    }

    /// Enters the span of the refresh at each poll of `refresh`.
    pub(crate) async fn run<F: Future>(&self, refresh: F) -> F::Output {
        let mut refresh = pin!(refresh);
        poll_fn(|cx| self.0.record.span.within(|| refresh.as_mut().poll(cx))).await
    }

    /// Records the end of the refresh.
    pub(crate) fn finish(&self, refresh: &FinishedRefresh<'_>) {
        self.record(&Event::RefreshFinished(&self.0.record, refresh));
    }

    fn record(&self, event: &Event<'_>) {
        self.0.record.span.within(|| self.0.observer.record(event));
    }
}

impl WeakRecorder {
    /// Creates the recorder of a transport outside of a refresh. It records nothing.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// Records that a request was sent to `uri`.
    pub(crate) fn request_sent(&self, uri: &Uri) {
        if let Some(recorder) = self.upgrade() {
            recorder.0.record.request_sent(uri);
        }
    }

    /// Records that an operation of the token store failed. `cause` must not hold a secret.
    pub(crate) fn store_failed(&self, cause: Option<&str>) {
        if let Some(recorder) = self.upgrade() {
            recorder.record(&Event::StoreFailed(&recorder.0.record, cause));
        }
    }

    /// Records that the refresh waits until the token store can be reached again. `cause` must not hold a secret.
    pub(crate) fn waiting_for_store(&self, cause: Option<&str>) {
        if let Some(recorder) = self.upgrade() {
            recorder.record(&Event::WaitingForStore(&recorder.0.record, cause));
        }
    }

    /// Records that the refresh waits for the lock of the token store, which another process holds.
    pub(crate) fn waiting_for_lock(&self) {
        if let Some(recorder) = self.upgrade() {
            recorder.record(&Event::WaitingForLock(&recorder.0.record));
        }
    }

    fn upgrade(&self) -> Option<RefreshRecorder> {
        self.0.as_ref().and_then(Weak::upgrade).map(RefreshRecorder)
    }
}
