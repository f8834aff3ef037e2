//! Implements `flush`, which waits for running refreshes, and `keep_fresh`, which refreshes a token while no request is sent.

use std::future::poll_fn;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use super::acquire::Acquire;
use super::cached::Freshness;
use super::reentrancy::is_reentrant;
use super::refresh_task::Progress;
use super::token_cell::{Task, TokenCell};
use super::wait_future::Waited;
use super::waiters::Wakeup;
use crate::clock::{self, Timer};
use crate::grant::Reason;
use crate::sync::{Ordering, lock};

/// The maximum sleep before the clocks are read again. A timer uses only the monotonic clock, which stops while the machine sleeps.
const MAX_SLEEP: Duration = Duration::from_secs(60);

/// The minimum interval between two refreshes, even if tokens have expired when they arrive.
const MIN_PAUSE: Duration = Duration::from_secs(1);

/// The next step of keeping a token fresh.
enum NextStep {
    /// Wait for a change of the cell, for at most this long.
    Wait(Option<Duration>),
    /// Wait for the running refresh task, and poll it: without a runtime, this may be its only waiter.
    Poll(Arc<Task>),
    Refresh,
}

impl TokenCell {
    /// Waits until no refresh and no save is running.
    pub(crate) async fn flush(self: &Arc<Self>) {
        let mut wakeup = self.waiters.subscribe();
        poll_fn(|cx| {
            loop {
                // Inside the grant of this cell, waiting for the running refresh would deadlock.
                if self.in_flight.load(Ordering::SeqCst) == 0 || is_reentrant(self.id()) {
                    return Poll::Ready(());
                }
                let task = lock(&self.locked).state.running_task().cloned();
                let polled = match task {
                    Some(task) => poll_task(&task, &mut wakeup, cx),
                    None => wakeup.poll(cx),
                };
                if polled.is_pending() {
                    return Poll::Pending;
                }
            }
        })
        .await;
    }

    /// Returns the generation of the newest token, even if it must not be sent.
    fn newest_generation(&self) -> Option<u64> {
        lock(&self.locked).state.newest().map(|token| token.generation)
    }

    fn next_step(&self) -> NextStep {
        let locked = lock(&self.locked);
        let (state, now) = (&locked.state, clock::now());
        let Some(newest) = state.newest() else { return NextStep::Wait(None) };
        if let Some(error) = state.backoff_error(now) {
            return NextStep::Wait(error.remaining(now).map(|left| left.min(MAX_SLEEP)));
        }
        match (state.current().map(|token| token.freshness(|| now)), state.running_task()) {
            (Some(Freshness::Fresh), _) => NextStep::Wait(newest.fresh_for(now).map(|left| left.min(MAX_SLEEP))),
            (_, Some(task)) => NextStep::Poll(task.clone()),
            (_, None) => NextStep::Refresh,
        }
    }

    /// Returns how long to pause after a failed refresh: until the end of the back-off.
    fn pause_after_failure(&self) -> Duration {
        match self.next_step() {
            NextStep::Wait(Some(left)) => left.clamp(MIN_PAUSE, MAX_SLEEP),
            // The error is not cached, or its back-off is zero. The next attempt must not follow at once.
            _ => MAX_SLEEP,
        }
    }
}

/// Keeps the token fresh until the cell is dropped.
pub(super) async fn keep_fresh(weak: Weak<TokenCell>) {
    let Some(mut wakeup) = weak.upgrade().map(|cell| cell.waiters.subscribe()) else { return };
    while let Some(next) = weak.upgrade().map(|cell| cell.next_step()) {
        match next {
            NextStep::Wait(limit) => wait(&mut wakeup, limit).await,
            NextStep::Poll(task) => poll_fn(|cx| poll_task(&task, &mut wakeup, cx)).await,
            NextStep::Refresh => refresh_and_pause(&weak, &mut wakeup).await,
        }
    }
}

/// Refreshes the token, and then pauses, so that the next refresh does not follow at once. Returns early if the cell was dropped.
async fn refresh_and_pause(weak: &Weak<TokenCell>, wakeup: &mut Wakeup) {
    let Some(cell) = weak.upgrade() else { return };
    let acquired = cell.start_refresh(Reason::Proactive, None, None);
    let before = cell.newest_generation();
    drop(cell);
    let has_token = match acquired {
        Acquire::Wait(wait_future) => matches!(wait_future.await, Waited::Token(_)),
        Acquire::Token(_) => true,
        Acquire::Failed(_) => false,
    };
    let Some(cell) = weak.upgrade() else { return };
    // The change that this refresh made must not end the pause.
    *wakeup = cell.waiters.subscribe();
    let newest = cell.newest_generation();
    // The wait may have failed although another call has replaced the token.
    let is_refreshed = has_token || newest != before;
    let limit = if is_refreshed { MIN_PAUSE } else { cell.pause_after_failure() };
    drop(cell);
    let must_wait = |cell: Arc<TokenCell>| is_refreshed || cell.newest_generation() == newest;
    pause(wakeup, limit, || weak.upgrade().is_some_and(must_wait)).await;
}

/// Waits for a change of the cell, for at most `limit`.
async fn wait(wakeup: &mut Wakeup, limit: Option<Duration>) {
    let mut timer = limit.map(Timer::new);
    poll_fn(|cx| {
        let timer = timer.as_mut().map_or(Poll::Pending, |timer| timer.poll(cx));
        either(wakeup.poll(cx), timer)
    })
    .await;
}

/// Polls the task, unless a runtime does, and then waits for a change of the cell.
fn poll_task(task: &Arc<Task>, wakeup: &mut Wakeup, cx: &mut Context<'_>) -> Poll<()> {
    if task.poll_as_waiter() == Progress::Yielded {
        cx.waker().wake_by_ref();
        return Poll::Pending;
    }
    wakeup.poll(cx)
}

/// Waits for `limit`, or until a change of the cell after which `must_wait` returns false. A failed refresh of another caller does not
/// end the pause: otherwise two of these futures would start refreshes alternately, without a pause.
async fn pause(wakeup: &mut Wakeup, limit: Duration, must_wait: impl Fn() -> bool) {
    let mut timer = Timer::new(limit);
    poll_fn(|cx| {
        while wakeup.poll(cx).is_ready() {
            if !must_wait() {
                return Poll::Ready(());
            }
        }
        timer.poll(cx)
    })
    .await;
}

fn either(one: Poll<()>, other: Poll<()>) -> Poll<()> {
    if one.is_ready() { one } else { other }
}
