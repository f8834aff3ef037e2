//! Checks the token requests of one login: one at a time, after the back-off, and never cancelled.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use http::{HeaderMap, Response, header::RETRY_AFTER};

use super::{ledger::Ledger, nonces::DPOP_NONCE, promises::Promise, run::Run, tally::Part, token_server::BROKEN_BODY};

/// Options of the layer.
pub(crate) const INITIAL_BACKOFF: Duration = Duration::from_millis(20);
pub(crate) const MAX_BACKOFF: Duration = Duration::from_millis(200);
pub(crate) const TOKEN_TIMEOUT: Duration = Duration::from_millis(500);

/// Tolerated difference between the layer's timer and clock and ours.
const TOLERANCE: Duration = Duration::from_millis(50);

/// After a rejection a token request must be sent within this time. It includes the back-off and the concurrency limit.
const MAX_REFRESH_DELAY: Duration = Duration::from_secs(1);

pub(crate) struct TokenRequests {
    run: Arc<Run>,
    ledger: Arc<Ledger>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    begun: u64,
    failed: u64,
    in_flight: usize,
    max_in_flight: usize,
    failures_in_a_row: i32,
    /// No token request may be sent before this instant, unless the clock's epoch has changed since.
    earliest: Option<(Instant, u64)>,
    /// The last response demanded a nonce: the next request belongs to the same attempt, which began then.
    continues: Option<(Instant, u64)>,
    /// A rejected token, and the instant from which it could be refreshed.
    rejected: Option<(u64, Instant)>,
}

/// A token request in flight.
pub(crate) struct TokenRequest {
    token_requests: Arc<TokenRequests>,
    pub(crate) number: u64,
    ready_at: Instant,
    clock_epoch: u64,
    response_received: bool,
}

impl TokenRequests {
    pub(crate) fn new(run: Arc<Run>, ledger: Arc<Ledger>) -> Arc<Self> {
        Arc::new(Self { run, ledger, state: Mutex::default() })
    }

    /// Records that a token request is sent. The service was first polled at `ready_at`, in that epoch of the clock.
    pub(crate) fn begin(self: &Arc<Self>, ready: (Instant, u64)) -> TokenRequest {
        let (now, clock_epoch) = (Instant::now(), self.run.clock.epoch());
        let mut state = self.lock();
        let (ready_at, ready_epoch) = state.continues.take().unwrap_or(ready);
        state.begun += 1;
        let number = state.begun;
        state.rejected = None;
        state.in_flight += 1;
        state.max_in_flight = state.max_in_flight.max(state.in_flight);
        if state.in_flight > 1 {
            self.run.broken(Promise::OneTokenRequestAtATime, format!("request {number} while another was in flight"));
        }
        if let Some((earliest, then)) = state.earliest
            && let Some(early) = earliest.checked_duration_since(now)
            && then == clock_epoch
        {
            self.run.broken(Promise::BackoffIsRespected, format!("request {number} was {early:?} too early"));
        }
        TokenRequest {
            token_requests: self.clone(),
            number,
            ready_at,
            clock_epoch: ready_epoch,
            response_received: false,
        }
    }

    /// Records that a caller received a response that rejects this token.
    pub(crate) fn is_rejected(&self, access: u64) {
        let (mut state, now) = (self.lock(), Instant::now());
        let may_begin = state.in_flight == 0 && state.earliest.is_none_or(|(earliest, _)| earliest <= now);
        if may_begin && state.rejected.is_none_or(|(rejected, _)| rejected < access) {
            state.rejected = Some((access, now));
        }
    }

    /// Whether this token was rejected long ago and no token request has followed.
    pub(crate) fn is_overdue(&self, access: u64) -> bool {
        self.lock().rejected.is_some_and(|(rejected, since)| rejected == access && since.elapsed() > MAX_REFRESH_DELAY)
    }

    /// The number of token requests, and of those that failed.
    pub(crate) fn started_and_failed(&self) -> (u64, u64) {
        let state = self.lock();
        (state.begun, state.failed)
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.lock().in_flight
    }

    pub(crate) fn max_in_flight(&self) -> usize {
        self.lock().max_in_flight
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TokenRequest {
    /// Records the head of the response, or an error.
    pub(crate) fn completed<B, E>(mut self, response: &Result<Response<B>, E>) {
        self.response_received = true;
        match response {
            Ok(response) if response.status() == 200 && !response.headers().contains_key(BROKEN_BODY) => {
                let mut state = self.token_requests.lock();
                (state.failures_in_a_row, state.earliest) = (0, None);
                // The body may exceed the timeout. That cannot be observed here.
                if self.ready_at.elapsed() > TOKEN_TIMEOUT / 2 || self.has_stepped() {
                    state.failed += 1;
                    self.token_requests.ledger.response_lost(self.number);
                }
            }
            Ok(response) if response.status() == 400 && response.headers().contains_key(DPOP_NONCE) => {
                self.token_requests.lock().continues = Some((self.ready_at, self.clock_epoch));
            }
            Ok(response) => self.failed(self.retry_after(response.headers())),
            Err(_) => self.failed(None),
        }
    }

    /// Records a failure: no token request may follow within the back-off.
    fn failed(&self, retry_after: Option<Duration>) {
        self.token_requests.ledger.response_lost(self.number);
        let (now, clock_epoch) = (Instant::now(), self.token_requests.run.clock.epoch());
        let mut state = self.token_requests.lock();
        state.failed += 1;
        state.failures_in_a_row += 1;
        let growth = 1.6_f64.powi(state.failures_in_a_row - 1);
        let backoff = INITIAL_BACKOFF.mul_f64(growth).min(MAX_BACKOFF).mul_f64(0.8);
        state.earliest = Some((now + retry_after.unwrap_or(backoff), clock_epoch));
    }

    /// Whether the clock has stepped since the service was polled. Then the timeout may have elapsed early.
    fn has_stepped(&self) -> bool {
        self.clock_epoch != self.token_requests.run.clock.epoch()
    }

    /// The delay of `Retry-After`. A date only counts while the clock is right.
    fn retry_after(&self, headers: &HeaderMap) -> Option<Duration> {
        let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
        match text.parse() {
            Ok(seconds) => Some(Duration::from_secs(seconds)),
            Err(_) if !self.token_requests.run.clock.is_right() => Some(Duration::ZERO),
            Err(_) => {
                let date = httpdate::parse_http_date(text).ok()?;
                Some(date.duration_since(SystemTime::now()).ok()?.saturating_sub(TOLERANCE))
            }
        }
    }
}

/// Only the timeout may drop a token request before its response.
impl Drop for TokenRequest {
    fn drop(&mut self) {
        self.token_requests.lock().in_flight -= 1;
        if self.response_received {
            return;
        }
        let (age, run) = (self.ready_at.elapsed(), &self.token_requests.run);
        if age + TOLERANCE < TOKEN_TIMEOUT {
            if self.has_stepped() {
                run.count(Part::Events, "a token request timed out early: the clock had stepped");
            } else {
                let what = format!("request {} was dropped after {age:?}", self.number);
                run.broken(Promise::TokenRequestsComplete, what);
            }
        }
        self.failed(None);
    }
}
