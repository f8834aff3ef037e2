//! The wall clock that the client goes by. It steps now and then: somebody sets it, or a laptop has slept. The servers'
//! clock does not. It needs the feature `test-util`; without it this clock is the system's, and stays right.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use fastrand::Rng;
use tokio::time::sleep;
#[cfg(feature = "test-util")]
use tower_oauth2::test_util::Clock as Wall;

#[cfg(not(feature = "test-util"))]
#[derive(Default)]
struct Wall {}

#[cfg(not(feature = "test-util"))]
impl Wall {
    fn enter(&self) -> Box<()> {
        Box::default()
    }

    fn step_forward(&self, _by: Duration) {}

    fn step_back(&self, _by: Duration) {}
}

pub(crate) struct Clock {
    clock: Wall,
    looks: AtomicU64,
    is_right: AtomicBool,
}

impl Clock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { clock: Wall::default(), looks: AtomicU64::new(0), is_right: AtomicBool::new(true) })
    }

    /// Makes this thread go by it, for as long as the thread lives.
    pub(crate) fn enter(&self) {
        std::mem::forget(self.clock.enter());
    }

    /// Steps forward by a second to a minute and back again, until the program ends.
    pub(crate) async fn step_now_and_then(self: Arc<Self>, mut dice: Rng) {
        if !cfg!(feature = "test-util") {
            return;
        }
        loop {
            let by = Duration::from_millis(dice.u64(1_000..60_000));
            sleep(Duration::from_millis(dice.u64(500..3_000))).await;
            self.is_right.store(false, Ordering::SeqCst);
            self.looks.fetch_add(1, Ordering::SeqCst);
            self.clock.step_forward(by);
            self.looks.fetch_add(1, Ordering::SeqCst);
            sleep(Duration::from_millis(dice.u64(500..3_000))).await;
            self.clock.step_back(by);
            self.is_right.store(true, Ordering::SeqCst);
        }
    }

    /// Whoever sees the same number twice has seen no step forward in between: it changes before a step and after it.
    pub(crate) fn look(&self) -> u64 {
        self.looks.load(Ordering::SeqCst)
    }

    /// How often it has stepped forward.
    pub(crate) fn forward_steps(&self) -> u64 {
        self.look().div_ceil(2)
    }

    /// Whether it shows the time that the servers have.
    pub(crate) fn is_right(&self) -> bool {
        self.is_right.load(Ordering::SeqCst)
    }
}
