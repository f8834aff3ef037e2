//! What is told of one flight.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use http::Uri;

use super::spans::Span;
use super::{Cause, Event, Landing, Observer, Origin};
use crate::clock::{self, Now};
use crate::error::Error;

pub(crate) struct Logbook(pub(super) Arc<Pages>);

pub(super) struct Pages {
    observer: Observer,
    cause: Cause,
    began: Now,
    pub(super) span: Span,
    has_called: AtomicBool,
}

/// Where a transport notes its calls. It does not keep the logbook: a grant may keep its transport for as long as it likes.
#[derive(Clone)]
pub(crate) struct CallLog(Option<Weak<Pages>>);

impl Logbook {
    pub(super) fn open(observer: Observer, cause: Cause, origin: Origin) -> Self {
        let span = Span::of_flight(&observer.subject(), cause, &origin.0);
        let has_called = AtomicBool::new(false);
        let log = Self(Arc::new(Pages { observer, cause, began: clock::now(), span, has_called }));
        log.tell(&Event::Departs(&log));
        log
    }

    /// What the transport of this flight is to have.
    pub(crate) fn calls(&self) -> CallLog {
        CallLog(Some(Arc::downgrade(&self.0)))
    }

    /// Runs the flight inside of its span, whoever polls it.
    pub(crate) async fn keep<F: Future>(&self, flight: F) -> F::Output {
        let mut flight = pin!(flight);
        poll_fn(|cx| self.0.span.within(|| flight.as_mut().poll(cx))).await
    }

    /// The flight has ended.
    pub(crate) fn close(&self, landing: &Landing<'_>) {
        self.tell(&Event::Lands(self, landing));
    }

    pub(super) fn cause(&self) -> Cause {
        self.0.cause
    }

    pub(super) fn lasted(&self) -> Duration {
        clock::now().since(self.0.began)
    }

    /// Whether a request was sent at all: a grant may have had the token at hand.
    pub(super) fn has_called(&self) -> bool {
        self.0.has_called.load(Ordering::Relaxed)
    }

    fn tell(&self, event: &Event<'_>) {
        self.0.span.within(|| self.0.observer.tell(event));
    }
}

impl CallLog {
    /// Of a transport that belongs to no flight.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// A request is sent there.
    pub(crate) fn made(&self, uri: &Uri) {
        // The first one says it all: the other endpoints are the same server's.
        if let Some(log) = self.log().filter(|log| !log.0.has_called.swap(true, Ordering::Relaxed)) {
            log.tell(&Event::Calls(&log, uri));
        }
    }

    /// The token store has failed, in the flight or in what is left to do of it.
    pub(crate) fn store_failed(&self, error: &Error) {
        if let Some(log) = self.log() {
            log.tell(&Event::StoreFailed(error));
        }
    }

    /// While the flight goes on.
    fn log(&self) -> Option<Logbook> {
        self.0.as_ref().and_then(Weak::upgrade).map(Logbook)
    }
}
