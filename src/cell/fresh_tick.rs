//! Remembers the tick in which the token of a tenant was found fresh.

use std::sync::atomic::{AtomicU64, Ordering};

use super::current_tick;

/// The last tick in which requests have found a token fresh.
///
/// A [`FreshFlag`](super::fresh_flag::FreshFlag) needs a lock, and the ticker has to clear it. That costs more than it saves if a program has
/// thousands of tokens. This is a number beside the deadlines of the token.
#[derive(Debug)]
pub(super) struct FreshTick(AtomicU64);

/// No tick has this number.
const NONE: u64 = u64::MAX;

impl FreshTick {
    /// Returns whether the token was found fresh in the current tick, so that the clocks need not be read.
    #[inline]
    pub(super) fn is_current(&self) -> bool {
        self.0.load(Ordering::Relaxed) == current_tick::get()
    }

    /// Records that a request has found the token fresh. `tick` was read before the clocks.
    ///
    /// The second request of a tick calls `is_lasting`, which returns whether the token stays fresh. So a token that is rarely sent costs no
    /// more.
    pub(super) fn record(&self, tick: u64, is_lasting: impl FnOnce() -> bool) {
        if tick == current_tick::STOPPED {
            return;
        }
        // The numbers of ticks are even.
        let found_once = tick | 1;
        if self.0.load(Ordering::Relaxed) != found_once {
            self.0.store(found_once, Ordering::Relaxed);
        } else if is_lasting() {
            self.0.store(tick, Ordering::Relaxed);
        }
    }
}

impl Default for FreshTick {
    fn default() -> Self {
        Self(AtomicU64::new(NONE))
    }
}

/// A clone was found fresh in no tick, because a token is cloned in order to change it.
impl Clone for FreshTick {
    fn clone(&self) -> Self {
        Self::default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{HeaderMap, StatusCode};

    use super::*;
    use crate::cell::TokenCell;
    use crate::cell::ticker::{self, TICK};
    use crate::grant::grant_fn;
    use crate::token::Token;

    #[test]
    fn the_second_request_of_a_tick_sets_it_until_the_next_tick() {
        let fresh = FreshTick::default();
        // On a busy machine the next tick may begin between two lines, so this is repeated until it did not.
        while !fresh.is_current() {
            let tick = ticker::use_tick();
            assert_ne!(tick, current_tick::STOPPED);
            fresh.record(tick, || unreachable!("the first request of the tick"));
            assert!(!fresh.is_current());
            fresh.record(tick, || false);
            assert!(!fresh.is_current());
            fresh.record(tick, || true);
        }
        assert!(!fresh.clone().is_current());
        while fresh.is_current() {
            std::thread::sleep(TICK / 10);
        }
    }

    /// A mocked clock may be advanced by an hour at any moment.
    #[cfg(feature = "test-util")]
    #[test]
    fn there_are_no_ticks_under_a_mocked_clock() {
        let _entered = crate::clock::mock::Clock::new().enter();
        assert_eq!(ticker::use_tick(), current_tick::STOPPED);
    }

    #[test]
    fn no_token_is_fresh_without_a_tick() {
        let fresh = FreshTick::default();
        for _ in 0..2 {
            fresh.record(current_tick::STOPPED, || true);
        }
        assert_eq!(fresh.0.load(Ordering::Relaxed), NONE);
    }

    #[test]
    fn a_token_that_was_found_fresh_is_not_sent_after_it_was_invalidated_or_replaced() {
        let token = |text| Token::bearer(text).unwrap().with_expires_in(Duration::from_secs(3600));
        let cell = TokenCell::new(grant_fn(async |_| Token::bearer("unused")));
        let sent = || cell.with_fresh(|token| (token.generation, token.fresh_tick.is_current())).ok();
        for text in ["a", "b"] {
            cell.set(token(text));
            let generation = cell.with_valid(|token| token.generation).unwrap();
            assert_eq!(sent(), None, "no response has accepted it");
            cell.observe_response(generation, StatusCode::OK, &HeaderMap::new());
            while sent() != Some((generation, true)) {}
        }
        cell.invalidate();
        assert_eq!(sent(), None);
    }
}
