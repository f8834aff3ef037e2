//! What changes the state of a cell: a flight that has landed, a server that refuses a token, the user.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};

use super::beacon::number;
use super::terms::{Departure, Dice};
use super::{Age, Cell, FlightState, Ground, Outcome};
use crate::clock::{self, Now};
use crate::error::Error;
use crate::observe::{Event, Landing, Logbook, Verdict};
use crate::panics::caught;
use crate::random;
use crate::sync::{Ordering, lock};
use crate::token::Token;
use crate::transport::News;

/// What else counts as a refusal of the token, by status and headers of a response.
pub(crate) type Refusal = dyn Fn(StatusCode, &HeaderMap) -> bool + Send + Sync;

impl Cell {
    pub(super) fn land(&self, departure: &Departure, outcome: Result<Token, Error>, log: &Logbook) -> Outcome {
        let (is_overtaken, landed) =
            self.change(|state, now, dice| (state.has_overtaken(departure), state.land(departure, outcome, now, dice)));
        log.close(&Landing {
            is_overtaken,
            outcome: match &landed {
                Ok(current) => Ok((&current.token, number(current.generation))),
                Err(failure) => Err(&failure.error),
            },
            serves: self.age() != Age::Stale,
        });
        landed
    }

    pub(super) fn set(&self, token: Token) {
        self.change(|state, now, dice| state.set(token, now, dice));
        self.observer.tell(&Event::Set);
    }

    pub(super) fn forget(&self) {
        self.change(|state, _, _| state.forget());
        self.observer.tell(&Event::Forgotten);
    }

    pub(super) fn invalidate(&self) {
        self.change(|state, _, _| state.invalidate());
        self.observer.tell(&Event::Invalidated);
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
        let is_given_up = self.change(|state, now, dice| state.refuse(generation, now, dice));
        let is_kept = self.is_newest(generation);
        let verdict = match (is_given_up, is_kept) {
            (true, _) => Verdict::GivenUp,
            (false, true) => Verdict::Kept,
            (false, false) => Verdict::Outdated,
        };
        self.observer.tell(&Event::Refused(number(generation), verdict));
        !is_kept
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
        let (result, former) = {
            let mut ground = lock(&self.ground);
            let Ground { state, settings, .. } = &mut *ground;
            // Dropped after the lock is free, for both hold what is the user's.
            let former = (state.flight().cloned(), state.failure().cloned());
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
            (result, former)
        };
        // A watcher that panics when it is woken is no reason for the others not to get the token.
        let _ = caught(|| self.show());
        self.observer.holds(|| self.peek());
        drop(former);
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
        if self.change(|state, now, dice| state.hear_of(token, now, dice)) {
            self.observer.tell(&Event::Heard);
        }
    }
}
