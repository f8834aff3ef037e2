//! The clocks that a sequence is run by.

use std::time::Duration;

use tokio::time::Instant;

use crate::time::{Moment, Span, nanos};

/// Both clocks, since the sequence began.
pub(crate) struct Clocks {
    start: Instant,
    /// The system's own, to know how far its wall clock has crept.
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

    /// Steps the wall clock, where the crate lets tests do that; where not, nothing is stepped.
    pub(crate) fn step_wall(&mut self, secs: i64) {
        self.wall.step(secs);
    }

    /// Whether what had passed may not have passed any more.
    pub(crate) fn stepped_back(&self) -> bool {
        self.wall.stepped_back
    }

    /// The wall clock, for the thread that runs the sequence.
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
