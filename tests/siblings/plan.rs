//! When what is done to the processes and to the store: the same again for the same seed.

use std::ops::Range;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Act {
    /// Kill the process in this place, and start another there.
    Kill(usize),
    /// Kill the next one that has the turn to renew.
    KillHolder,
    /// The store's server stands still, and goes on.
    Stop,
    Continue,
    /// The store's server is killed, and another starts on what it has left on the disk.
    Crash,
    Restart,
    End,
}

/// So long the store's server stands still: longer than a token lives, so that requests have to wait for it. And so long there
/// is none.
pub(crate) const STILL: Duration = Duration::from_secs(5);
pub(crate) const GONE: Duration = Duration::from_secs(2);

/// Around these, nobody who renews is killed.
const CALM: Duration = Duration::from_secs(7);

/// Kills every five seconds, more or less, and some of who renews just then; for a store with a server, a stop and a crash too.
pub(crate) fn plan(seed: u64, length: Duration, places: usize, with_server: bool) -> Vec<(Duration, Act)> {
    let mut dice = Dice::new(seed);
    let mut acts = vec![(length, Act::End)];
    let (stop, crash) = (length.mul_f64(0.25), length.mul_f64(0.6));
    // A login that such a kill costs has to be replaced, and for that the store is needed.
    let is_calm = |at| !with_server || [stop, crash].iter().all(|outage| outage.abs_diff(at) > CALM);
    let (mut at, mut calm) = (Duration::ZERO, 0);
    loop {
        at += Duration::from_millis(dice.pick(2500..7500));
        // Whoever starts at the end has no time to show that they serve.
        if at + Duration::from_secs(4) > length {
            break;
        }
        let place = dice.pick(0..places as u64) as usize;
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

/// A few numbers that look random (xorshift64*).
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
