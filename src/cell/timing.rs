//! The timing options, and the durations that follow from them.

use std::time::Duration;

use crate::clock::MAX_DURATION;

/// The timing options of the layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// How long before its expiry a token is no longer sent.
    pub(crate) clock_skew: Duration,
    /// How long before its expiry a token in use is refreshed; zero disables it.
    pub(crate) refresh_ahead: Duration,
    /// Jitter for `refresh_ahead`, as a fraction of it (`0.0..=0.5`).
    pub(crate) refresh_ahead_jitter: f64,
    /// The minimum interval between two attempts to refresh a token that is still in use.
    pub(crate) min_refresh_interval: Duration,
    /// The lifetime of tokens without an expiry.
    pub(crate) default_lifetime: Option<Duration>,
    pub(crate) initial_backoff: Duration,
    pub(crate) max_backoff: Duration,
    pub(crate) backoff_multiplier: f64,
    /// Jitter for the back-off, as a fraction of it (`0.0..=1.0`).
    pub(crate) backoff_jitter: f64,
    /// The maximum `Retry-After` that is honoured; zero ignores the header.
    pub(crate) max_retry_after: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            clock_skew: Duration::from_secs(30),
            refresh_ahead: Duration::from_secs(300),
            refresh_ahead_jitter: 0.2,
            min_refresh_interval: Duration::from_secs(30),
            default_lifetime: None,
            initial_backoff: Duration::from_secs(1),
            max_backoff: Duration::from_secs(120),
            backoff_multiplier: 1.6,
            backoff_jitter: 0.2,
            max_retry_after: Duration::from_secs(60 * 60),
        }
    }
}

impl Timing {
    /// Returns how long before its expiry a token of this lifetime is no longer sent.
    ///
    /// It is at most a tenth of the lifetime, so that a short-lived token is used for several requests.
    pub(super) fn clock_skew(&self, lifetime: Option<Duration>) -> Duration {
        at_most(self.clock_skew, lifetime.map(|lifetime| lifetime / 10))
    }

    /// Returns how long before its expiry a token of this lifetime is refreshed while it is in use; `None` disables that.
    ///
    /// It is at least twice the clock skew, so that the token is due before it is stale, and at most half the lifetime. `jitter`
    /// (`0.0..1.0`) then shortens it.
    pub(super) fn refresh_ahead(&self, lifetime: Option<Duration>, jitter: f64) -> Option<Duration> {
        if self.refresh_ahead.is_zero() {
            return None;
        }
        let window = self.refresh_ahead.max(self.clock_skew(lifetime).saturating_mul(2)).min(MAX_DURATION);
        let window = at_most(window, lifetime.map(|lifetime| lifetime / 2));
        Some(window.mul_f64(1.0 - self.refresh_ahead_jitter * jitter))
    }

    /// Returns the minimum interval between two refreshes while a token of this lifetime is in use: at most a tenth of the lifetime.
    pub(super) fn refresh_interval(&self, lifetime: Option<Duration>) -> Duration {
        at_most(self.min_refresh_interval, lifetime.map(|lifetime| lifetime / 10))
    }

    /// Returns how long to wait after this number of failures in a row. `jitter` is in `0.0..1.0`.
    ///
    /// `Retry-After` can only lengthen the wait. The jitter is then added to it, so that many processes do not retry at the same moment.
    pub(super) fn backoff(&self, failures: u32, jitter: f64, retry_after: Option<Duration>) -> Duration {
        let max = self.max_backoff.as_secs_f64();
        let growth = self.backoff_multiplier.powf(f64::from(failures.saturating_sub(1)));
        // An infinite growth is limited before the multiplication, because zero times infinity is not a number.
        let nominal = max.min(self.initial_backoff.as_secs_f64() * growth.min(f64::MAX));
        let spread = 2.0 * self.backoff_jitter * nominal * jitter;
        let wait = from_secs((nominal * (1.0 - self.backoff_jitter) + spread).min(max), self.max_backoff);
        match retry_after.map(|wait| wait.min(self.max_retry_after)) {
            Some(retry_after) if !retry_after.is_zero() => {
                wait.max(retry_after.saturating_add(from_secs(spread, self.max_backoff)))
            }
            _ => wait,
        }
    }
}

fn at_most(duration: Duration, limit: Option<Duration>) -> Duration {
    limit.map_or(duration, |limit| duration.min(limit))
}

