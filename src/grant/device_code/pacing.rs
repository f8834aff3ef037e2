//! Schedules the polls of a login (RFC 8628 §3.4, §3.5). It has no clock and no I/O: the time is an argument.

use std::time::Duration;

use super::poll_response::PollResponse;
use crate::clock::{Deadline, Now};
use crate::error::{Error, ErrorKind};

/// The interval if the server sends none, or zero (§3.2).
const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);

/// The increase of the interval after each `slow_down` (§3.5).
const SLOW_DOWN_STEP: Duration = Duration::from_secs(5);

/// A doubled delay ends this long before the code expires, to allow one more poll.
const FINAL_MARGIN: Duration = Duration::from_secs(1);

/// The schedule that the polls of one login follow.
#[derive(Debug)]
pub(super) struct Pacing {
    interval: Duration,
    /// The number of polls in a row without a response. Unlike `interval`, a response resets it.
    timeouts_in_row: u32,
    /// The error of the last poll, unless it was an OAuth error of the server.
    last_error: Option<Error>,
    end: Deadline,
    /// Whether the last delay ends with the lifetime of the code. Even if a clock then disagrees, the interval has not passed.
    is_over: bool,
}

impl Pacing {
    /// Creates the schedule for a code that was issued at `now`.
    pub(super) fn new(interval: Option<Duration>, expires_in: Duration, now: Now) -> Self {
        let interval = interval.filter(|interval| !interval.is_zero()).unwrap_or(DEFAULT_INTERVAL);
        Self {
            interval,
            timeouts_in_row: 0,
            last_error: None,
            end: Deadline::from_now(now, expires_in),
            is_over: false,
        }
    }

    /// Returns the delay before the next poll, also for the first one. It does not exceed the time left.
    pub(super) fn delay(&mut self, now: Now) -> Duration {
        self.delay_of_at_least(Duration::ZERO, now)
    }

    fn delay_of_at_least(&mut self, min: Duration, now: Now) -> Duration {
        let left = self.end.remaining(now);
        // Larger factors exceed every lifetime.
        let doubled = self.interval.saturating_mul(1 << self.timeouts_in_row.min(30));
        let delay = doubled.min(left.saturating_sub(FINAL_MARGIN)).max(self.interval).max(min);
        self.is_over = delay >= left;
        delay.min(left)
    }

    /// Checks, after a delay, that the code has not expired.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::LoginExpired`] if it has.
    pub(super) fn check_expiry(&self, now: Now) -> Result<(), Error> {
        if self.is_over || self.end.passed(now) { Err(self.expired()) } else { Ok(()) }
    }

    fn expired(&self) -> Error {
        let error = Error::new(ErrorKind::LoginExpired, "the device code has expired");
        match &self.last_error {
            Some(cause) => error.with_source(cause.clone()),
            None => error,
        }
    }

