//! The newest token as requests carry it.
//!
//! To clone a header counts a reference, and threads that count the same one wait for each other. So there are some copies of it,
//! and a thread takes always the same one.

use std::sync::Arc;

use http::HeaderValue;

use super::beacon::Beacon;
use super::{Cell, Current};
use crate::sync::{Mutex, lock};

/// How many threads share no copy with another. More than that share some.
const PLACES: usize = 8;

/// The copies that were made, each where a thread looks for it.
#[derive(Default)]
pub(super) struct Passes([Mutex<Option<Pass>>; PLACES]);

/// What a service needs to send a request with a token.
#[derive(Clone)]
pub(crate) struct Pass {
    pub(crate) header: HeaderValue,
    pub(crate) sent: Sent,
}

/// Which token a request was sent with, and where to tell how it went. It holds nothing of the cell.
#[derive(Clone, Copy)]
pub(crate) struct Sent {
    pub(crate) beacon: &'static Beacon,
    pub(crate) generation: u64,
}

impl Pass {
    /// Whether the token is the newest, and fresh.
    #[inline]
    pub(crate) fn is_fresh(&self) -> bool {
        self.sent.beacon.fresh() == self.sent.generation
    }
}

impl Cell {
    /// What a request needs that is to be sent with this token.
    pub(crate) fn sent(&self, current: &Current) -> Sent {
        Sent { beacon: self.beacon, generation: current.generation }
    }

    /// One that is never fresh.
    pub(crate) fn no_pass(&self) -> Pass {
        let sent = Sent { beacon: self.beacon, generation: u64::MAX };
        Pass { header: HeaderValue::from_static(""), sent }
    }

    /// The pass of this thread for a token that is the newest.
    pub(super) fn pass(&self, current: &Arc<Current>) -> Pass {
        let mut place = lock(&self.passes.0[place()]);
        match &*place {
            Some(pass) if pass.sent.generation == current.generation => pass.clone(),
            _ => place.insert(Pass { header: current.token.own_header(), sent: self.sent(current) }).clone(),
        }
    }

    /// There is no token any more: nothing of it is kept.
    pub(super) fn clear_passes(&self) {
        for place in &self.passes.0 {
            *lock(place) = None;
        }
    }
}

/// Where this thread looks.
#[cfg(not(tower_oauth2_loom))]
fn place() -> usize {
    use std::sync::atomic::{AtomicUsize, Ordering};

    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static PLACE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % PLACES;
    }
    PLACE.with(|place| *place)
}

#[cfg(tower_oauth2_loom)]
fn place() -> usize {
    0
}