fn from_secs(seconds: f64, fallback: Duration) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(fallback)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn the_clock_skew_is_at_most_a_tenth_of_the_lifetime() {
        for (lifetime, expected) in [
            (Some(secs(3600)), secs(30)),
            (Some(secs(300)), secs(30)),
            (Some(secs(100)), secs(10)),
            (Some(secs(2)), Duration::from_millis(200)),
            (Some(secs(0)), secs(0)),
            (None, secs(30)),
        ] {
            assert_eq!(Timing::default().clock_skew(lifetime), expected, "{lifetime:?}");
        }
    }

    #[test]
    fn a_token_is_due_before_the_clock_skew_begins() {
        let ahead = |timing: &Timing, lifetime, jitter| timing.refresh_ahead(lifetime, jitter).unwrap().as_secs_f64();
        let timing = Timing::default();
        for (lifetime, earliest, latest) in [
            (Some(secs(3600)), 300.0, 240.0),
            (Some(secs(600)), 300.0, 240.0),
            (Some(secs(10)), 5.0, 4.0),
            (Some(secs(0)), 0.0, 0.0),
            (None, 300.0, 240.0),
        ] {
            assert!((ahead(&timing, lifetime, 0.0) - earliest).abs() < 1e-9, "{lifetime:?}");
            assert!((ahead(&timing, lifetime, 1.0) - latest).abs() < 1e-9, "{lifetime:?}");
        }
        // A long clock skew moves the window, but does not remove it.
        let timing = Timing { clock_skew: secs(300), ..Timing::default() };
        assert!((ahead(&timing, Some(secs(3600)), 0.0) - 600.0).abs() < 1e-9);
        let timing = Timing { refresh_ahead: Duration::ZERO, ..Timing::default() };
        assert_eq!(timing.refresh_ahead(Some(secs(3600)), 0.0), None);
    }

    #[test]
    fn no_option_overflows() {
        let timing = Timing {
            clock_skew: Duration::MAX,
            refresh_ahead: Duration::MAX,
            initial_backoff: Duration::MAX,
            max_backoff: Duration::MAX,
            ..Timing::default()
        };
        assert_eq!(timing.refresh_ahead(None, 0.0), Some(MAX_DURATION));
        assert_eq!(timing.backoff(u32::MAX, 1.0, Some(Duration::MAX)), Duration::MAX);
    }

    #[test]
    fn the_minimum_interval_is_at_most_a_tenth_of_the_lifetime() {
        for (lifetime, expected) in [(3600, secs(30)), (300, secs(30)), (100, secs(10)), (0, secs(0))] {
            assert_eq!(Timing::default().refresh_interval(Some(secs(lifetime))), expected, "{lifetime} s");
        }
    }

    #[test]
    fn the_back_off_grows_with_each_failure_in_a_row() {
        for (failures, expected) in [(1, 1.0), (2, 1.6), (3, 2.56), (100, 120.0), (u32::MAX, 120.0)] {
            let wait = Timing::default().backoff(failures, 0.5, None).as_secs_f64();
            assert!((wait - expected).abs() < 1e-9, "{failures}: {wait}");
        }
        let none = Timing { initial_backoff: Duration::ZERO, ..Timing::default() };
        assert_eq!(none.backoff(u32::MAX, 0.5, None), Duration::ZERO);
    }

    #[test]
    fn retry_after_only_lengthens_the_wait_and_has_jitter() {
        let timing = Timing::default();
        let wait = |retry_after, jitter| timing.backoff(1, jitter, Some(retry_after)).as_secs_f64();
        for (retry_after, jitter, expected) in [
            (Duration::ZERO, 0.0, 0.8),
            (Duration::ZERO, 0.5, 1.0),
            (secs(1), 0.0, 1.0),
            (secs(7), 0.0, 7.0),
            (secs(7), 0.5, 7.2),
            (secs(4000), 0.0, 3600.0),
        ] {
            assert!((wait(retry_after, jitter) - expected).abs() < 1e-9, "{retry_after:?} {jitter}");
        }
        let ignoring = Timing { max_retry_after: Duration::ZERO, ..timing };
        assert_eq!(ignoring.backoff(1, 0.5, Some(secs(7))), secs(1));
    }

    proptest! {
        #[test]
        fn a_token_is_fresh_then_due_then_stale(
            lifetime in 0..1_000_000_u64, jitter in 0.0..1.0_f64, ahead_jitter in 0.0..=0.5_f64, skew in 0..10_000_u64, window in 1..10_000_u64
        ) {
            let timing = Timing {
                clock_skew: secs(skew),
                refresh_ahead: secs(window),
                refresh_ahead_jitter: ahead_jitter,
                ..Timing::default()
            };
            let whole = secs(lifetime);
            let lifetime = Some(whole);
            let ahead = timing.refresh_ahead(lifetime, jitter).unwrap();
            // The sum may be rounded by a nanosecond.
            prop_assert!(ahead + Duration::from_nanos(1) >= timing.clock_skew(lifetime));
            prop_assert!(ahead <= whole / 2);
        }

        #[test]
        fn a_wait_is_never_longer_than_the_maximum(failures: u32, jitter in 0.0..1.0_f64, initial: u32, max: u32) {
            let timing = Timing {
                initial_backoff: secs(initial.into()),
                max_backoff: secs(max.into()),
                ..Timing::default()
            };
            prop_assert!(timing.backoff(failures, jitter, None) <= timing.max_backoff);
        }

        #[test]
        fn retry_after_never_shortens_a_wait(failures in 1..50_u32, jitter in 0.0..1.0_f64, retry_after in 0..4000_u64) {
            let timing = Timing::default();
            let requested = timing.backoff(failures, jitter, Some(secs(retry_after)));
            prop_assert!(requested >= timing.backoff(failures, jitter, None));
            prop_assert!(requested >= secs(retry_after.min(3600)));
        }
    }
}
