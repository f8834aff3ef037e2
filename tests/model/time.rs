//! Time as the reference sees it: two clocks, of which one is known only roughly, and answers that may be "perhaps".
//!
//! The monotonic clock is tokio's, which stands still until a test moves it. The wall clock is the system's and creeps on
//! meanwhile. And chance decides a part of some waits. What is in doubt for either reason is kept as a span.

use std::time::Duration;

/// How sure something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sure {
    No,
    Perhaps,
    Yes,
}

impl Sure {
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

    pub(crate) fn is(self) -> bool {
        self == Self::Yes
    }

    pub(crate) fn may_be(self) -> bool {
        self != Self::No
    }
}

/// Nanoseconds, at least and at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) least: i64,
    pub(crate) most: i64,
}

/// Beyond all that a test waits for, and far from the end of the numbers.
const FAR: i64 = i64::MAX / 4;

impl Span {
    pub(crate) fn exactly(nanos: i64) -> Self {
        Self { least: nanos, most: nanos }
    }

    pub(crate) fn secs(secs: u64) -> Self {
        Self::exactly(nanos(Duration::from_secs(secs)))
    }

    fn plus(self, other: Self) -> Self {
        Self { least: self.least.saturating_add(other.least), most: self.most.saturating_add(other.most) }
    }

    fn minus(self, other: Self) -> Self {
        Self { least: self.least - other.most, most: self.most - other.least }
    }

    fn reached(self, now: Self) -> Sure {
        if now.least >= self.most {
            Sure::Yes
        } else if now.most < self.least {
            Sure::No
        } else {
            Sure::Perhaps
        }
    }
}

pub(crate) fn nanos(time: Duration) -> i64 {
    time.as_nanos().try_into().unwrap_or(FAR)
}

/// One look at both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) mono: i64,
    pub(crate) wall: Span,
}

/// A moment to come: it has passed when either clock says so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    mono: Span,
    wall: Span,
}

impl Deadline {
    pub(crate) const NEVER: Self = Self { mono: Span { least: FAR, most: FAR }, wall: Span { least: FAR, most: FAR } };

    pub(crate) fn after(now: Moment, wait: Span) -> Self {
        Self { mono: Span::exactly(now.mono).plus(wait), wall: now.wall.plus(wait) }
    }

    pub(crate) fn passed(self, now: Moment) -> Sure {
        self.mono.reached(Span::exactly(now.mono)).or(self.wall.reached(now.wall))
    }

    pub(crate) fn earlier(self, by: Span) -> Self {
        Self { mono: self.mono.minus(by), wall: self.wall.minus(by) }
    }

    /// This one, or as much later as that.
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

    /// One of the two, who knows which.
    pub(crate) fn or_perhaps(self, other: Self) -> Self {
        self.each(other, |a, b| Span { least: a.least.min(b.least), most: a.most.max(b.most) })
    }

    /// How long until the monotonic clock may reach it; `None` for one that never comes, or has come.
    pub(crate) fn ahead(self, now: Moment) -> Option<i64> {
        Some(self.mono.least - now.mono).filter(|ahead| (0..FAR / 2).contains(ahead))
    }

    fn each(self, other: Self, of: impl Fn(Span, Span) -> Span) -> Self {
        Self { mono: of(self.mono, other.mono), wall: of(self.wall, other.wall) }
    }
}
