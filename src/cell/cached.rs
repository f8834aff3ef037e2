//! The outcome of a refresh: a token, or an error that is cached until the end of its back-off.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::HeaderValue;

#[cfg(feature = "tenants")]
use super::fresh_tick::FreshTick;
use super::inputs::Inputs;
use crate::clock::{Deadline, Now};
use crate::error::Error;
use crate::token::{StoredAs, Token};

/// The result that a refresh has produced.
pub(crate) type Outcome = Result<Arc<CachedToken>, CachedError>;

/// A token that is stored with its generation and its deadlines.
#[derive(Clone, Debug)]
pub(crate) struct CachedToken {
    pub(crate) token: Token,
    pub(crate) generation: u64,
    /// The token as the grant returned it, without the default lifetime.
    original: Token,
    received: Now,
    /// When the token is due for a refresh; `None` is never.
    due: Option<Deadline>,
    /// When the token is no longer sent; `None` is never.
    stale: Option<Deadline>,
    /// Until when the waiters may use a token that was stale when it arrived.
    grace_until: Option<Deadline>,
    /// The clock skew for the lifetime of this token.
    skew: Duration,
    /// The minimum interval between two refreshes for the lifetime of this token.
    interval: Duration,
    scheme: Arc<str>,
    headers: Headers,
    /// When requests of a tenant have found it fresh last.
    #[cfg(feature = "tenants")]
    pub(super) fresh_tick: FreshTick,
}

/// One or more header values, each of which contains the same token.
///
/// Cloning a `HeaderValue` increments a shared reference count. Threads clone different values, so that they do not contend for it. If there
/// are more threads, some share a value.
#[derive(Debug)]
struct Headers(Box<[OnceLock<HeaderValue>]>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// The token is sent, and is not due.
    Fresh,
    /// The token is sent, and is due for a refresh.
    Due,
    /// The token is no longer sent.
    Stale,
}

/// How long waiters may use a token that was stale when it arrived. A service that is polled later waits for another token.
const GRACE_PERIOD: Duration = Duration::from_secs(1);

impl CachedToken {
    /// Creates a cached token. The jitter varies when it is due.
    pub(super) fn new(original: Token, generation: u64, now: Now, inputs: &Inputs<'_>) -> Self {
        let Inputs { timing, scheme, jitter, header_values } = *inputs;
        let token = match (original.expires_at(), timing.default_lifetime) {
            (None, Some(lifetime)) => {
                original.clone().with_expiry(Some(Deadline::from_now(now, lifetime)), Some(lifetime))
            }
            _ => original.clone(),
        };
        let (expiry, lifetime) = (token.expiry(), token.lifetime());
        let (skew, interval) = (timing.clock_skew(lifetime), timing.refresh_interval(lifetime));
        let stale = expiry.map(|expiry| expiry.saturating_sub(skew, now));
        let ahead = timing.refresh_ahead(lifetime, jitter);
        let due = expiry.zip(ahead).map(|(expiry, ahead)| expiry.saturating_sub(ahead, now));
        let grace_until = stale.filter(|stale| stale.passed(now)).map(|_| Deadline::from_now(now, GRACE_PERIOD));
        let (scheme, headers) = (scheme.clone(), Headers::new(header_values));
        Self {
            token,
            generation,
            original,
            received: now,
            due,
            stale,
            grace_until,
            skew,
            interval,
            scheme,
            headers,
            #[cfg(feature = "tenants")]
            fresh_tick: FreshTick::default(),
        }
    }

    /// Delays the due time until the minimum refresh interval has passed. Otherwise a token that is due when it arrives would be refreshed
    /// again at once.
    pub(super) fn with_min_interval(self, now: Now) -> Self {
        let Some(expiry) = self.token.expiry() else { return self };
        // At the latest, the token is due when it becomes stale, because requests would wait then.
        let next = Deadline::from_now(now, self.interval).min(expiry.saturating_sub(self.skew, now));
        Self { due: self.due.map(|due| due.max(next)), ..self }
    }

