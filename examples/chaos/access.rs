//! An access token, as its server knows it.

use std::{
    ops::RangeInclusive,
    time::{Duration, Instant},
};

/// How long they live; `expires_in` counts whole seconds.
pub(crate) const LIFETIMES: RangeInclusive<u64> = 2..=3;

/// None is renewed for its age before this much of its lifetime has passed.
const EARLIEST: f64 = 0.5;

/// None is sent after this much of it, for the layer's skew is a tenth.
const LATEST: f64 = 0.9;

/// From the layer's look at the clock to ours, on a busy machine.
const TOLERANCE: Duration = Duration::from_millis(50);

pub(crate) struct Access {
    /// The token call that brought it.
    pub(crate) call: u64,
    /// At the clock, when it was issued: after a step the client takes it for expired.
    pub(crate) look: u64,
    issued: Instant,
    lifetime: Duration,
    /// When a caller first saw it.
    seen: Option<Instant>,
    /// Whether there was no newer one to be had since. Then it may serve to its very end.
    holds_out: bool,
    /// Whether a caller has heard that the API accepts it. Only such a token is killed before its time: of an API that
    /// accepts none, the layer expects nothing from another.
    pub(crate) accepted: bool,
    /// Revoked, or replaced.
    pub(crate) dead: bool,
}

/// What the API thinks of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Good,
    Expired,
    Dead,
    Unknown,
}

/// The shortest life of one that nobody ends.
pub(crate) fn shortest_life() -> Duration {
    Duration::from_secs(*LIFETIMES.start()).mul_f64(EARLIEST)
}

impl Access {
    pub(crate) fn new(call: u64, look: u64, lifetime: Duration) -> Self {
        let issued = Instant::now();
        Self { call, look, issued, lifetime, seen: None, holds_out: false, accepted: false, dead: false }
    }

    pub(crate) fn age(&self) -> Duration {
        self.issued.elapsed()
    }

    /// Whether it is old enough to be renewed.
    pub(crate) fn has_aged(&self) -> bool {
        self.age() >= self.lifetime.mul_f64(EARLIEST)
    }

    pub(crate) fn see(&mut self) {
        self.seen.get_or_insert_with(Instant::now);
    }

    /// A token call has failed.
    pub(crate) fn hold_out(&mut self) {
        self.holds_out = true;
    }

    pub(crate) fn is_seen(&self) -> bool {
        self.seen.is_some()
    }

    /// Whether the client must not send it any more. For the client its life begins when it comes, and nobody sees it
    /// earlier.
    pub(crate) fn is_over(&self) -> bool {
        let part = if self.holds_out { 1.0 } else { LATEST };
        self.seen.is_some_and(|seen| seen.elapsed() >= self.lifetime.mul_f64(part) + TOLERANCE)
    }

    pub(crate) fn standing(&self) -> Standing {
        if self.dead {
            Standing::Dead
        } else if self.age() >= self.lifetime {
            Standing::Expired
        } else {
            Standing::Good
        }
    }
}
