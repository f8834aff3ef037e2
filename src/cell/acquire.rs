//! Acquires a token for a caller: returns a token, an error, or a future that waits for the refresh.

use std::sync::Arc;

use super::attempt::Trigger;
use super::cached::{CachedError, CachedToken};
use super::decisions::{Lookup, RefreshDecision};
use super::reentrancy::is_reentrant;
use super::token_cell::{LockedState, Task, TokenCell};
use super::wait_future::WaitFuture;
use crate::clock;
use crate::error::{Error, ErrorKind};
use crate::grant::Reason;
use crate::observe::{CallerSpan, Event};
use crate::sync::{lock, try_lock};
use crate::transport::Transport;

/// The result of acquiring a token.
pub(crate) enum Acquire {
    Token(Arc<CachedToken>),
    Failed(CachedError),
    Wait(WaitFuture),
}

impl TokenCell {
    /// Returns a token, an error, or a future that waits for a refresh. Starts the refresh if none is running.
    ///
    /// With `newer_than`, the caller needs a token of a later generation. It waits for the running refresh, or gets the cached error of
    /// the last one. If there is neither, the current token is returned again.
    ///
    /// A new refresh uses the caller's `transport`; if that is `None`, the transport of the layer or of its newest service.
    pub(crate) fn acquire(
        self: &Arc<Self>,
        newer_than: Option<u64>,
        transport: impl FnOnce() -> Option<Transport>,
    ) -> Acquire {
        if newer_than.is_none()
            && let Some(token) = self.fresh_token()
        {
            return Acquire::Token(token);
        }
        let acquired = self.acquire_slow(newer_than, transport);
        if let Acquire::Failed(error) = &acquired {
            self.observer.record(&Event::FailedFast(&error.error));
        }
        acquired
    }

    fn acquire_slow(
        self: &Arc<Self>,
        newer_than: Option<u64>,
        transport: impl FnOnce() -> Option<Transport>,
    ) -> Acquire {
        let found = lookup(&lock(&self.locked), newer_than);
        match found {
            Lookup::Valid(token) => {
                self.refresh_ahead(transport);
                Acquire::Token(token)
            }
            Lookup::Failed(error) => Acquire::Failed(error),
            // Waiting here would deadlock: the caller runs inside this cell's own refresh.
            _ if is_reentrant(self.id()) => failed(ErrorKind::Recursion),
            Lookup::Refreshing(task) => Acquire::Wait(self.wait_for(task, newer_than, true)),
            // `transport` clones the caller's service, which is user code. It is called without the lock.
            Lookup::Missing => self.start_refresh(Reason::Missing, newer_than, transport()),
        }
    }

    /// Returns a future for a newer token, regardless of the clocks and the back-off. It joins the running refresh or starts one.
    pub(super) fn force_refresh(self: &Arc<Self>) -> Acquire {
        if is_reentrant(self.id()) {
            return failed(ErrorKind::Recursion);
        }
        lock(&self.locked).state.challenges.lift_guards();
        self.start_refresh(Reason::Forced, None, None)
    }

    /// Starts a refresh of the current token if it is due, and does not wait for it. If another thread holds the lock, this call does
    /// nothing: that thread or a later request starts the refresh.
    pub(crate) fn refresh_ahead(self: &Arc<Self>, transport: impl FnOnce() -> Option<Transport>) {
        if is_reentrant(self.id()) {
            return;
        }
        let decision = try_lock(&self.locked).map(|locked| locked.state.refresh_decision(clock::now()));
        match decision {
            None | Some(RefreshDecision::Skip) => {}
            Some(RefreshDecision::Running(task)) => drop(task.poll_work(1)),
            Some(RefreshDecision::Start) => {
                if let Acquire::Wait(wait_future) = self.start_refresh(Reason::Proactive, None, transport()) {
                    wait_future.task().poll_work(1);
                }
            }
        }
    }

    /// Starts a refresh or joins the running one. Checks the state again first, because another caller may have obtained a token meanwhile.
    pub(super) fn start_refresh(
        self: &Arc<Self>,
        trigger: impl Into<Trigger>,
        newer_than: Option<u64>,
        transport: Option<Transport>,
    ) -> Acquire {
        let trigger = trigger.into();
        let reason = trigger.reason;
        // Cloning and dropping the transport and the span can run user code, so both happen without the lock.
        let transport = transport.or_else(|| self.transports.newest());
        let mut start = transport.map(|transport| (transport, CallerSpan::current()));
        let (task, is_new) = {
            let mut locked = lock(&self.locked);
            match (reason, lookup(&locked, newer_than)) {
                (Reason::Missing, Lookup::Valid(token)) => return Acquire::Token(token),
                (Reason::Missing | Reason::Proactive, Lookup::Failed(error)) => return Acquire::Failed(error),
                (Reason::Proactive, Lookup::Valid(token))
                    if !matches!(locked.state.refresh_decision(clock::now()), RefreshDecision::Start) =>
                {
                    return Acquire::Token(token);
                }
                _ => {}
            }
            if reason == Reason::Proactive && locked.state.newest().is_none() {
                // The token was forgotten in the meantime. A proactive refresh does not obtain a first token.
                return failed(ErrorKind::LoginRequired);
            }
            let LockedState { state, options } = &mut *locked;
            if let Some(task) = state.running_task() {
                (task.clone(), false)
            } else if let Some((transport, caller)) = start.take() {
                (self.new_task(state, options, trigger, transport, caller), true)
            } else {
                return failed(ErrorKind::NoTransport);
            }
        };
        // The caller of a forced refresh needs a newer token than the one that the task replaces.
        let newer_than = if reason == Reason::Forced { Some(task.attempt().generation) } else { newer_than };
        let wait_future = self.wait_for(task, newer_than, !is_new);
        if is_new {
            self.spawn_task(wait_future.task());
        }
        Acquire::Wait(wait_future)
    }

    fn wait_for(self: &Arc<Self>, task: Arc<Task>, newer_than: Option<u64>, has_joined: bool) -> WaitFuture {
        WaitFuture::new(self.clone(), task, newer_than, has_joined)
    }
}

/// Looks up a token that is newer than `newer_than`.
fn lookup(locked: &LockedState, newer_than: Option<u64>) -> Lookup<Arc<Task>> {
    let (state, now) = (&locked.state, clock::now());
    match state.lookup(now) {
        Lookup::Valid(token) if !token.is_newer_than(newer_than) => {
            match (state.running_task(), state.backoff_error(now)) {
                (Some(task), _) => Lookup::Refreshing(task.clone()),
                (None, Some(error)) => Lookup::Failed(error.clone()),
                // No refresh may start now, for example because `RejectionBackoff` did not permit it. So the token stays in use.
                (None, None) => Lookup::Valid(token),
            }
        }
        found => found,
    }
}

pub(super) fn failed(kind: ErrorKind) -> Acquire {
    Acquire::Failed(CachedError::for_one_caller(Error::new(kind, "")))
}