    /// Returns the delay after a poll that returned this error.
    ///
    /// # Errors
    ///
    /// The error of the login, if it ends.
    pub(super) fn delay_after(&mut self, error: Error, now: Now) -> Result<Duration, Error> {
        match PollResponse::from_error(&error) {
            PollResponse::Pending => self.timeouts_in_row = 0,
            PollResponse::SlowDown => {
                self.timeouts_in_row = 0;
                self.interval = self.interval.saturating_add(SLOW_DOWN_STEP);
            }
            PollResponse::NoResponse => self.timeouts_in_row = self.timeouts_in_row.saturating_add(1),
            PollResponse::Denied => return Err(Error::new(ErrorKind::Denied, "").with_response_of(&error)),
            PollResponse::Expired => return Err(Error::new(ErrorKind::LoginExpired, "").with_response_of(&error)),
            PollResponse::Failed => return Err(error),
        }
        let retry_after = error.retry_after().unwrap_or_default();
        self.last_error = error.oauth().is_none().then_some(error);
        if self.end.passed(now) {
            return Err(self.expired());
        }
        Ok(self.delay_of_at_least(retry_after, now))
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;
    use crate::clock;
    use crate::error::OAuthError;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn oauth_error(code: &str) -> Error {
        let oauth = OAuthError::from_response(code, None, None, &[]);
        Error::new(ErrorKind::RequestRejected, "").with_oauth_response(oauth).with_status(StatusCode::BAD_REQUEST)
    }

    fn error(kind: ErrorKind) -> Error {
        Error::new(kind, "")
    }

    /// The delays of a login whose code does not expire: before the first poll, and after each of `errors`.
    fn delays(interval: Option<u64>, errors: impl IntoIterator<Item = Error>) -> Vec<u64> {
        let now = clock::now();
        let mut pacing = Pacing::new(interval.map(seconds), Duration::MAX, now);
        let first = pacing.delay(now);
        let later = errors.into_iter().map(|error| pacing.delay_after(error, now).unwrap());
        [first].into_iter().chain(later).map(|wait| wait.as_secs()).collect()
    }

    #[test]
    fn the_interval_of_the_server_is_used_and_defaults_to_five_seconds() {
        for (interval, wait) in [(None, 5), (Some(0), 5), (Some(1), 1), (Some(5), 5), (Some(60), 60)] {
            assert_eq!(delays(interval, [oauth_error("authorization_pending")]), [wait, wait], "{interval:?}");
        }
    }

    #[test]
    fn slow_down_increases_the_interval_permanently() {
        let errors = ["slow_down", "authorization_pending", "slow_down", "authorization_pending"].map(oauth_error);
        assert_eq!(delays(Some(5), errors), [5, 10, 10, 15, 15]);
    }

    #[test]
    fn the_delay_doubles_until_the_server_responds() {
        use ErrorKind::{Timeout, Transport};
        let errors = [error(Timeout), error(Transport), oauth_error("authorization_pending"), error(Timeout)];
        assert_eq!(delays(None, errors), [5, 10, 20, 5, 10]);
        let errors = [error(Timeout), oauth_error("slow_down"), error(Timeout), error(Timeout)];
        assert_eq!(delays(None, errors), [5, 10, 10, 20, 40]);
    }

    #[test]
    fn a_longer_retry_after_applies_once() {
        let after = |wait| oauth_error("authorization_pending").with_retry_after(seconds(wait));
        assert_eq!(delays(None, [after(60), after(1), oauth_error("authorization_pending")]), [5, 60, 5, 5]);
        let overloaded = error(ErrorKind::Overloaded).with_retry_after(seconds(30));
        assert_eq!(delays(None, [overloaded]), [5, 30]);
    }

    #[test]
    fn other_errors_end_the_login() {
        for (error, kind) in [
            (oauth_error("access_denied"), ErrorKind::Denied),
            (oauth_error("expired_token"), ErrorKind::LoginExpired),
            (oauth_error("invalid_request"), ErrorKind::RequestRejected),
            (error(ErrorKind::InvalidGrant), ErrorKind::InvalidGrant),
        ] {
            let now = clock::now();
            let ended = Pacing::new(None, Duration::MAX, now).delay_after(error.clone(), now).unwrap_err();
            assert_eq!(ended.kind(), kind);
            assert_eq!((ended.oauth(), ended.status()), (error.oauth(), error.status()));
        }
    }

    #[test]
    fn no_delay_exceeds_the_time_left() {
        let timeout = || error(ErrorKind::Timeout);
        for (left, interval, error, wait) in [
            (3, 5, oauth_error("authorization_pending"), 3),
            (30, 5, oauth_error("authorization_pending").with_retry_after(seconds(60)), 30),
            // A doubled delay leaves time for one more poll.
            (100, 8, timeout(), 16),
            (12, 8, timeout(), 11),
            (8, 8, timeout(), 8),
            (2, 8, timeout(), 2),
        ] {
            let now = clock::now();
            let mut pacing = Pacing::new(Some(seconds(interval)), seconds(left), now);
            assert_eq!(pacing.delay_after(error, now).unwrap(), seconds(wait), "{left} s left");
            // No poll follows a delay that is shorter than the interval, even if no clock shows that the code has expired.
            assert_eq!(pacing.check_expiry(now).is_err(), wait == left, "{left} s left");
        }
        let (now, mut pacing) = (clock::now(), Pacing::new(Some(Duration::MAX), Duration::MAX, clock::now()));
        for _ in 0..100 {
            pacing.delay_after(timeout(), now).unwrap();
            pacing.delay_after(oauth_error("slow_down"), now).unwrap();
        }
    }

    #[test]
    fn the_last_error_is_the_source_of_the_expiry() {
        use std::error::Error as _;
        let now = clock::now();
        let mut pacing = Pacing::new(None, Duration::ZERO, now);
        assert_eq!(pacing.check_expiry(now).unwrap_err().kind(), ErrorKind::LoginExpired);
        let ended = pacing.delay_after(error(ErrorKind::Overloaded), now).unwrap_err();
        assert_eq!(ended.kind(), ErrorKind::LoginExpired);
        assert!(ended.source().is_some());
        let ended = pacing.delay_after(oauth_error("authorization_pending"), now).unwrap_err();
        assert_eq!(ended.kind(), ErrorKind::LoginExpired);
        assert!(ended.source().is_none());
    }
}
