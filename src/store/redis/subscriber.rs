//! Notifications of entries that other processes save: one connection and one task per store, as long as there are receivers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::entries::Entries;
use crate::store::{Entry, Key};
use crate::sync::{Mutex, lock};
use crate::{clock, random};

/// After this time without a message, the connection is checked with a ping.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// The initial and the maximum wait before reconnecting, with up to 50 % jitter.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

#[derive(Clone, Default)]
pub(super) struct Subscriptions(Arc<Mutex<SubscriptionMap>>);

#[derive(Default)]
struct SubscriptionMap {
    /// By the id of the key, which is the content of the messages.
    by_id: HashMap<String, Subscription>,
    listener: Option<JoinHandle<()>>,
}

/// The receivers that get the newest entry of a key.
struct Subscription {
    key: Key,
    sender: Arc<watch::Sender<Option<Entry>>>,
    closing: JoinHandle<()>,
}

impl Subscriptions {
    /// Returns a receiver for the entries of this key, or `None` if there is no runtime.
    pub(super) fn subscribe(&self, entries: &Entries, key: &Key) -> Option<watch::Receiver<Option<Entry>>> {
        let runtime = Handle::try_current().ok()?;
        let mut state = lock(&self.0);
        let subscription = state.by_id.entry(key.id().to_owned()).or_insert_with(|| {
            let sender = Arc::new(watch::Sender::new(None));
            Subscription {
                key: key.clone(),
                closing: runtime.spawn(self.clone().close(key.clone(), sender.clone())),
                sender,
            }
        });
        let receiver = subscription.sender.subscribe();
        // The runtime of the task may have shut down.
        if subscription.closing.is_finished() {
            subscription.closing = runtime.spawn(self.clone().close(key.clone(), subscription.sender.clone()));
        }
        if state.listener.as_ref().is_none_or(JoinHandle::is_finished) {
            state.listener = Some(runtime.spawn(self.clone().run(entries.clone())));
        }
        Some(receiver)
    }

    /// Waits until all receivers are dropped, and removes the subscription. The last one to be removed ends the listener.
    async fn close(self, key: Key, sender: Arc<watch::Sender<Option<Entry>>>) {
        loop {
            sender.closed().await;
            let mut state = lock(&self.0);
            // Checked under the lock, because a new receiver may have been created.
            if sender.receiver_count() == 0 {
                state.by_id.remove(key.id());
                if state.by_id.is_empty()
                    && let Some(listener) = state.listener.take()
                {
                    listener.abort();
                }
                return;
            }
        }
    }

    async fn run(self, entries: Entries) {
        let (initial, max) = RECONNECT;
        let mut wait = initial;
        loop {
            if let Ok(mut pubsub) = entries.connection.subscribe(&entries.commands.channel()).await {
                wait = initial;
                // Messages that were published while the connection was lost are missing, so all entries are loaded.
                let mut pending: Vec<String> = lock(&self.0).by_id.keys().cloned().collect();
                loop {
                    pending = self.update(&entries, pending).await;
                    match clock::within(PING_INTERVAL, pubsub.next()).await {
                        Some(Some(id)) => pending.push(id),
                        Some(None) => break,
                        None if pubsub.is_connected().await => {}
                        None => break,
                    }
                }
            }
            clock::sleep(wait.mul_f64(1.0 - random::unit() / 2.0)).await;
            wait = (wait * 2).min(max);
        }
    }

    /// Loads the entries with these ids and sends them to their receivers. Returns the ids of entries that could not be loaded.
    async fn update(&self, entries: &Entries, ids: Vec<String>) -> Vec<String> {
        let mut pending = Vec::new();
        for id in ids {
            let Some((key, sender)) = self.subscription(&id) else { continue };
            match entries.load(&key).await {
                Ok(entry) => {
                    sender.send_if_modified(|current| {
                        let modified = *current != entry;
                        *current = entry;
                        modified
                    });
                }
                Err(_) if pending.contains(&id) => {}
                Err(_) => pending.push(id),
            }
        }
        pending
    }

    fn subscription(&self, id: &str) -> Option<(Key, Arc<watch::Sender<Option<Entry>>>)> {
        lock(&self.0).by_id.get(id).map(|subscription| (subscription.key.clone(), subscription.sender.clone()))
    }
}
