//! Reads the token without the lock.

use std::sync::Arc;

use super::cached::{CachedToken, Freshness};
use super::fast_path::mark_fresh;
#[cfg(feature = "tenants")]
use super::ticker;
use super::token_cell::TokenCell;
use crate::clock;
use crate::sync::try_lock;
use crate::token::Token;

impl TokenCell {
    /// Returns the current token, even if it has expired.
    pub(crate) fn peek(&self) -> Option<Token> {
        self.snapshot.load().as_ref().map(|token| token.token.clone())
    }

    /// Runs `f` with the token, unless it is stale.
    pub(crate) fn with_valid<R>(&self, f: impl FnOnce(&Arc<CachedToken>) -> R) -> Option<R> {
        let snapshot = self.snapshot.load();
        snapshot.as_ref().filter(|token| token.is_valid(clock::now)).map(f)
    }

    /// Returns the freshness of the current token: `Stale` without one.
    pub(crate) fn freshness(&self) -> Freshness {
        self.snapshot.load().as_ref().map_or(Freshness::Stale, |token| token.freshness(clock::now))
    }

    /// Runs `f` with a fresh Bearer token of which the cell has to observe rejections only. Otherwise returns the freshness of the token.
    #[cfg(feature = "tenants")]
    #[inline]
    pub(crate) fn with_fresh<R>(&self, f: impl FnOnce(&CachedToken) -> R) -> Result<R, Freshness> {
        let snapshot = self.snapshot.load();
        let Some(token) = snapshot.as_ref() else { return Err(Freshness::Stale) };
        if !token.fresh_tick.is_current() {
            self.check_fresh(token)?;
        }
        Ok(f(token))
    }

    /// Returns an error unless `with_fresh` can send the token. Otherwise records the tick, so that later requests need not check it.
    #[cfg(feature = "tenants")]
    #[inline(never)]
    fn check_fresh(&self, token: &CachedToken) -> Result<(), Freshness> {
        let mut read = None;
        // The tick is read before the clocks, so that it ends first. For a token without an expiry neither is read.
        let freshness = token.freshness(|| read.insert((ticker::use_tick(), clock::now())).1);
        if freshness != Freshness::Fresh || token.token.is_dpop() || self.observes_responses() {
            return Err(freshness);
        }
        if let Some((tick, now)) = read {
            token.fresh_tick.record(tick, || token.is_lasting(now));
        }
        Ok(())
    }

    /// Returns the token if it is fresh.
    pub(super) fn fresh_token(&self) -> Option<Arc<CachedToken>> {
        let snapshot = self.snapshot.load();
        snapshot.as_ref().filter(|token| token.freshness(clock::now) == Freshness::Fresh).cloned()
    }

    /// Returns the [`freshness`](Self::freshness). For a fresh token it also sets the flag that enables the fast path, unless the cell
    /// has to observe the responses.
    pub(crate) fn check_freshness(&self) -> Freshness {
        let snapshot = self.snapshot.load();
        let Some(token) = snapshot.as_ref() else { return Freshness::Stale };
        if self.fresh.get() == token.generation {
            token.keep_header();
            return Freshness::Fresh;
        }
        let now = clock::now();
        let freshness = token.freshness(|| now);
        // If another thread holds the lock, the flag is not set now. A later request sets it.
        if freshness == Freshness::Fresh
            // Each request with a bound token needs a proof of its own.
            && !token.token.is_dpop()
            && !self.observes_responses()
            && let Some(locked) = try_lock(&self.locked)
            && locked.state.is_accepted(token)
        {
            mark_fresh(&self.fresh, token, now);
            drop(locked);
            token.keep_header();
        }
        freshness
    }

    /// Returns whether a caller that has waited since it acquired the token can still send it.
    ///
    /// A token that was stale when it arrived is sent, because the next one may be stale, too.
    pub(crate) fn may_send(&self, token: &CachedToken) -> bool {
        (token.is_valid(clock::now) || token.arrived_stale()) && self.is_current_generation(token.generation)
    }

    /// Returns whether the token of `generation` is the current one.
    pub(crate) fn is_current_generation(&self, generation: u64) -> bool {
        self.snapshot.load().as_ref().is_some_and(|current| current.generation == generation)
    }
}
