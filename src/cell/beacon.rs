//! What is seen of a cell from afar: by services that look whether their token is still fresh, and by requests that are on
//! their way. It outlives the cell, so that nobody counts references to it: a count is all that the threads of a busy client
//! would share and write.
//!
//! A look at the clocks costs more than all the rest of a request here, so the beacon shows for a [`TICK`] what the clocks
//! said. A timer puts it out then, or earlier if the token is fresh for less; whoever comes next looks at the clocks, and lights
//! it again. So the monotonic clock is not overrun, and a wall clock that steps, or a machine that slept, is noticed a tick later.

use std::sync::{Arc, Weak};
use std::task::Wake;
use std::time::Duration;

use super::Cell;
use crate::sync::{AtomicBool, AtomicU64, Mutex, Ordering, lock};

/// How long one look at the clocks is good for.
pub(super) const TICK: Duration = Duration::from_millis(100);

pub(crate) struct Beacon {
    /// The generation of the token that is the newest, and fresh; 0 is none, or none that is known to be.
    fresh: AtomicU64,
    /// Whether the cell wants to hear of more than refusals.
    heeds: AtomicBool,
    cell: Mutex<Weak<Cell>>,
    /// By how much the clock was stepped by which it was lit.
    #[cfg(feature = "test-util")]
    ahead: std::sync::atomic::AtomicI64,
}

/// Those that no cell has now. One is never freed, for requests may still look at it: what it is reused for has other
/// generations.
#[cfg(not(tower_oauth2_loom))]
static UNUSED: Mutex<Vec<&'static Beacon>> = Mutex::new(Vec::new());

impl Beacon {
    /// One for this cell.
    pub(super) fn of(cell: Weak<Cell>) -> &'static Self {
        let beacon = Self::unused().unwrap_or_else(|| {
            Box::leak(Box::new(Self {
                fresh: AtomicU64::new(0),
                heeds: AtomicBool::new(false),
                cell: Mutex::new(Weak::new()),
                #[cfg(feature = "test-util")]
                ahead: std::sync::atomic::AtomicI64::new(0),
            }))
        });
        *lock(&beacon.cell) = cell;
        beacon
    }

    #[cfg(not(tower_oauth2_loom))]
    fn unused() -> Option<&'static Self> {
        lock(&UNUSED).pop()
    }

    #[cfg(tower_oauth2_loom)]
    fn unused() -> Option<&'static Self> {
        None
    }

    /// The cell is gone.
    pub(super) fn leave(&'static self) {
        self.put_out();
        self.set_heeds(false);
        *lock(&self.cell) = Weak::new();
        #[cfg(not(tower_oauth2_loom))]
        lock(&UNUSED).push(self);
    }

    /// The generation that is fresh; 0 is none.
    #[inline]
    pub(crate) fn fresh(&self) -> u64 {
        #[cfg(feature = "test-util")]
        if self.ahead.load(Ordering::SeqCst) != crate::test_util::Clock::ahead() {
            return 0;
        }
        self.fresh.load(Ordering::Acquire)
    }

    /// It is fresh. Said under the lock of the cell's state.
    pub(super) fn light(&self, generation: u64) {
        #[cfg(feature = "test-util")]
        self.ahead.store(crate::test_util::Clock::ahead(), Ordering::SeqCst);
        self.fresh.store(generation, Ordering::Release);
    }

    /// Whoever wants to know has to look at the cell and at the clocks.
    pub(super) fn put_out(&self) {
        self.fresh.store(0, Ordering::Release);
    }

    #[inline]
    pub(crate) fn heeds(&self) -> bool {
        self.heeds.load(Ordering::Relaxed)
    }

    pub(super) fn set_heeds(&self, heeds: bool) {
        self.heeds.store(heeds, Ordering::Relaxed);
    }

    /// The cell, if it still lives.
    pub(crate) fn cell(&self) -> Option<Arc<Cell>> {
        lock(&self.cell).upgrade()
    }
}

/// Each cell counts its tokens from a number that no other gets to, so that what is said about the token of a cell that is gone is
/// never taken for another's.
pub(super) fn first_generation() -> u64 {
    static CELLS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    CELLS.fetch_add(1, std::sync::atomic::Ordering::Relaxed) << 32
}

/// How many tokens its cell had by that generation.
pub(super) fn number(generation: u64) -> u64 {
    generation & u64::from(u32::MAX)
}

/// What the timer wakes.
pub(super) struct PutOut(pub(super) &'static Beacon);

impl Wake for PutOut {
    fn wake(self: Arc<Self>) {
        self.0.put_out();
    }
}
