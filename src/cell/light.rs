//! How the beacon is lit, and put out in time.

use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use super::beacon::{PutOut, TICK};
use super::{Cell, Current};
use crate::clock::{Alarm, Now};
use crate::panics::caught;
use crate::sync::{Mutex, lock, try_lock};

/// The timer of the cell's beacon.
#[derive(Default)]
pub(super) struct Timer(Mutex<Setting>);

#[derive(Default)]
enum Setting {
    #[default]
    None,
    Running(#[expect(dead_code, reason = "it runs while it is kept")] Alarm),
    /// A runtime without timers: the beacon is not lit, and everybody looks at the clocks.
    Impossible,
}

/// A timer may be late by this.
const GRAIN: Duration = Duration::from_millis(1);

impl Cell {
    /// The clocks say `now` that the token is fresh: shows it for a while.
    pub(super) fn light(&self, current: &Arc<Current>, now: Now) {
        // Somebody else is at it.
        let Some(mut setting) = try_lock(&self.timer.0) else { return };
        let wait = current.fresh_for(now).map(|left| left.saturating_sub(GRAIN).min(TICK));
        // Models have no timers.
        if wait.is_some_and(|wait| wait.is_zero() || cfg!(tower_oauth2_loom)) || matches!(*setting, Setting::Impossible)
        {
            return;
        }
        {
            let ground = lock(&self.ground);
            if !ground.state.usable().is_some_and(|newest| Arc::ptr_eq(newest, current)) {
                return;
            }
            // Before the timer runs, which puts it out.
            self.beacon.light(current.generation);
        }
        *setting = match wait {
            None => Setting::None,
            Some(wait) => self.run(now, wait),
        };
    }

    fn run(&self, now: Now, wait: Duration) -> Setting {
        let waker = Waker::from(Arc::new(PutOut(self.beacon)));
        let alarm = caught(|| {
            let mut alarm = Alarm::after(now, wait);
            if alarm.poll(&mut Context::from_waker(&waker)).is_ready() {
                self.beacon.put_out();
            }
            alarm
        });
        match alarm {
            Ok(alarm) => Setting::Running(alarm),
            Err(_) => {
                self.beacon.put_out();
                Setting::Impossible
            }
        }
    }
}
