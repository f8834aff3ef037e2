//! Starts refresh tasks, and applies their results to the state. Also implements the changes that handles make: `set`, `forget` and others.

use std::sync::{Arc, Weak};

use super::attempt::{Attempt, Trigger};
use super::cached::Freshness;
use super::decisions::{Completion, OfferOutcome};
use super::reentrancy::{is_reentrant, run_grant};
use super::registry::sequence_number;
use super::token_cell::{CellState, Options, Task, TokenCell};
use super::watchdog::Watchdog;
use crate::error::{Error, ErrorKind};
use crate::grant::{Context, StallTimeout, TokenSink};
use crate::observe::{CallerSpan, Event, FinishedRefresh, RefreshRecorder};
use crate::sync::{Ordering, lock};
use crate::token::Token;
use crate::transport::{Rotation, Transport};

/// Counts a running refresh task until it is dropped.
struct InFlightGuard(Weak<TokenCell>);

impl TokenCell {
    /// Creates a refresh task and stores it in the state. The caller holds the lock, and calls [`spawn_task`](Self::spawn_task) after
    /// releasing it.
    pub(super) fn new_task(
        self: &Arc<Self>,
        state: &mut CellState,
        options: &Options,
        trigger: impl Into<Trigger>,
        transport: Transport,
        caller: CallerSpan,
    ) -> Arc<Task> {
        let attempt = state.new_attempt(trigger);
        let cause = state.cause(attempt.reason);
        let (id, grant, observer) = (self.id(), self.grant.clone(), self.observer.clone());
        let (limits, stall_timeout) = (options.limits, StallTimeout::new(options.limits.timeout));
        // Weak, because the cell owns the task. A strong reference would be a cycle.
        let cell = Arc::downgrade(self);
        let (in_flight, is_tenant) = (InFlightGuard::start(self), self.is_tenant());
        let task = Task::new(self.waiters.clone(), stall_timeout.clone(), attempt.clone(), move |task| {
            Box::pin(async move {
                let _in_flight = in_flight;
                // Created at the first poll, because the task is created with the lock held, and a recorder can run user code.
                let recorder = RefreshRecorder::start(observer, cause, caller);
                let rotation = Rotation::default();
                let transport = transport.for_refresh_task(limits, recorder.downgrade()).with_rotation(&rotation);
                let context = Context::new(transport)
                    .with_previous(attempt.previous.clone())
                    .with_reason(attempt.reason)
                    .with_challenge(attempt.challenge.clone())
                    .with_demand(attempt.demand.clone())
                    .with_intervention(attempt.intervention)
                    .with_sink(cell.clone())
                    .with_tenant(is_tenant)
                    .with_stall_timeout(stall_timeout);
                let work = async {
                    let result = run_grant(id, grant, context).await;
                    if let Some(cell) = cell.upgrade() {
                        cell.complete(&attempt, &task, result, &rotation, &recorder);
                    }
                };
                recorder.run(work).await;
            })
        });
        state.start(task.clone());
        task
    }

    /// Spawns a new task if there is a runtime, and starts its watchdog.
    pub(super) fn spawn_task(self: &Arc<Self>, task: &Arc<Task>) {
        task.spawn();
        let cell = Arc::downgrade(self);
        Watchdog::watch(task, move |task| {
            if let Some(cell) = cell.upgrade() {
                cell.cancel_stalled(task);
            }
        });
    }

    /// Spawns a new task that no caller waits for yet.
    pub(super) fn start_task(self: &Arc<Self>, task: &Arc<Task>) {
        self.spawn_task(task);
        // Without a runtime, the waiters poll the task. The first poll sends the token request.
        task.poll_work(1);
    }

    fn complete(
        self: &Arc<Self>,
        attempt: &Attempt,
        task: &Weak<Task>,
        result: Result<Token, Error>,
        rotation: &Rotation,
        recorder: &RefreshRecorder,
    ) {
        let (completion, is_superseded) = self.update(|state, _, now, inputs| {
            let is_superseded = state.is_superseded(attempt);
            let is_running = state.running_task().is_some_and(|running| Arc::as_ptr(running) == task.as_ptr());
            if result.is_err() {
                state.rotate(|sent| rotation.replacement(sent));
            }
            let completion = state.complete(attempt, is_running, result, now, inputs);
            // Set while the lock is held, so that waiters find either the running task or its outcome.
            if let (Completion::Applied(outcome), Some(task)) = (&completion, task.upgrade()) {
                task.set_outcome(outcome.clone());
            }
            (completion, is_superseded)
        });
        let superseded = Error::new(ErrorKind::Timeout, "another attempt has replaced this one");
        recorder.finish(&FinishedRefresh {
            is_superseded: is_superseded || matches!(completion, Completion::Ignored(_)),
            result: match &completion {
                Completion::Applied(Ok(token)) => Ok((&token.token, sequence_number(token.generation))),
                Completion::Applied(Err(error)) => Err(&error.error),
                Completion::Ignored(_) => Err(&superseded),
            },
            has_valid_token: self.freshness() != Freshness::Stale,
        });
        self.start_waiting_challenge();
    }

