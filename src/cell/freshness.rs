//! When a token is too old and when a failure is old enough: pure functions, with the numbers as arguments.

use std::time::Duration;

/// The numbers that decide. All are options of the layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    /// A token is not sent any more this long before it expires.
    pub(crate) skew: Duration,
    /// What a token without an expiry is taken to live.
    pub(crate) default_lifetime: Option<Duration>,
    /// The wait after a first failure, and the longest one.
    pub(crate) first_backoff: Duration,
    pub(crate) longest_backoff: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            skew: Duration::from_secs(30),
            default_lifetime: None,
            first_backoff: Duration::from_secs(1),
            longest_backoff: Duration::from_secs(120),
        }
    }
}

/// How long before its expiry a token of this lifetime is no longer sent: at most a tenth of the lifetime, so that a short
/// token is usable and does not cost a token call per request.
pub(crate) fn skew(policy: &Policy, lifetime: Duration) -> Duration {
    policy.skew.min(lifetime / 10)
}

/// How long to wait after the `failures`-th failure in a row: ×1.6 each time, ±20 % by `jitter` (`0.0..1.0`) so that a
/// fleet spreads. What the server asked for wins.
pub(crate) fn backoff(policy: &Policy, failures: u32, jitter: f64, retry_after: Option<Duration>) -> Duration {
    if let Some(wait) = retry_after {
        return wait;
    }
    // 1.6^100 is beyond any longest wait.
    let growth = 1.6_f64.powi(failures.saturating_sub(1).min(100) as i32);
    let longest = policy.longest_backoff.as_secs_f64();
    let wait = (policy.first_backoff.as_secs_f64() * growth).min(longest) * (0.8 + 0.4 * jitter);
    Duration::from_secs_f64(wait.min(longest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn the_skew_is_a_tenth_of_a_short_life() {
        for (lifetime, expected) in [
            (secs(3600), secs(30)),
            (secs(300), secs(30)),
            (secs(100), secs(10)),
            (secs(2), Duration::from_millis(200)),
            (secs(0), secs(0)),
        ] {
            assert_eq!(skew(&Policy::default(), lifetime), expected, "{lifetime:?}");
        }
    }

    #[test]
    fn failures_are_waited_out_longer_and_longer() {
        let wait = |failures, jitter| backoff(&Policy::default(), failures, jitter, None).as_secs_f64();
        assert!((wait(1, 0.5) - 1.0).abs() < 1e-9);
        assert!((wait(2, 0.5) - 1.6).abs() < 1e-9);
        assert!((wait(1, 0.0) - 0.8).abs() < 1e-9);
        assert!(wait(1, 0.999) < 1.2);
        assert!((wait(u32::MAX, 0.5) - 120.0).abs() < 1e-9);
        assert_eq!(backoff(&Policy::default(), 1, 0.5, Some(secs(3000))), secs(3000));
    }

    proptest! {
        #[test]
        fn a_wait_is_never_longer_than_the_longest(failures: u32, jitter in 0.0..1.0_f64, first: u32, longest: u32) {
            let policy = Policy {
                first_backoff: secs(first.into()),
                longest_backoff: secs(longest.into()),
                ..Policy::default()
            };
            prop_assert!(backoff(&policy, failures, jitter, None) <= policy.longest_backoff);
        }
    }
}
