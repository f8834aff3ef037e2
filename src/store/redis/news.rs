//! Hearing of what others save: one connection and one task per store, for as long as anybody listens.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::table::Table;
use crate::store::{Entry, Key};
use crate::sync::{Mutex, lock};
use crate::{clock, random};

/// After a quiet time of this length it is asked whether the server is still there.
const QUIET: Duration = Duration::from_secs(30);

/// The wait before the next connection, at first and at last, less up to half of it.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

#[derive(Clone, Default)]
pub(super) struct Newsroom(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// By the id of the key: that is what is published.
    boards: HashMap<String, Board>,
    listening: Option<JoinHandle<()>>,
}

/// Where the newest entry of a key is shown, to somebody.
struct Board {
    key: Key,
    shown: Arc<watch::Sender<Option<Entry>>>,
    closing: JoinHandle<()>,
}

impl Newsroom {
    /// What is shown of this key from now on; `None` where there is no runtime to listen in.
    pub(super) fn subscribe(&self, table: &Table, key: &Key) -> Option<watch::Receiver<Option<Entry>>> {
        let runtime = Handle::try_current().ok()?;
        let mut state = lock(&self.0);
        let board = state.boards.entry(key.id().to_owned()).or_insert_with(|| {
            let shown = Arc::new(watch::Sender::new(None));
            Board { key: key.clone(), closing: runtime.spawn(self.clone().close(key.clone(), shown.clone())), shown }
        });
        let receiver = board.shown.subscribe();
        // The runtime in which it was may be gone.
        if board.closing.is_finished() {
            board.closing = runtime.spawn(self.clone().close(key.clone(), board.shown.clone()));
        }
        if state.listening.as_ref().is_none_or(JoinHandle::is_finished) {
            state.listening = Some(runtime.spawn(self.clone().listen(table.clone())));
        }
        Some(receiver)
    }

    /// Waits until nobody looks at the board, and takes it down; with the last one the listening ends.
    async fn close(self, key: Key, shown: Arc<watch::Sender<Option<Entry>>>) {
        loop {
            shown.closed().await;
            let mut state = lock(&self.0);
            // Under the lock: somebody may just have come.
            if shown.receiver_count() == 0 {
                state.boards.remove(key.id());
                if state.boards.is_empty()
                    && let Some(listening) = state.listening.take()
                {
                    listening.abort();
                }
                return;
            }
        }
    }

    async fn listen(self, table: Table) {
        let (first, longest) = RECONNECT;
        let mut wait = first;
        loop {
            if let Ok(mut ear) = table.link.subscribe(&table.names.channel()).await {
                wait = first;
                // What was published while nobody listened is lost, so everything is looked at.
                let mut due: Vec<String> = lock(&self.0).boards.keys().cloned().collect();
                loop {
                    due = self.show(&table, due).await;
                    match clock::within(QUIET, ear.next()).await {
                        Some(Some(id)) => due.push(id),
                        Some(None) => break,
                        None if ear.is_connected().await => {}
                        None => break,
                    }
                }
            }
            clock::sleep(wait.mul_f64(1.0 - random::unit() / 2.0)).await;
            wait = (wait * 2).min(longest);
        }
    }

    /// Shows the entries with these ids; those that could not be read are still due.
    async fn show(&self, table: &Table, ids: Vec<String>) -> Vec<String> {
        let mut due = Vec::new();
        for id in ids {
            let Some((key, shown)) = self.board(&id) else { continue };
            match table.load(&key).await {
                Ok(entry) => {
                    shown.send_if_modified(|shown| {
                        let modified = *shown != entry;
                        *shown = entry;
                        modified
                    });
                }
                Err(_) if due.contains(&id) => {}
                Err(_) => due.push(id),
            }
        }
        due
    }

    fn board(&self, id: &str) -> Option<(Key, Arc<watch::Sender<Option<Entry>>>)> {
        lock(&self.0).boards.get(id).map(|board| (board.key.clone(), board.shown.clone()))
    }
}
