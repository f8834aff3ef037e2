//! An access token, as its server records it.

use std::{
    ops::RangeInclusive,
    time::{Duration, Instant},
};

/// Lifetimes in seconds; `expires_in` has whole seconds.
pub(crate) const LIFETIMES: RangeInclusive<u64> = 2..=3;

/// A token is not refreshed because of its age before this fraction of its lifetime.
const MIN_REFRESH_AGE: f64 = 0.5;

/// A token is not sent after this fraction of its lifetime: the layer's clock skew is a tenth.
const MAX_SENT_AGE: f64 = 0.9;

/// The maximum time between two readings of the clock, by the layer and by this program, on a busy machine.
const TOLERANCE: Duration = Duration::from_millis(50);

pub(crate) struct AccessToken {
    /// The number of the token request that returned it.
    pub(crate) request_number: u64,
    /// The clock's epoch when it was issued: after a step the client treats the token as expired.
    pub(crate) clock_epoch: u64,
    issued: Instant,
    lifetime: Duration,
    /// When a caller first saw it.
    seen: Option<Instant>,
    /// Whether a token request has failed since. Then the token may be sent until its real expiry.
    extended: bool,
    /// Whether a caller received a response that accepts it. Only such a token is revoked: if an API accepts no token at
    /// all, the layer does not expect a refresh to help.
    pub(crate) accepted: bool,
    /// Revoked, or replaced.
    pub(crate) revoked: bool,
}

/// How the API judges the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenStatus {
    Valid,
    Expired,
    Revoked,
    Unknown,
}

/// The minimum age of a token that is refreshed because of its age.
pub(crate) fn min_refresh_age() -> Duration {
    Duration::from_secs(*LIFETIMES.start()).mul_f64(MIN_REFRESH_AGE)
}

impl AccessToken {
    pub(crate) fn new(request_number: u64, clock_epoch: u64, lifetime: Duration) -> Self {
        let issued = Instant::now();
        Self {
            request_number,
            clock_epoch,
            issued,
            lifetime,
            seen: None,
            extended: false,
            accepted: false,
            revoked: false,
        }
    }

    pub(crate) fn age(&self) -> Duration {
        self.issued.elapsed()
    }

    /// Whether it is old enough to be refreshed.
    pub(crate) fn may_be_refreshed(&self) -> bool {
        self.age() >= self.lifetime.mul_f64(MIN_REFRESH_AGE)
    }

    pub(crate) fn see(&mut self) {
        self.seen.get_or_insert_with(Instant::now);
    }

    /// Records that a token request has failed.
    pub(crate) fn extend_to_expiry(&mut self) {
        self.extended = true;
    }

    pub(crate) fn is_seen(&self) -> bool {
        self.seen.is_some()
    }

    /// Whether the client must not send it any more. For the client its lifetime begins when the response arrives.
    pub(crate) fn must_not_be_sent(&self) -> bool {
        let part = if self.extended { 1.0 } else { MAX_SENT_AGE };
        self.seen.is_some_and(|seen| seen.elapsed() >= self.lifetime.mul_f64(part) + TOLERANCE)
    }

    pub(crate) fn status(&self) -> TokenStatus {
        if self.revoked {
            TokenStatus::Revoked
        } else if self.age() >= self.lifetime {
            TokenStatus::Expired
        } else {
            TokenStatus::Valid
        }
    }
}
