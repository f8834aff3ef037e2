//! The state that a persisted grant keeps for one token cell. Several cells may share a grant.

use std::future::pending;
use std::ptr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::clock;
use crate::grant::{Context, TokenSink};
use crate::observe::WeakRecorder;
use crate::store::Entry;
use crate::sync::{Mutex, lock};
use crate::token::StoredAs;

/// The state that belongs to one cell.
pub(super) struct Session {
    /// The newest version that was loaded from the store, or saved.
    last_seen: Mutex<Option<StoredAs>>,
    /// The newest entry that this cell is saving or has saved. The store reports it like an entry of another process.
    own_entry: Mutex<Option<Entry>>,
    /// The number of refreshes. A new refresh ends the superseded login and the background save of the previous one.
    refreshes: watch::Sender<u64>,
    watch_task: Mutex<Option<TaskGuard>>,
    /// The recorder of the running refresh.
    recorder: Mutex<WeakRecorder>,
}

type CellSession = (Weak<dyn TokenSink>, Arc<Session>);

/// The sessions that a grant has, by their cells.
#[derive(Default)]
pub(super) struct Sessions {
    of_cells: Mutex<Vec<CellSession>>,
    /// The session of callers without a cell.
    without_cell: Arc<Session>,
}

/// Aborts a task when it is dropped.
pub(super) struct TaskGuard(JoinHandle<()>);

// ===== impl Sessions =====

impl Sessions {
    /// Returns the session of the caller's cell, and removes the sessions of cells that were dropped.
    pub(super) fn of(&self, cx: &Context) -> Arc<Session> {
        let Some(sink) = cx.sink() else { return self.without_cell.clone() };
        let mut sessions = lock(&self.of_cells);
        let (mut kept, dropped): (Vec<_>, Vec<_>) =
            std::mem::take(&mut *sessions).into_iter().partition(|(sink, _)| sink.strong_count() > 0);
        let found = kept.iter().find(|(other, _)| ptr::addr_eq(other.as_ptr(), sink.as_ptr()));
        let session = found.map(|(_, session)| session.clone()).unwrap_or_else(|| {
            let session = Arc::<Session>::default();
            kept.push((sink.clone(), session.clone()));
            session
        });
        *sessions = kept;
        drop(sessions);
        // Dropped without the lock, because sessions can own user code.
        drop(dropped);
        session
    }

    /// Ends the background saves of all cells, but no login.
    pub(super) fn end_saves(&self) {
        // Notifies `next_refresh` without changing the number, for which `superseded` waits.
        self.without_cell.refreshes.send_modify(|_| ());
        for (_, session) in lock(&self.of_cells).iter() {
            session.refreshes.send_modify(|_| ());
        }
    }
}

// ===== impl Session =====

impl Session {
    pub(super) fn last_seen(&self) -> Option<StoredAs> {
        *lock(&self.last_seen)
    }

    /// Records a version that was saved or loaded.
    pub(super) fn record_seen(&self, stored_as: StoredAs) {
        let mut last_seen = lock(&self.last_seen);
        if last_seen.is_none_or(|seen| stored_as.version > seen.version) {
            *last_seen = Some(stored_as);
        }
    }

    pub(super) fn own_entry(&self) -> Option<Entry> {
        lock(&self.own_entry).clone()
    }

    /// Records an entry before it is saved, because the store reports it at once.
    pub(super) fn set_own_entry(&self, entry: Entry) {
        let former = lock(&self.own_entry).replace(entry);
        drop(former);
    }

    pub(super) fn recorder(&self) -> WeakRecorder {
        lock(&self.recorder).clone()
    }

    pub(super) fn set_recorder(&self, recorder: &WeakRecorder) {
        *lock(&self.recorder) = recorder.clone();
    }

    pub(super) fn is_watching(&self) -> bool {
        lock(&self.watch_task).as_ref().is_some_and(TaskGuard::is_running)
    }

    pub(super) fn set_watch_task(&self, task: Option<TaskGuard>) {
        let former = std::mem::replace(&mut *lock(&self.watch_task), task);
        drop(former);
    }

    /// Returns a receiver that is notified when the next refresh starts. That refresh waits until the receiver is dropped.
    pub(super) fn next_refresh(&self) -> watch::Receiver<u64> {
        self.refreshes.subscribe()
    }

    /// Resolves when this cell starts another refresh, so that the result of the current one has no effect any more.
    pub(super) fn superseded(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut refreshes = self.refreshes.subscribe();
        let started = *refreshes.borrow();
        async move {
            if refreshes.wait_for(|refreshes| *refreshes != started).await.is_err() {
                pending().await
            }
        }
    }

    /// Ends the superseded login or the background save of an earlier refresh. Waits until it has released the lock, for at most `limit`.
    pub(super) async fn end_earlier_refresh(&self, limit: Duration) {
        self.refreshes.send_modify(|refreshes| *refreshes += 1);
        if self.refreshes.receiver_count() > 0 {
            clock::within(limit, self.refreshes.closed()).await;
        }
    }
}

impl Default for Session {
    fn default() -> Self {
        Self {
            last_seen: Mutex::default(),
            own_entry: Mutex::default(),
            refreshes: watch::Sender::default(),
            watch_task: Mutex::new(None),
            recorder: Mutex::new(WeakRecorder::none()),
        }
    }
}

// ===== impl TaskGuard =====

impl TaskGuard {
    /// Spawns a task. Returns `None` if there is no runtime.
    pub(super) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> Option<Self> {
        let runtime = tokio::runtime::Handle::try_current().ok()?;
        Some(Self(runtime.spawn(task)))
    }

    fn is_running(&self) -> bool {
        !self.0.is_finished()
    }
}

impl Drop for TaskGuard {
    fn drop(&mut self) {
        self.0.abort();
    }
}
