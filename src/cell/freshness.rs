//! When a token is too old and when a failure is old enough: pure functions, with the numbers as arguments.

use std::time::Duration;

/// The numbers that decide. All are options of the layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    /// A token is not sent any more this long before it expires.
    pub(crate) skew: Duration,
    /// A token is renewed this long before it expires, while it still serves; zero is never.
    pub(crate) ahead: Duration,
    /// The part of `ahead` (`0.0..=0.5`) that is left to chance, so that a fleet spreads.
    pub(crate) ahead_jitter: f64,
    /// The shortest time between two tries while the token still serves.
    pub(crate) gap: Duration,
    /// What a token without an expiry is taken to live.
    pub(crate) default_lifetime: Option<Duration>,
    /// The wait after a first failure, how it grows with each, the longest one, and the part that is left to chance.
    pub(crate) first_backoff: Duration,
    pub(crate) backoff_growth: f64,
    pub(crate) longest_backoff: Duration,
    pub(crate) backoff_jitter: f64,
    /// A server is not heard that asks for a longer wait than this.
    pub(crate) longest_retry_after: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            skew: Duration::from_secs(30),
            ahead: Duration::from_secs(300),
            ahead_jitter: 0.2,
            gap: Duration::from_secs(30),
            default_lifetime: None,
            first_backoff: Duration::from_secs(1),
            backoff_growth: 1.6,
            longest_backoff: Duration::from_secs(120),
            backoff_jitter: 0.2,
            longest_retry_after: Duration::from_secs(60 * 60),
        }
    }
}

/// How long before its expiry a token of this lifetime is no longer sent: at most a tenth of the lifetime, so that a short
/// token is usable and does not cost a token call per request.
pub(crate) fn skew(policy: &Policy, lifetime: Duration) -> Duration {
    policy.skew.min(lifetime / 10)
}

/// How long before its expiry a token of this lifetime is renewed, though it still serves; `None` is not before its end.
///
/// At most half of its lifetime, less a part that chance decides (`jitter`, `0.0..1.0`). It comes before the skew even where
/// the skew was made longer than the window: then at twice the skew.
pub(crate) fn ahead(policy: &Policy, lifetime: Duration, jitter: f64) -> Option<Duration> {
    if policy.ahead.is_zero() {
        return None;
    }
    let window = policy.ahead.max(skew(policy, lifetime) * 2).min(lifetime / 2);
    Some(window.mul_f64(1.0 - policy.ahead_jitter * jitter))
}

/// The shortest time between two tries while a token of this lifetime still serves: at most a tenth of it.
pub(crate) fn gap(policy: &Policy, lifetime: Duration) -> Duration {
    policy.gap.min(lifetime / 10)
}

/// How long to wait after the `failures`-th failure in a row: longer each time, more or less by chance (`jitter`,
/// `0.0..1.0`) so that a fleet spreads. What the server asked for wins.
pub(crate) fn backoff(policy: &Policy, failures: u32, jitter: f64, retry_after: Option<Duration>) -> Duration {
    if let Some(wait) = retry_after.filter(|_| !policy.longest_retry_after.is_zero()) {
        return wait.min(policy.longest_retry_after);
    }
    let growth = policy.backoff_growth.powf(f64::from(failures.saturating_sub(1)));
    let longest = policy.longest_backoff.as_secs_f64();
    // In this order a growth beyond all numbers ends at the longest wait, and zero stays zero.
    let wait = longest.min(policy.first_backoff.as_secs_f64() * growth.min(f64::MAX));
    let chance = 1.0 - policy.backoff_jitter + 2.0 * policy.backoff_jitter * jitter;
    Duration::try_from_secs_f64((wait * chance).min(longest)).unwrap_or(policy.longest_backoff)
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
    fn a_token_is_renewed_ahead_of_its_skew() {
        let ahead = |policy: &Policy, lifetime, jitter| ahead(policy, secs(lifetime), jitter).unwrap().as_secs_f64();
        let policy = Policy::default();
        for (lifetime, earliest, latest) in [(3600, 300.0, 240.0), (600, 300.0, 240.0), (10, 5.0, 4.0), (0, 0.0, 0.0)] {
            assert!((ahead(&policy, lifetime, 0.0) - earliest).abs() < 1e-9, "{lifetime} s");
            assert!((ahead(&policy, lifetime, 1.0) - latest).abs() < 1e-9, "{lifetime} s");
        }
        // A long skew moves the window; it does not swallow it.
        let policy = Policy { skew: secs(300), ..Policy::default() };
        assert!((ahead(&policy, 3600, 0.0) - 600.0).abs() < 1e-9);
        let policy = Policy { ahead: Duration::ZERO, ..Policy::default() };
        assert_eq!(super::ahead(&policy, secs(3600), 0.0), None);
    }

    #[test]
    fn tries_ahead_are_not_too_close() {
        for (lifetime, expected) in [(3600, secs(30)), (100, secs(10)), (0, secs(0))] {
            assert_eq!(gap(&Policy::default(), secs(lifetime)), expected, "{lifetime} s");
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
        assert_eq!(backoff(&Policy::default(), 1, 0.5, Some(secs(4000))), secs(3600));
        let none = Policy { first_backoff: Duration::ZERO, ..Policy::default() };
        assert_eq!(backoff(&none, u32::MAX, 0.5, None), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn a_token_serves_fresh_then_due_then_not(
            lifetime in 0..1_000_000_u64, jitter in 0.0..1.0_f64, ahead_jitter in 0.0..=0.5_f64, skew in 0..10_000_u64, window in 1..10_000_u64
        ) {
            let policy = Policy { skew: secs(skew), ahead: secs(window), ahead_jitter, ..Policy::default() };
            let ahead = ahead(&policy, secs(lifetime), jitter).unwrap();
            // A nanosecond for the rounding.
            prop_assert!(ahead + Duration::from_nanos(1) >= super::skew(&policy, secs(lifetime)));
            prop_assert!(ahead <= secs(lifetime) / 2);
        }

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
