//! The client's wall clock. It steps at intervals, as if it were set or a laptop had been suspended. The servers' clock does
//! not step. Steps need the feature `test-util`; without it this is the system's clock.

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
    epoch: AtomicU64,
    is_right: AtomicBool,
}

impl Clock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { clock: Wall::default(), epoch: AtomicU64::new(0), is_right: AtomicBool::new(true) })
    }

    /// Makes this thread use the clock until the thread ends.
    pub(crate) fn enter(&self) {
        std::mem::forget(self.clock.enter());
    }

    /// Steps forward by a second to a minute and back again, until the program ends.
    pub(crate) async fn step_at_intervals(self: Arc<Self>, mut rng: Rng) {
        if !cfg!(feature = "test-util") {
            return;
        }
        loop {
            let by = Duration::from_millis(rng.u64(1_000..60_000));
            sleep(Duration::from_millis(rng.u64(500..3_000))).await;
            self.is_right.store(false, Ordering::SeqCst);
            self.epoch.fetch_add(1, Ordering::SeqCst);
            self.clock.step_forward(by);
            self.epoch.fetch_add(1, Ordering::SeqCst);
            sleep(Duration::from_millis(rng.u64(500..3_000))).await;
            self.clock.step_back(by);
            self.is_right.store(true, Ordering::SeqCst);
        }
    }

    /// A number that changes before and after each step forward. If two readings are equal, no step was in between.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    /// The number of steps forward.
    pub(crate) fn forward_steps(&self) -> u64 {
        self.epoch().div_ceil(2)
    }

    /// Whether it shows the servers' time.
    pub(crate) fn is_right(&self) -> bool {
        self.is_right.load(Ordering::SeqCst)
    }
}
