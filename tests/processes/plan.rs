//! The plan of a run: when to kill processes and to interrupt the store. It is the same for the same seed.

use std::ops::Range;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Act {
    /// Kill the process in this place, and start another there.
    Kill(usize),
    /// Kill the next process that takes the lock.
    KillHolder,
    /// Log out, and store another login later.
    LogOut,
    /// Pause the store's server, and resume it.
    Stop,
    Continue,
    /// Kill the store's server, and start it again with the data on its disk.
    Crash,
    Restart,
    End,
}

/// The pause of the store's server, which is longer than the lifetime of a token, so that requests have to wait. And the time between a crash
/// and the restart.
pub(crate) const STILL: Duration = Duration::from_secs(5);
pub(crate) const GONE: Duration = Duration::from_secs(2);

/// No process with the lock is killed this close to an outage of the store.
const CALM: Duration = Duration::from_secs(7);

/// No process is killed this long before the logout, because a lost login would be detected only after it.
const QUIET: Duration = Duration::from_secs(3);

/// Plans a kill every five seconds, some of them of a process with the lock. For a store with a server, also a pause and a crash.
pub(crate) fn plan(seed: u64, length: Duration, places: usize, with_server: bool) -> Vec<(Duration, Act)> {
    let mut dice = Dice::new(seed);
    let (stop, crash, logout) = (length.mul_f64(0.25), length.mul_f64(0.6), length.mul_f64(0.8));
    let mut acts = vec![(length, Act::End), (logout, Act::LogOut)];
    // A login that is lost by such a kill has to be replaced, which needs the store.
    let is_calm = |at| !with_server || [stop, crash].iter().all(|outage| outage.abs_diff(at) > CALM);
    let (mut at, mut calm) = (Duration::ZERO, 0);
    loop {
        at += Duration::from_millis(dice.pick(2500..7500));
        // A process that starts near the end has no time for requests.
        if at + Duration::from_secs(4) > length {
            break;
        }
        let place = dice.pick(0..places as u64) as usize;
        if logout.checked_sub(at).is_some_and(|before| before < QUIET) {
            continue;
        }
        calm += usize::from(is_calm(at));
        acts.push((at, if is_calm(at) && calm % 3 == 2 { Act::KillHolder } else { Act::Kill(place) }));
    }
    if with_server {
        acts.extend([
            (stop, Act::Stop),
            (stop + STILL, Act::Continue),
            (crash, Act::Crash),
            (crash + GONE, Act::Restart),
        ]);
    }
    acts.sort();
    acts
}

/// A generator of pseudo-random numbers (xorshift64*).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn pick(&mut self, from: Range<u64>) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        from.start + (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) % (from.end - from.start)
    }
}
