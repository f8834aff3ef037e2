//! Time in the reference: two clocks, one of which is known only approximately, and results that can be uncertain.
//!
//! The monotonic clock is tokio's, which is paused until a test advances it. The wall clock is the system's and
//! advances meanwhile. Some waits have jitter. Both uncertainties are represented as spans.

use std::time::Duration;

/// How certain a result is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Certainty {
    No,
    Perhaps,
    Yes,
}

impl Certainty {
    pub(crate) fn and(self, other: Self) -> Self {
        self.min(other)
    }

    pub(crate) fn or(self, other: Self) -> Self {
        self.max(other)
    }

    pub(crate) fn not(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::Perhaps => Self::Perhaps,
            Self::Yes => Self::No,
        }
    }

    pub(crate) fn yes_if(condition: bool) -> Self {
        if condition { Self::Yes } else { Self::No }
    }

    pub(crate) fn perhaps_if(condition: bool) -> Self {
        if condition { Self::Perhaps } else { Self::No }
    }

    pub(crate) fn is(self) -> bool {
        self == Self::Yes
    }

    pub(crate) fn may_be(self) -> bool {
        self != Self::No
    }
}

/// A range of nanoseconds with a lower and an upper bound.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) least: i64,
    pub(crate) most: i64,
}

/// A time that no test reaches, far below the overflow of `i64`.
const MAX_NANOS: i64 = i64::MAX / 4;

impl Span {
    pub(crate) fn exactly(nanos: i64) -> Self {
        Self { least: nanos, most: nanos }
    }

    fn plus(self, other: Self) -> Self {
        Self { least: self.least.saturating_add(other.least), most: self.most.saturating_add(other.most) }
    }

    fn minus(self, other: Self) -> Self {
        Self { least: self.least - other.most, most: self.most - other.least }
    }

    fn reached(self, now: Self) -> Certainty {
        if now.least >= self.most {
            Certainty::Yes
        } else if now.most < self.least {
            Certainty::No
        } else {
            Certainty::Perhaps
        }
    }
}

pub(crate) fn nanos(time: Duration) -> i64 {
    time.as_nanos().try_into().unwrap_or(MAX_NANOS)
}

/// The time of both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) mono: i64,
    pub(crate) wall: Span,
}

/// A future moment, which has passed when either clock has reached it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    mono: Span,
    wall: Span,
}

impl Deadline {
    pub(crate) const NEVER: Self =
        Self { mono: Span { least: MAX_NANOS, most: MAX_NANOS }, wall: Span { least: MAX_NANOS, most: MAX_NANOS } };

    pub(crate) fn after(now: Moment, wait: Span) -> Self {
        Self { mono: Span::exactly(now.mono).plus(wait), wall: now.wall.plus(wait) }
    }

    pub(crate) fn passed(self, now: Moment) -> Certainty {
        self.mono.reached(Span::exactly(now.mono)).or(self.wall.reached(now.wall))
    }

    pub(crate) fn earlier(self, by: Span) -> Self {
        Self { mono: self.mono.minus(by), wall: self.wall.minus(by) }
    }

    /// Returns this deadline, or one that is up to `by` later.
    pub(crate) fn or_later_by(self, by: i64) -> Self {
        let by = Span { least: 0, most: by };
        Self { mono: self.mono.plus(by), wall: self.wall.plus(by) }
    }

    pub(crate) fn or_later(self, other: Self) -> Self {
        self.each(other, |a, b| Span { least: a.least.max(b.least), most: a.most.max(b.most) })
    }

    pub(crate) fn or_earlier(self, other: Self) -> Self {
        self.each(other, |a, b| Span { least: a.least.min(b.least), most: a.most.min(b.most) })
    }

    /// Returns a deadline that is one of the two, it is uncertain which.
    pub(crate) fn or_perhaps(self, other: Self) -> Self {
        self.each(other, |a, b| Span { least: a.least.min(b.least), most: a.most.max(b.most) })
    }

    /// Returns the time until the monotonic clock may reach the deadline, or `None` if it never does or has done so.
    pub(crate) fn ahead(self, now: Moment) -> Option<i64> {
        Some(self.mono.least - now.mono).filter(|ahead| (0..MAX_NANOS / 2).contains(ahead))
    }

    fn each(self, other: Self, of: impl Fn(Span, Span) -> Span) -> Self {
        Self { mono: of(self.mono, other.mono), wall: of(self.wall, other.wall) }
    }
}