    /// Cancels a task that makes no progress. Its waiters get an error, and the next refresh may start after the back-off.
    pub(super) fn cancel_stalled(&self, task: &Arc<Task>) {
        let error = || {
            let why = "the refresh made no progress for longer than the token timeout; the runtime that it runs in is idle or blocked";
            Error::new(ErrorKind::Timeout, why)
        };
        let cancelled = self.update(|state, _, now, inputs| {
            let is_running = state.running_task().is_some_and(|running| Arc::ptr_eq(running, task));
            is_running.then(|| {
                let error = state.cancel(task.attempt(), error(), now, inputs);
                task.set_outcome(Err(error.clone()));
                error
            })
        });
        if let Some(error) = cancelled {
            self.observer.record(&Event::RefreshStalled(&error.error));
        }
    }

    pub(super) fn set(&self, token: Token) {
        self.update(|state, _, now, inputs| state.set(token, now, inputs));
        self.observer.record(&Event::TokenSet);
    }

    pub(super) fn forget(&self) {
        self.update(|state, _, _, _| state.forget());
        self.observer.record(&Event::TokenForgotten);
    }

    /// Forgets the token of a cell that is dropped. Unlike after [`forget`](Self::forget), a request that waits uses the stored login.
    #[cfg(feature = "tenants")]
    pub(crate) fn discard(&self) {
        self.update(|state, _, _, _| state.discard());
        self.observer.record(&Event::TokenForgotten);
    }

    /// Waits until no refresh is running. Returns the token to revoke and the transport for the revocation request.
    pub(super) async fn token_to_revoke(self: &Arc<Self>) -> Result<Option<(Token, Transport)>, Error> {
        self.flush().await;
        let token = lock(&self.locked).state.newest().map(|newest| newest.token.clone());
        let Some(token) = token else { return Ok(None) };
        match self.transports.newest() {
            Some(transport) => Ok(Some((token, transport))),
            None => Err(Error::new(ErrorKind::NoTransport, "")),
        }
    }

    /// Forgets the token if it is still the newest and no refresh is running. Returns whether it was forgotten.
    pub(super) fn forget_if(&self, token: &Token) -> bool {
        let is_reentrant = is_reentrant(self.id());
        let forgotten = self.update(|state, _, _, _| {
            let is_idle = is_reentrant || state.running_task().is_none();
            let is_newest = is_idle && state.newest().is_some_and(|newest| newest.token.is_same(token));
            if is_newest {
                state.forget();
            }
            is_newest
        });
        if forgotten {
            self.observer.record(&Event::TokenForgotten);
        }
        forgotten
    }

    pub(super) fn invalidate(&self) {
        self.update(|state, _, _, _| state.invalidate());
        self.observer.record(&Event::TokenInvalidated);
    }

    /// Counts a refresh task or a save for [`flush`](Self::flush).
    fn begin_in_flight(&self) {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
    }

    fn end_in_flight(&self) {
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        self.waiters.wake_all();
    }
}

/// Adopts tokens that another process has saved. A running refresh continues.
impl TokenSink for TokenCell {
    fn offer(&self, token: Token) -> bool {
        let outcome = self.update(|state, _, now, inputs| state.offer(token, now, inputs));
        if outcome == OfferOutcome::Adopted {
            self.observer.record(&Event::TokenAdopted);
        }
        outcome != OfferOutcome::Ignored
    }

    fn save_started(&self) {
        self.begin_in_flight();
    }

    fn save_ended(&self) {
        self.end_in_flight();
    }
}

impl InFlightGuard {
    fn start(cell: &Arc<TokenCell>) -> Self {
        cell.begin_in_flight();
        Self(Arc::downgrade(cell))
    }
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        if let Some(cell) = self.0.upgrade() {
            cell.end_in_flight();
        }
    }
}
