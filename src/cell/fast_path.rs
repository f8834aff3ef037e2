//! The fast path: checks that the token is fresh, and finds its header, without a lock and without reading the clocks.
//!
//! Reading both clocks costs more than the rest of a request. So a request that has read them sets a flag with the generation of its
//! fresh token, and the [ticker](super::ticker) clears the flag a tenth of a second later. Requests in between read only the flag.

use std::cell::RefCell;
use std::sync::Arc;

use http::HeaderValue;

use super::cached::CachedToken;
use super::fresh_flag::FreshFlag;
use super::ticker::{self, TICK};
use crate::clock::{self, Now};

/// Sets the flag for a token that is fresh at `now`. The caller holds the lock of the cell, and the token is the current one.
pub(super) fn mark_fresh(flag: &Arc<FreshFlag>, token: &CachedToken, now: Now) {
    if token.is_lasting(now) && ticker::clear_later(flag) {
        flag.set(token.generation);
    }
}

thread_local! {
    /// The last headers that this thread has sent, with the generations of their tokens. Reading them takes no lock, and increments no
    /// reference count that other threads increment.
    static RECENT_HEADERS: RefCell<[(u64, HeaderValue); 4]> =
        const { RefCell::new([const { (u64::MAX, HeaderValue::from_static("")) }; 4]) };
}

/// The header that a service keeps for its next request. A clone that sends only one request keeps none.
pub(crate) struct CachedHeader {
    /// Initially `u64::MAX`, which no token has. Zero would match an empty flag.
    pub(crate) generation: u64,
    pub(crate) value: Option<HeaderValue>,
    /// The generation of the last request. Its header is kept only when it is used again.
    last: u64,
}

impl Default for CachedHeader {
    fn default() -> Self {
        Self { generation: u64::MAX, value: None, last: 0 }
    }
}

impl CachedHeader {
    /// Runs `f` with the header of a generation, if this thread has sent it before. Keeps the header from the second call on.
    #[inline(never)]
    pub(crate) fn find<R>(&mut self, generation: u64, f: impl FnOnce(&HeaderValue) -> R) -> Option<R> {
        let is_repeated = std::mem::replace(&mut self.last, generation) == generation;
        with_header(generation, |header| {
            if is_repeated {
                (self.generation, self.value) = (generation, Some(header.clone()));
            }
            f(header)
        })
    }
}

fn with_header<R>(generation: u64, f: impl FnOnce(&HeaderValue) -> R) -> Option<R> {
    let found = RECENT_HEADERS.try_with(|sent| {
        let sent = sent.try_borrow().ok()?;
        let (cached, header) = &sent[slot(generation)];
        (*cached == generation).then(|| f(header))
    });
    found.ok().flatten()
}

impl CachedToken {
    /// Returns whether the token stays fresh until a flag is cleared. `now` was read just before.
    pub(super) fn is_lasting(&self, now: Now) -> bool {
        // Shortly before the token is due, and under a mocked clock, every request reads the clocks.
        self.fresh_for(now).is_none_or(|left| left > 3 * TICK) && clock::is_real(now)
    }

    /// Keeps the header for later requests of this thread.
    pub(crate) fn keep_header(&self) {
        let previous = RECENT_HEADERS.try_with(|sent| {
            let mut sent = sent.try_borrow_mut().ok()?;
            let slot = &mut sent[slot(self.generation)];
            (slot.0 != self.generation).then(|| std::mem::replace(slot, (self.generation, self.header().clone())))
        });
        drop(previous);
    }
}

/// Returns the slot of a generation. Cells share the slots of a thread.
#[inline]
fn slot(generation: u64) -> usize {
    (generation >> 32) as usize % 4
}
