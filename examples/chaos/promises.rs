//! What the layer promises, and who has seen it broken.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// In the order in which they are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    EveryRequestEnds,
    EveryRequestCounts,
    LoginLives,
    RefreshTokenIsKept,
    OneTokenCallAtATime,
    TokenCallsEnd,
    BackoffHolds,
    EachTokenCallHasItsReason,
    TokenCallsAreFew,
    NoExpiredToken,
    NoOlderToken,
    NoRefusedToken,
}

pub(crate) const PROMISES: [(Promise, &str); 12] = [
    (Promise::EveryRequestEnds, "every request has ended within 30 s"),
    (Promise::EveryRequestCounts, "every request that was begun has an outcome"),
    (Promise::LoginLives, "no login was lost"),
    (Promise::RefreshTokenIsKept, "no refresh token that came was dropped"),
    (Promise::OneTokenCallAtATime, "a login never has two token calls at once"),
    (Promise::TokenCallsEnd, "no token call was cut short by a caller who left"),
    (Promise::BackoffHolds, "no token call came before the back-off had passed"),
    (Promise::EachTokenCallHasItsReason, "no token call came without a reason"),
    (Promise::TokenCallsAreFew, "there were no more token calls than reasons"),
    (Promise::NoExpiredToken, "no expired token was sent"),
    (Promise::NoOlderToken, "no token was sent when a newer one was there"),
    (Promise::NoRefusedToken, "no token was sent again after its 401"),
];

/// Enough to begin a search with.
const TOLD: usize = 3;

/// Each breach that was seen.
#[derive(Default)]
pub(crate) struct Breaches(Mutex<Vec<(Promise, String)>>);

impl Breaches {
    pub(crate) fn add(&self, promise: Promise, what: impl Into<String>) {
        self.lock().push((promise, what.into()));
    }

    /// How often the promise was broken, and what was seen first.
    pub(crate) fn of(&self, promise: Promise) -> (usize, Vec<String>) {
        let breaches = self.lock();
        let mut seen = breaches.iter().filter(|(broken, _)| *broken == promise).map(|(_, what)| what.clone());
        let first: Vec<String> = seen.by_ref().take(TOLD).collect();
        (first.len() + seen.count(), first)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Promise, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
