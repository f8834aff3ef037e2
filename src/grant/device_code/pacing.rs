//! When to ask for the token again, and when to stop (RFC 8628 §3.4, §3.5). No clock, no I/O: the time comes in as an
//! argument.

use std::time::Duration;

use super::heard::Heard;
use crate::clock::{Deadline, Now};
use crate::error::{Error, ErrorKind};

/// The interval where the server says nothing, or zero (§3.2).
const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);

/// What `slow_down` adds, for this and all later waits (§3.5).
const SLOWER: Duration = Duration::from_secs(5);

/// A wait that was doubled ends this long before the code does: for one more question.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// How the questions of one login follow each other.
#[derive(Debug)]
pub(super) struct Pacing {
    interval: Duration,
    /// How many questions in a row got no answer at all. Apart from `interval`, for an answer ends that series.
    unanswered: u32,
    /// What kept us from the server's word, if the last question did not get it.
    trouble: Option<Error>,
    end: Deadline,
}

impl Pacing {
    /// For a code that was issued at `now`.
    pub(super) fn new(interval: Option<Duration>, expires_in: Duration, now: Now) -> Self {
        let interval = interval.filter(|interval| !interval.is_zero()).unwrap_or(DEFAULT_INTERVAL);
        Self { interval, unanswered: 0, trouble: None, end: Deadline::after(now, expires_in) }
    }

    /// How long to wait before the next question, the first one too; never beyond the end.
    pub(super) fn wait(&self, now: Now) -> Duration {
        let left = self.end.remaining(now);
        // More than that is beyond every end.
        let doubled = self.interval.saturating_mul(1 << self.unanswered.min(30));
        doubled.min(left.saturating_sub(LAST_MOMENT)).max(self.interval).min(left)
    }

    /// Whether the code can still be good.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::LoginExpired`] when it cannot.
    pub(super) fn check(&self, now: Now) -> Result<(), Error> {
        if !self.end.passed(now) {
            return Ok(());
        }
        let error = Error::new(ErrorKind::LoginExpired, "the device code has expired");
        Err(match &self.trouble {
            Some(trouble) => error.because(trouble.clone()),
            None => error,
        })
    }

