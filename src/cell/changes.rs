//! What changes the state of a cell: a flight that has landed, a server that refuses a token, the user.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};

use super::terms::{Departure, Dice};
use super::{Cell, FlightState, Ground, Outcome};
use crate::clock::{self, Now};
use crate::error::Error;
use crate::panics::caught;
use crate::random;
use crate::sync::{Ordering, lock};
use crate::token::Token;
use crate::transport::News;

/// What else counts as a refusal of the token, by status and headers of a response.
pub(crate) type Refusal = dyn Fn(StatusCode, &HeaderMap) -> bool + Send + Sync;

impl Cell {
    pub(super) fn land(&self, departure: &Departure, outcome: Result<Token, Error>) -> Outcome {
        self.change(|state, now, dice| state.land(departure, outcome, now, dice))
    }

    pub(super) fn set(&self, token: Token) {
        self.change(|state, now, dice| state.set(token, now, dice));
    }

    pub(super) fn forget(&self) {
        self.change(|state, _, _| state.forget());
    }

    pub(super) fn invalidate(&self) {
        self.change(|state, _, _| state.invalidate());
    }

    pub(crate) fn set_refusal(&self, refusal: Box<Refusal>) {
        self.refusal.store(Some(Arc::new(refusal)));
        self.beacon.set_heeds(true);
    }

    /// Whether the user counts this response as a refusal.
    pub(crate) fn is_also_refusal(&self, status: StatusCode, headers: &HeaderMap) -> bool {
        self.refusal.load().as_ref().is_some_and(|refusal| refusal(status, headers))
    }

    /// A server has refused the token of `generation`. Whether there is, or may be had now, another to send.
    pub(crate) fn refused(&self, generation: u64) -> bool {
        self.change(|state, now, dice| state.refuse(generation, now, dice));
        !self.is_newest(generation)
    }

    /// A server has accepted the token of `generation`.
    pub(crate) fn accepted(&self, generation: u64) {
        if self.in_doubt.load(Ordering::Relaxed) {
            self.change(|state, _, _| state.accept(generation));
        }
    }

    /// Changes the state, then shows it: to readers under the lock, to watchers after it, for they run code of their own.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut FlightState, Now, &Dice<'_>) -> R) -> R {
        let jitter = random::unit();
        let result = {
            let mut ground = lock(&self.ground);
            let Ground { state, settings, .. } = &mut *ground;
            let result = change(state, clock::now(), &Dice { policy: &settings.policy, jitter });
            let usable = state.usable();
            if usable.is_none() {
                self.clear_passes();
            }
            self.snapshot.store(usable.cloned());
            self.beacon.put_out();
            let in_doubt = state.is_in_doubt();
            self.in_doubt.store(in_doubt, Ordering::Relaxed);
            self.beacon.set_heeds(in_doubt || self.refusal.load().is_some());
            result
        };
        // A watcher that panics when it is woken is no reason for the others not to get the token.
        let _ = caught(|| self.show());
        result
    }

    /// Shows the newest there is, not what was changed here: the last one to get here shows the last change.
    fn show(&self) {
        self.changes.send_if_modified(|shown| {
            let newest = self.peek();
            let modified = *shown != newest;
            *shown = newest;
            modified
        });
    }
}

/// A sibling's token is taken as a flight's own would be; one that is under way goes on, and lands as it will.
impl News for Cell {
    fn newer(&self, token: Token) {
        self.change(|state, now, dice| state.hear_of(token, now, dice));
    }
}
