//! The future of a caller that waits for a token.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::attempt::Trigger;
use super::cached::{CachedError, CachedToken};
use super::decisions::Lookup;
use super::refresh_task::Progress;
use super::token_cell::{Task, TokenCell};
use super::waiters::Wakeup;
use crate::clock;
use crate::grant::Reason;
use crate::observe::WaitGuard;
use crate::sync::lock;

/// The result of waiting.
pub(crate) enum Waited {
    Token(Arc<CachedToken>),
    Failed(CachedError),
    /// The awaited refresh was superseded. The caller must acquire a token again.
    Superseded,
}

/// Waits until the cell has a token for the caller, or the refresh has failed. It can be dropped at any time.
pub(crate) struct WaitFuture {
    cell: Arc<TokenCell>,
    task: Arc<Task>,
    /// Whether another caller had started the task.
    has_joined: bool,
    /// Tokens of this generation and older ones are ignored.
    newer_than: Option<u64>,
    wakeup: Wakeup,
    /// Reports the wait to logs and metrics. Created by the first poll that is pending.
    waiting: Option<WaitGuard>,
}

/// How often one poll checks the cell before it yields.
const MAX_CHECKS: usize = 16;

impl WaitFuture {
    pub(super) fn new(cell: Arc<TokenCell>, task: Arc<Task>, newer_than: Option<u64>, has_joined: bool) -> Self {
        let wakeup = cell.waiters.subscribe();
        Self { cell, task, has_joined, newer_than, wakeup, waiting: None }
    }

    /// Returns the task of the awaited refresh.
    pub(super) fn task(&self) -> &Arc<Task> {
        &self.task
    }

    /// Returns whether another caller had started the refresh, and for a reason other than `reason`.
    pub(super) fn has_joined_other_than(&self, reason: Reason) -> bool {
        self.has_joined && self.task.attempt().reason != reason
    }

    /// Returns whether the awaited refresh asks for all that the trigger demands.
    pub(super) fn asks_for(&self, trigger: &Trigger) -> bool {
        let asked = self.task.attempt().demand.as_ref();
        trigger.demand.as_ref().is_none_or(|demand| asked.is_some_and(|asked| asked.includes(demand)))
    }

    /// Returns whether the task has failed to obtain what challenges demand, and the caller needs just a valid token. The token in use has
    /// expired during the login of that task, and a refresh without a login may replace it.
    fn needs_less(&self) -> bool {
        let asked = self.task.attempt().demand.as_ref();
        self.newer_than.is_none() && self.has_joined && asked.is_some_and(|asked| !asked.is_first)
    }

    /// Returns the layer's limit for the wait of a request.
    pub(super) fn max_wait(&self) -> Option<Duration> {
        lock(&self.cell.locked).options.max_wait
    }

    /// Returns the result for the caller, or `None` if it has to wait.
    fn check(&self) -> Option<Waited> {
        let locked = lock(&self.cell.locked);
        let (state, now) = (&locked.state, clock::now());
        if let Lookup::Valid(token) = state.lookup(now)
            && token.is_newer_than(self.newer_than)
        {
            return Some(Waited::Token(token));
        }
        if let Some(token) = state.stale_on_arrival(self.task.attempt().generation, now) {
            return Some(Waited::Token(token.clone()));
        }
        if state.running_task().is_some_and(|running| Arc::ptr_eq(running, &self.task)) {
            return None;
        }
        Some(match self.task.outcome() {
            Some(Err(error)) if !error.is_hidden() && !self.needs_less() && state.still_applies(error, now) => {
                Waited::Failed(error.clone())
            }
            // If the task obtained a token, the token is no longer valid.
            _ => Waited::Superseded,
        })
    }
}

impl Future for WaitFuture {
    type Output = Waited;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Waited> {
        let mut task_ended_here = false;
        for _ in 0..MAX_CHECKS {
            if let Some(waited) = self.check() {
                if task_ended_here && matches!(waited, Waited::Superseded) {
                    // Yield, so that the caller acquires a token again only in its next poll. With a grant that forgets its own token, this
                    // poll would never end otherwise.
                    break;
                }
                self.waiting = None;
                return Poll::Ready(waited);
            }
            match self.task.poll_as_waiter() {
                Progress::Ended => {
                    task_ended_here = true;
                    continue;
                }
                Progress::Yielded => break,
                Progress::Pending => {}
            }
            if self.wakeup.poll(cx).is_pending() {
                if self.waiting.is_none() {
                    self.waiting = Some(WaitGuard::new(self.cell.observer.clone()));
                }
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