    /// How long to wait after a question that brought no token.
    ///
    /// # Errors
    ///
    /// Where no further question makes sense: why.
    pub(super) fn after(&mut self, error: Error, now: Now) -> Result<Duration, Error> {
        match Heard::of(&error) {
            Heard::Pending => self.unanswered = 0,
            Heard::SlowDown => {
                self.unanswered = 0;
                self.interval = self.interval.saturating_add(SLOWER);
            }
            Heard::Nothing => self.unanswered = self.unanswered.saturating_add(1),
            Heard::Denied => return Err(Error::new(ErrorKind::Denied, "").citing(&error)),
            Heard::Expired => return Err(Error::new(ErrorKind::LoginExpired, "").citing(&error)),
            Heard::Failure => return Err(error),
        }
        let asked_for = error.retry_after().unwrap_or_default();
        self.trouble = error.oauth().is_none().then_some(error);
        self.check(now)?;
        Ok(self.wait(now).max(asked_for).min(self.end.remaining(now)))
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

    fn said(code: &str) -> Error {
        let oauth = OAuthError::heard(code, None, None, &[]);
        Error::new(ErrorKind::RequestRejected, "").with_oauth(oauth).with_status(StatusCode::BAD_REQUEST)
    }

    fn failed(kind: ErrorKind) -> Error {
        Error::new(kind, "")
    }

    /// The waits of a login whose code does not expire: before the first question, and after each of `answers`.
    fn waits(interval: Option<u64>, answers: impl IntoIterator<Item = Error>) -> Vec<u64> {
        let now = clock::now();
        let mut pacing = Pacing::new(interval.map(seconds), Duration::MAX, now);
        let first = pacing.wait(now);
        let later = answers.into_iter().map(|error| pacing.after(error, now).unwrap());
        [first].into_iter().chain(later).map(|wait| wait.as_secs()).collect()
    }

    #[test]
    fn an_interval_is_obeyed_and_none_is_five_seconds() {
        for (interval, wait) in [(None, 5), (Some(0), 5), (Some(1), 1), (Some(5), 5), (Some(60), 60)] {
            assert_eq!(waits(interval, [said("authorization_pending")]), [wait, wait], "{interval:?}");
        }
    }

    #[test]
    fn slow_down_lasts() {
        let answers = ["slow_down", "authorization_pending", "slow_down", "authorization_pending"].map(said);
        assert_eq!(waits(Some(5), answers), [5, 10, 10, 15, 15]);
    }

    #[test]
    fn no_answer_doubles_until_there_is_one() {
        use ErrorKind::{Timeout, Transport};
        let answers = [failed(Timeout), failed(Transport), said("authorization_pending"), failed(Timeout)];
        assert_eq!(waits(None, answers), [5, 10, 20, 5, 10]);
        let answers = [failed(Timeout), said("slow_down"), failed(Timeout), failed(Timeout)];
        assert_eq!(waits(None, answers), [5, 10, 10, 20, 40]);
    }

    #[test]
    fn retry_after_counts_once_where_it_is_longer() {
        let after = |wait| said("authorization_pending").with_retry_after(Some(seconds(wait)));
        assert_eq!(waits(None, [after(60), after(1), said("authorization_pending")]), [5, 60, 5, 5]);
        let overloaded = failed(ErrorKind::Overloaded).with_retry_after(Some(seconds(30)));
        assert_eq!(waits(None, [overloaded]), [5, 30]);
    }

    #[test]
    fn everything_else_ends_it() {
        for (error, kind) in [
            (said("access_denied"), ErrorKind::Denied),
            (said("expired_token"), ErrorKind::LoginExpired),
            (said("invalid_request"), ErrorKind::RequestRejected),
            (failed(ErrorKind::InvalidGrant), ErrorKind::InvalidGrant),
        ] {
            let now = clock::now();
            let ended = Pacing::new(None, Duration::MAX, now).after(error.clone(), now).unwrap_err();
            assert_eq!(ended.kind(), kind);
            assert_eq!((ended.oauth(), ended.status()), (error.oauth(), error.status()));
        }
    }

    #[test]
    fn no_wait_goes_beyond_the_end() {
        let timeout = || failed(ErrorKind::Timeout);
        for (left, interval, error, wait) in [
            (3, 5, said("authorization_pending"), 3),
            (30, 5, said("authorization_pending").with_retry_after(Some(seconds(60))), 30),
            // Doubled, it leaves time for one more question.
            (100, 8, timeout(), 16),
            (12, 8, timeout(), 11),
            (8, 8, timeout(), 8),
            (2, 8, timeout(), 2),
        ] {
            let now = clock::now();
            let mut pacing = Pacing::new(Some(seconds(interval)), seconds(left), now);
            assert_eq!(pacing.after(error, now).unwrap(), seconds(wait), "{left} s left");
        }
        let (now, mut pacing) = (clock::now(), Pacing::new(Some(Duration::MAX), Duration::MAX, clock::now()));
        for _ in 0..100 {
            pacing.after(timeout(), now).unwrap();
            pacing.after(said("slow_down"), now).unwrap();
        }
    }

    #[test]
    fn what_kept_us_from_the_server_is_the_cause_of_the_end() {
        use std::error::Error as _;
        let now = clock::now();
        let mut pacing = Pacing::new(None, Duration::ZERO, now);
        assert_eq!(pacing.check(now).unwrap_err().kind(), ErrorKind::LoginExpired);
        let ended = pacing.after(failed(ErrorKind::Overloaded), now).unwrap_err();
        assert_eq!(ended.kind(), ErrorKind::LoginExpired);
        assert!(ended.source().is_some());
        let ended = pacing.after(said("authorization_pending"), now).unwrap_err();
        assert_eq!(ended.kind(), ErrorKind::LoginExpired);
        assert!(ended.source().is_none());
    }
}