    /// Extends a token that is stale, but not expired, to its real expiry. Used if a refresh has returned the same token again.
    pub(super) fn without_skew(self, now: Now) -> Self {
        if !self.arrived_stale() || self.is_expired(now) {
            return self;
        }
        let (expiry, next) = (self.token.expiry(), Deadline::from_now(now, self.interval));
        Self { due: self.due.map(|_| next), stale: expiry, grace_until: None, ..self }
    }

    /// Returns the token with deadlines and headers for other options.
    pub(super) fn with_options(&self, generation: u64, inputs: &Inputs<'_>) -> Self {
        Self::new(self.original.clone(), generation, self.received, inputs)
    }

    /// Returns whether the header value begins with this scheme.
    pub(super) fn has_scheme(&self, scheme: &str) -> bool {
        *self.scheme == *scheme
    }

    pub(super) fn without_refresh_token(self) -> Self {
        let (token, original) = (self.token.without_refresh_token(), self.original.without_refresh_token());
        Self { token, original, ..self }
    }

    /// Returns whether this token and one from the store are the same. Compares the original token, without the default lifetime.
    pub(super) fn is_same_stored(&self, stored: &Token) -> bool {
        self.original.is_same_stored(stored)
    }

    pub(super) fn with_stored_as(self, stored_as: StoredAs) -> Self {
        let (token, original) = (self.token.with_stored_as(stored_as), self.original.with_stored_as(stored_as));
        Self { token, original, ..self }
    }

    pub(super) fn with_refresh_token(self, refresh_token: &str) -> Self {
        let token = self.token.with_refresh_token(refresh_token);
        Self { token, original: self.original.with_refresh_token(refresh_token), ..self }
    }

    pub(crate) fn freshness(&self, now: impl FnOnce() -> Now) -> Freshness {
        // For a token without an expiry the clocks are not read.
        let Some(stale) = self.stale else { return Freshness::Fresh };
        let now = now();
        if stale.passed(now) {
            Freshness::Stale
        } else if self.due.is_some_and(|due| due.passed(now)) {
            Freshness::Due
        } else {
            Freshness::Fresh
        }
    }

    /// Returns whether the generation of the token is greater than `generation`.
    pub(crate) fn is_newer_than(&self, generation: Option<u64>) -> bool {
        generation.is_none_or(|generation| self.generation > generation)
    }

    /// Returns whether the token can be sent.
    pub(crate) fn is_valid(&self, now: impl FnOnce() -> Now) -> bool {
        self.freshness(now) != Freshness::Stale
    }

    /// Returns how long the token stays fresh; `None` without an expiry.
    pub(super) fn fresh_for(&self, now: Now) -> Option<Duration> {
        let end = self.due.into_iter().chain(self.stale).reduce(Deadline::min);
        end.map(|end| end.remaining(now))
    }

    /// Returns whether the token was stale when it arrived, and its waiters may use it now.
    pub(crate) fn in_grace_period(&self, now: Now) -> bool {
        self.grace_until.is_some_and(|end| !end.passed(now))
    }

    /// Returns whether the token was stale when it arrived.
    pub(crate) fn arrived_stale(&self) -> bool {
        self.grace_until.is_some()
    }

    /// Returns whether the real expiry of the token has passed.
    pub(super) fn is_expired(&self, now: Now) -> bool {
        self.token.expiry().is_some_and(|expiry| expiry.passed(now))
    }

    /// Extends the token to its real expiry after a failed refresh, because requests without a token fail. The token is due again at
    /// `retry`, or not at all if `retry` is `None`.
    pub(super) fn extend_to_expiry(self, retry: Option<Deadline>, now: Now) -> Self {
        let (Some(expiry), Freshness::Due | Freshness::Stale) = (self.token.expiry(), self.freshness(|| now)) else {
            return self;
        };
        // At the latest, the token is due when it becomes stale, because requests would wait then.
        let interval = Deadline::from_now(now, self.interval).min(expiry.saturating_sub(self.skew, now));
        Self { due: retry.map(|retry| retry.max(interval)), stale: Some(expiry), ..self }
    }

