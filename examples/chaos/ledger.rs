//! The truth about one login: every token that its server has issued, and what became of each.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    access::{Access, Standing},
    promises::Promise,
    rotation::{Presented, Rotation},
    run::Run,
    tally::Part,
};

pub(crate) struct Ledger {
    run: Arc<Run>,
    /// Whether an access token dies when the next one is issued. Some servers do that.
    kills: bool,
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    /// The access tokens. Their numbers begin with 1.
    issued: Vec<Access>,
    rotation: Rotation,
    /// The token calls whose answer the client has not got, or not all of it.
    lost: HashSet<u64>,
    /// The highest number that a caller was told is refused.
    refused: u64,
}

/// The numbers of an access token and a refresh token.
pub(crate) struct Issue {
    pub(crate) access: u64,
    pub(crate) refresh: u64,
}

impl Ledger {
    pub(crate) fn new(run: Arc<Run>, kills: bool) -> Self {
        Self { run, kills, books: Mutex::default() }
    }

    // ===== The token endpoint =====

    /// Takes a refresh token, in the token call of that number. `None`: it is not accepted.
    pub(crate) fn refresh(&self, presented: u64, call: u64, lifetime: Duration) -> Option<Issue> {
        let (mut books, look) = (self.lock(), self.run.clock.look());
        if books.lost.contains(&call) {
            // On a busy machine a call can come so late that another has taken its place.
            self.run.count(Part::TokenCalls, "refused, for the client had given it up");
            return None;
        }
        let last_was_lost = books.issued.last().is_some_and(|last| books.lost.contains(&last.call));
        match books.rotation.present(presented) {
            Presented::Rotated => self.run.count(Part::TokenCalls, "answered with a new token"),
            Presented::Again => {
                self.run.count(Part::TokenCalls, "answered again, for the first answer was lost");
                if !last_was_lost {
                    self.run.broken(Promise::RefreshTokenIsKept, format!("call {call} came with the old {presented}"));
                }
            }
            Presented::Reused => {
                self.run.broken(Promise::LoginLives, format!("call {call} came with {presented}, used long ago"));
                return None;
            }
            Presented::Over => return None,
        }
        let number = books.issued.len();
        if let Some(last) = books.issued.last_mut() {
            if !(last.dead || last_was_lost || last.look != look || last.has_aged()) {
                let what = format!("call {call}, when token {number} was {:?} old", last.age());
                self.run.broken(Promise::EachTokenCallHasItsReason, what);
            }
            last.dead |= self.kills && last.accepted;
        }
        books.issued.push(Access::new(call, look, lifetime));
        Some(Issue { access: number as u64 + 1, refresh: books.rotation.newest() })
    }

    /// The client has got, or is going to get, no whole answer to this token call.
    pub(crate) fn answer_lost(&self, call: u64) {
        let mut books = self.lock();
        books.lost.insert(call);
        if let Some(newest) = books.issued.iter_mut().rev().find(|access| access.is_seen()) {
            newest.hold_out();
        }
    }

    // ===== The API =====

    pub(crate) fn standing(&self, access: u64) -> Standing {
        self.lock().access(access).map_or(Standing::Unknown, |access| access.standing())
    }

    /// Ends the newest access token before its time, if it is this one and the client has seen that it was good.
    pub(crate) fn revoke(&self, access: u64) -> bool {
        let mut books = self.lock();
        let is_newest = books.issued.len() as u64 == access;
        match books.issued.last_mut().filter(|last| is_newest && last.accepted && !last.dead) {
            Some(last) => {
                last.dead = true;
                true
            }
            None => false,
        }
    }

    // ===== The callers =====

    /// Why there is nothing to send, so that a caller has to wait for a token.
    pub(crate) fn why_wait(&self) -> &'static str {
        let books = self.lock();
        match books.issued.last() {
            None => "waited for the first token",
            Some(last) if last.dead => "waited for a token, for the old one was revoked",
            Some(last) if books.lost.contains(&last.call) => "waited for a token, for an answer was lost",
            Some(last) if last.look != self.run.clock.look() => "waited for a token, for the clock had stepped",
            Some(_) => "waited for a token, for the old one was at its end",
        }
    }

    /// A caller has heard that the API accepts this token.
    pub(crate) fn accepted(&self, access: u64) {
        if let Some(access) = self.lock().access(access) {
            access.accepted = true;
        }
    }

    /// A caller has heard that the API refuses this token.
    pub(crate) fn refused(&self, access: u64) {
        let mut books = self.lock();
        books.refused = books.refused.max(access);
    }

    /// A caller sees this token with the layer. It gets the newest that callers know to be refused.
    pub(crate) fn seen(&self, access: u64) -> u64 {
        let mut books = self.lock();
        if let Some(access) = books.access(access) {
            access.see();
        }
        books.refused
    }

    /// Whether the client must not send this token any more, or there is no such token.
    pub(crate) fn has_expired(&self, access: u64) -> bool {
        self.lock().access(access).is_none_or(|access| access.is_over())
    }

    fn lock(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    fn access(&mut self, number: u64) -> Option<&mut Access> {
        self.issued.get_mut(usize::try_from(number).ok()?.checked_sub(1)?)
    }
}
