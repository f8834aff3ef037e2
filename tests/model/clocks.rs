//! The clocks of a sequence.

use std::time::Duration;

use tokio::time::Instant;

use crate::time::{Moment, Span, nanos};

/// Both clocks, relative to the start of the sequence.
pub(crate) struct Clocks {
    start: Instant,
    /// The system's clock, which shows how far the wall clock has advanced.
    began: std::time::Instant,
    wall: Wall,
}

impl Clocks {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now(), began: std::time::Instant::now(), wall: Wall::default() }
    }

    pub(crate) fn now(&self) -> Moment {
        let wall = self.wall.stepped;
        let crept = nanos(self.began.elapsed());
        Moment { mono: nanos(self.start.elapsed()), wall: Span { least: wall, most: wall + crept } }
    }

    /// Steps the wall clock. Does nothing without the feature `test-util`.
    pub(crate) fn step_wall(&mut self, secs: i64) {
        self.wall.step(secs);
    }

    /// Returns whether the wall clock was stepped back, so that an expired token may be valid again.
    pub(crate) fn stepped_back(&self) -> bool {
        self.wall.stepped_back
    }

    /// Sets the wall clock for the thread that runs the sequence.
    #[cfg(feature = "test-util")]
    pub(crate) fn enter(&self) -> impl Sized + use<> {
        self.wall.clock.enter()
    }

    #[cfg(not(feature = "test-util"))]
    pub(crate) fn enter(&self) -> impl Sized + use<> {}
}

#[derive(Default)]
struct Wall {
    stepped: i64,
    stepped_back: bool,
    #[cfg(feature = "test-util")]
    clock: tower_oauth2::test_util::Clock,
}

impl Wall {
    #[cfg(feature = "test-util")]
    fn step(&mut self, secs: i64) {
        let by = Duration::from_secs(secs.unsigned_abs());
        self.stepped_back |= secs < 0;
        if secs < 0 {
            self.clock.step_back(by);
            self.stepped -= nanos(by);
        } else {
            self.clock.step_forward(by);
            self.stepped += nanos(by);
        }
    }

    #[cfg(not(feature = "test-util"))]
    fn step(&mut self, _secs: i64) {
        self.stepped += nanos(Duration::ZERO);
    }
}
