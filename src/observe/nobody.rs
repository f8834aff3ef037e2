//! Nobody listens: nothing is kept, and nothing is done.

use http::Uri;

use super::{Cause, Event, Landing};
use crate::error::Error;
use crate::token::Token;

#[derive(Clone)]
pub(crate) struct Observer;

pub(crate) struct Origin;

pub(crate) struct Logbook;

#[derive(Clone)]
pub(crate) struct CallLog;

pub(crate) struct Waiting;

impl Observer {
    pub(crate) fn new(_grant: &'static str) -> Self {
        Self
    }

    pub(crate) fn set_name(&self, _name: String) {}

    pub(crate) fn tell(&self, _event: &Event<'_>) {}

    pub(crate) fn holds(&self, _look: impl Fn() -> Option<Token>) {}

    pub(crate) fn waits(&self) -> Waiting {
        Waiting
    }

    pub(crate) fn open(&self, _cause: Cause, _origin: Origin) -> Logbook {
        Logbook
    }
}

impl Origin {
    pub(crate) fn here() -> Self {
        Self
    }
}

impl Logbook {
    pub(crate) fn calls(&self) -> CallLog {
        CallLog
    }

    pub(crate) async fn keep<F: Future>(&self, flight: F) -> F::Output {
        flight.await
    }

    pub(crate) fn close(&self, _landing: &Landing<'_>) {}
}

impl CallLog {
    pub(crate) fn none() -> Self {
        Self
    }

    pub(crate) fn made(&self, _uri: &Uri) {}

    pub(crate) fn store_failed(&self, _error: &Error) {}
}
