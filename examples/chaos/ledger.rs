//! The record of one login: every token that its server has issued, and the state of each.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    access_token::{AccessToken, TokenStatus},
    promises::Promise,
    rotation::{Presented, Rotation},
    run::Run,
    tally::Part,
};

pub(crate) struct Ledger {
    run: Arc<Run>,
    /// Whether issuing an access token revokes the previous one. Some servers do that.
    revokes_previous: bool,
    state: Mutex<LedgerState>,
}

#[derive(Default)]
struct LedgerState {
    /// The access tokens, numbered from 1.
    issued: Vec<AccessToken>,
    rotation: Rotation,
    /// The token requests whose response did not reach the client, or not completely.
    lost: HashSet<u64>,
}

/// The numbers of an access token and a refresh token.
pub(crate) struct Issue {
    pub(crate) access: u64,
    pub(crate) refresh: u64,
}

impl Ledger {
    pub(crate) fn new(run: Arc<Run>, revokes_previous: bool) -> Self {
        Self { run, revokes_previous, state: Mutex::default() }
    }

    // ===== The token endpoint =====

    /// Accepts a refresh token in the token request with the number `request_number`. Returns `None` if it is rejected.
    pub(crate) fn refresh(&self, presented: u64, request_number: u64, lifetime: Duration) -> Option<Issue> {
        let (mut state, clock_epoch) = (self.lock(), self.run.clock.epoch());
        if state.lost.contains(&request_number) {
            // On a busy machine a request can arrive after the client has timed out and sent the next.
            self.run.count(Part::TokenRequests, "rejected: the client had timed out");
            return None;
        }
        let last_response_was_lost = state.issued.last().is_some_and(|last| state.lost.contains(&last.request_number));
        match state.rotation.present(presented) {
            Presented::Rotated => self.run.count(Part::TokenRequests, "succeeded with a new token"),
            Presented::Previous => {
                self.run.count(Part::TokenRequests, "repeated: the first response was lost");
                if !last_response_was_lost {
                    self.run.broken(
                        Promise::RefreshTokenIsKept,
                        format!("request {request_number} used the old {presented}"),
                    );
                }
            }
            Presented::Reused => {
                self.run.broken(Promise::LoginIsKept, format!("request {request_number} reused {presented}"));
                return None;
            }
            Presented::LoginEnded => return None,
        }
        let number = state.issued.len();
        if let Some(last) = state.issued.last_mut() {
            if !(last.revoked || last_response_was_lost || last.clock_epoch != clock_epoch || last.may_be_refreshed()) {
                let what = format!("request {request_number}, when token {number} was {:?} old", last.age());
                self.run.broken(Promise::EachTokenRequestHasReason, what);
            }
            last.revoked |= self.revokes_previous && last.accepted;
        }
        state.issued.push(AccessToken::new(request_number, clock_epoch, lifetime));
        Some(Issue { access: number as u64 + 1, refresh: state.rotation.newest() })
    }

    /// Records that the client does not receive a complete response to this token request.
    pub(crate) fn response_lost(&self, request_number: u64) {
        let mut state = self.lock();
        state.lost.insert(request_number);
        if let Some(newest) = state.issued.iter_mut().rev().find(|access| access.is_seen()) {
            newest.extend_to_expiry();
        }
    }

    // ===== The API =====

    pub(crate) fn status(&self, access: u64) -> TokenStatus {
        self.lock().access(access).map_or(TokenStatus::Unknown, |access| access.status())
    }

    /// Revokes this access token if it is the newest and the client has seen it accepted.
    pub(crate) fn revoke(&self, access: u64) -> bool {
        let mut state = self.lock();
        let is_newest = state.issued.len() as u64 == access;
        match state.issued.last_mut().filter(|last| is_newest && last.accepted && !last.revoked) {
            Some(last) => {
                last.revoked = true;
                true
            }
            None => false,
        }
    }

    // ===== The callers =====

    /// Why a caller has to wait for a token.
    pub(crate) fn wait_reason(&self) -> &'static str {
        let state = self.lock();
        match state.issued.last() {
            None => "waited for the first token",
            Some(last) if last.revoked => "waited for a token: the old one was revoked",
            Some(last) if state.lost.contains(&last.request_number) => "waited for a token: a response was lost",
            Some(last) if last.clock_epoch != self.run.clock.epoch() => "waited for a token: the clock had stepped",
            Some(_) => "waited for a token: the old one had expired",
        }
    }

    /// Records that a caller received a response that accepts this token.
    pub(crate) fn accepted(&self, access: u64) {
        if let Some(access) = self.lock().access(access) {
            access.accepted = true;
        }
    }

    /// Records that a caller got this token from the layer.
    pub(crate) fn seen(&self, access: u64) {
        if let Some(access) = self.lock().access(access) {
            access.see();
        }
    }

    /// Whether the client must not send this token any more, or the token does not exist.
    pub(crate) fn has_expired(&self, access: u64) -> bool {
        self.lock().access(access).is_none_or(|access| access.must_not_be_sent())
    }

    fn lock(&self) -> MutexGuard<'_, LedgerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LedgerState {
    fn access(&mut self, number: u64) -> Option<&mut AccessToken> {
        self.issued.get_mut(usize::try_from(number).ok()?.checked_sub(1)?)
    }
}
