//! Clears the flags of fresh tokens on a helper thread, and counts the ticks, ten times a second while requests are sent.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use futures_timer::Delay;

#[cfg(feature = "tenants")]
use super::current_tick::{self, STOPPED};
use super::fresh_flag::FreshFlag;
use crate::catch_panic::catch_panic;

/// The interval between two ticks. A flag is set for at most twice as long.
pub(super) const TICK: Duration = Duration::from_millis(100);

static TICKER: Mutex<Ticker> = Mutex::new(Ticker { flags: Vec::new(), timer: None, is_running: false });

struct Ticker {
    /// The flags to clear at the next tick. The capacity is kept, so that requests allocate nothing.
    flags: Vec<Arc<FreshFlag>>,
    timer: Option<(Delay, Waker)>,
    is_running: bool,
}

/// Clears a flag at the next tick. Returns `false` if the helper thread cannot be started.
pub(super) fn clear_later(flag: &Arc<FreshFlag>) -> bool {
    // The models have no timers: a flag stays set.
    if cfg!(tower_oauth2_loom) {
        return true;
    }
    let mut ticker = ticker();
    ticker.start();
    if ticker.is_running {
        ticker.flags.push(flag.clone());
    }
    ticker.is_running
}

/// Returns the number of the current tick, and lets another one follow. Starts the ticker if it is stopped.
#[cfg(feature = "tenants")]
pub(super) fn use_tick() -> u64 {
    current_tick::mark_used();
    // The models have no timers.
    if current_tick::get() == STOPPED && !cfg!(tower_oauth2_loom) {
        ticker().start();
    }
    current_tick::get()
}

impl Ticker {
    /// Starts the ticker if it is stopped.
    fn start(&mut self) {
        if !self.is_running {
            // With more cells than this, a request may allocate.
            self.flags.reserve(64);
            self.wait();
        }
    }

    /// Begins a tick.
    fn wait(&mut self) {
        // `Delay` panics in a process that cannot start the helper thread.
        let is_pending = catch_panic(|| {
            let (delay, waker) = self.timer.get_or_insert_with(|| (Delay::new(TICK), Waker::from(Arc::new(Tick))));
            delay.reset(TICK);
            Pin::new(delay).poll(&mut Context::from_waker(waker)).is_pending()
        });
        self.is_running = is_pending.unwrap_or(false);
        #[cfg(feature = "tenants")]
        if self.is_running { current_tick::advance() } else { current_tick::stop() }
    }
}

struct Tick;

impl Wake for Tick {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    /// Runs on the helper thread. After a tick without requests the ticker stops. The next request starts it again.
    fn wake_by_ref(self: &Arc<Self>) {
        let mut ticker = ticker();
        let is_used = !ticker.flags.is_empty();
        #[cfg(feature = "tenants")]
        let is_used = current_tick::was_used() || is_used;
        for flag in ticker.flags.drain(..) {
            flag.clear();
        }
        if is_used {
            ticker.wait();
        } else {
            ticker.is_running = false;
            #[cfg(feature = "tenants")]
            current_tick::stop();
        }
    }
}

fn ticker() -> MutexGuard<'static, Ticker> {
    TICKER.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "tenants")]
    #[test]
    fn a_ticker_that_was_stopped_does_not_use_a_number_again() {
        let tick = use_tick();
        while current_tick::get() != STOPPED {
            std::thread::sleep(TICK / 10);
        }
        assert!(use_tick() > tick);
    }

    #[test]
    fn a_flag_is_cleared_at_the_next_tick_and_then_the_ticker_stops() {
        for _ in 0..2 {
            let flag = Arc::new(FreshFlag::default());
            assert!(clear_later(&flag));
            // The ticker drops its reference when it has cleared the flag.
            while Arc::strong_count(&flag) > 1 || ticker().is_running {
                std::thread::sleep(TICK / 10);
            }
        }
    }
}