    /// Returns the header value of the calling thread.
    pub(crate) fn header(&self) -> &HeaderValue {
        let value = match &*self.headers.0 {
            [only] => only,
            values => &values[thread_index() % values.len()],
        };
        value.get_or_init(|| self.token.header(&self.scheme))
    }
}

impl Headers {
    /// Creates as many values as `number`, at least one.
    fn new(number: usize) -> Self {
        Self((0..number.max(1)).map(|_| OnceLock::new()).collect())
    }
}

/// A clone has no header values, because the token is cloned in order to change it or its scheme.
impl Clone for Headers {
    fn clone(&self) -> Self {
        Self::new(self.0.len())
    }
}

/// Returns the number of the calling thread.
fn thread_index() -> usize {
    use std::sync::atomic::{AtomicUsize, Ordering};

    static NEXT: AtomicUsize = AtomicUsize::new(0);
    std::thread_local! {
        static INDEX: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    INDEX.with(|index| *index)
}

/// An error that callers get instead of a token.
#[derive(Clone, Debug)]
pub(crate) struct CachedError {
    pub(crate) error: Error,
    /// When the next caller may start a refresh; `None` if a person must act first.
    pub(super) retry: Option<Deadline>,
    /// Until when waiters may return this error: the end of the back-off, but at least a tenth of a second. `None` is without limit.
    grace_until: Option<Deadline>,
    /// Whether waiters acquire a token again instead of returning the error.
    is_hidden: bool,
    /// The epoch of the cell in which the error is valid; `None` if it is valid in every epoch.
    epoch: Option<u64>,
}

impl CachedError {
    /// Creates an error for one caller. It is not kept in the state, so other callers do not get it.
    pub(crate) fn for_one_caller(error: Error) -> Self {
        Self { error, retry: None, grace_until: None, is_hidden: false, epoch: None }
    }

    /// Creates an error that no caller gets. The waiters acquire a token again.
    pub(super) fn hidden(error: Error, now: Now) -> Self {
        let at_once = Some(Deadline::from_now(now, Duration::ZERO));
        Self { retry: at_once, grace_until: at_once, is_hidden: true, ..Self::for_one_caller(error) }
    }

    /// Returns whether waiters acquire a token again instead of returning the error.
    pub(crate) fn is_hidden(&self) -> bool {
        self.is_hidden
    }

    /// Creates an error that callers get until `wait` has passed.
    pub(super) fn new(error: Error, wait: Duration, now: Now, epoch: u64) -> Self {
        if error.needs_user() {
            return Self { epoch: Some(epoch), ..Self::for_one_caller(error) };
        }
        let (retry, grace_until) =
            (Deadline::from_now(now, wait), Deadline::from_now(now, wait.max(GRACE_PERIOD / 10)));
        let error = error.with_retry_at(retry.wall());
        Self { retry: Some(retry), grace_until: Some(grace_until), epoch: Some(epoch), ..Self::for_one_caller(error) }
    }

    pub(super) fn is_from_epoch(&self, epoch: u64) -> bool {
        self.epoch.is_none_or(|own| own == epoch)
    }

    /// Returns whether the next caller may start a refresh.
    pub(super) fn may_retry(&self, now: Now) -> bool {
        self.retry.is_some_and(|retry| retry.passed(now))
    }

    /// Returns how long until a refresh may start; `None` if a person must act first.
    pub(super) fn remaining(&self, now: Now) -> Option<Duration> {
        self.retry.map(|retry| retry.remaining(now))
    }

    /// Returns whether the error is too old to be returned to its waiters.
    pub(crate) fn is_outdated(&self, now: Now) -> bool {
        self.grace_until.is_some_and(|end| end.passed(now))
    }
}
