//! Stores tokens in memory, for the lifetime of the process.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, watch};

use super::store_error::StoreError;
use super::{Entry, Key, TokenStore};
use crate::error::BoxError;
use crate::sync::{Mutex, lock};

/// The default of [`MemoryStore::max_entries`].
const MAX_ENTRIES: usize = 10_000;

/// A store in memory, for several layers of one process that share their logins, and for tests. Clones share the entries.
///
/// It keeps at most [`max_entries`](Self::max_entries) and evicts the least recently used entries.
///
/// ```
/// use tower_oauth2::{OAuth2Layer, client::Client, grant::ClientCredentials, store::MemoryStore};
///
/// # fn main() -> Result<(), tower_oauth2::Error> {
/// let store = MemoryStore::new();
/// let client = Client::basic("id", "secret");
/// let grant = ClientCredentials::new("https://auth.example.com/token", client)?;
/// // Two layers with different options share one token request.
/// let reader = OAuth2Layer::new(grant.clone().persisted(store.clone())).origin("https://read.example.com")?;
/// let writer = OAuth2Layer::new(grant.persisted(store)).origin("https://write.example.com")?;
/// # let _ = (reader, writer);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Mutex<Slots>>);

struct Slots {
    by_key: HashMap<Key, Slot>,
    max_entries: usize,
    /// The number of accesses so far.
    accesses: u64,
}

struct Slot {
    state: Arc<EntryState>,
    /// The number of its last access.
    last_access: u64,
}

/// The entry and the lock that belong to one key. They are in use while another reference or a receiver of changes exists.
struct EntryState {
    entry: watch::Sender<Option<Entry>>,
    lock: Arc<AsyncMutex<()>>,
}

/// The lock of one entry of a [`MemoryStore`], released on drop.
pub struct MemoryLock {
    // Dropped in this order, so that the lock is free once the slot counts as unused.
    _guard: OwnedMutexGuard<()>,
    _state: Arc<EntryState>,
}

impl MemoryStore {
    /// Creates an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the maximum number of entries, for all clones. The default is 10 000.
    ///
    /// Beyond it, the least recently used entries are evicted. Their logins are lost, as at the end of the process. An entry is not
    /// evicted while a layer uses it or its lock is held, so the store can exceed the maximum. Zero counts as one.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower::BoxError> {
    /// use tower_oauth2::{Token, store::{Entry, Key, MemoryStore, TokenStore}};
    ///
    /// let store = MemoryStore::new().max_entries(2);
    /// let key = |subject: &str| Key::new("https://auth.example.com/token", "app").subject(subject);
    /// for subject in ["alice", "bob", "carol"] {
    ///     let mut lock = store.lock(&key(subject)).await?;
    ///     store.save(&key(subject), &Entry::new(Token::bearer(subject)?, 1), &mut lock).await?;
    /// }
    /// assert!(store.load(&key("alice")).await?.is_none());
    /// assert!(store.load(&key("carol")).await?.is_some());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn max_entries(self, max: usize) -> Self {
        let mut slots = lock(&self.0);
        slots.max_entries = max.max(1);
        slots.evict();
        drop(slots);
        self
    }

    /// Returns the state of a key, and creates it if it is missing.
    fn slot(&self, key: &Key) -> Arc<EntryState> {
        lock(&self.0).take(key)
    }

    /// Returns the state of a key, if there is one.
    fn find(&self, key: &Key) -> Option<Arc<EntryState>> {
        lock(&self.0).find(key)
    }
}

impl TokenStore for MemoryStore {
    type Lock = MemoryLock;

    async fn lock(&self, key: &Key) -> Result<Self::Lock, BoxError> {
        let state = self.slot(key);
        Ok(MemoryLock { _guard: state.lock.clone().lock_owned().await, _state: state })
    }

    async fn try_lock(&self, key: &Key) -> Result<Option<Self::Lock>, BoxError> {
        let state = self.slot(key);
        let guard = state.lock.clone().try_lock_owned().ok();
        Ok(guard.map(|guard| MemoryLock { _guard: guard, _state: state }))
    }

    async fn load(&self, key: &Key) -> Result<Option<Entry>, BoxError> {
        Ok(self.find(key).and_then(|state| state.entry.borrow().clone()))
    }

    async fn save(&self, key: &Key, entry: &Entry, _lock: &mut Self::Lock) -> Result<(), BoxError> {
        let mut outcome = Ok(());
        self.slot(key).entry.send_if_modified(|stored| {
            outcome = match stored {
                None if entry.is_refresh() => Err("the entry was cleared by a logout"),
                Some(stored) if entry.is_outdated_by(stored) => Err("the stored token is not older than this one"),
                _ => Ok(()),
            };
            if outcome.is_ok() {
                *stored = Some(entry.clone());
            }
            outcome.is_ok()
        });
        outcome.map_err(StoreError::boxed)
    }

    async fn clear(&self, key: &Key, generation: u64) -> Result<(), BoxError> {
        if let Some(state) = self.find(key) {
            state.entry.send_if_modified(|entry| entry.take_if(|entry| entry.generation <= generation).is_some());
        }
        lock(&self.0).remove_empty(key);
        Ok(())
    }

    fn changes(&self, key: &Key) -> Option<watch::Receiver<Option<Entry>>> {
        Some(self.slot(key).entry.subscribe())
    }
}

// ===== impl Slots =====

impl Slots {
    fn find(&mut self, key: &Key) -> Option<Arc<EntryState>> {
        self.accesses += 1;
        let slot = self.by_key.get_mut(key)?;
        slot.last_access = self.accesses;
        Some(slot.state.clone())
    }

    fn take(&mut self, key: &Key) -> Arc<EntryState> {
        if let Some(found) = self.find(key) {
            return found;
        }
        let state = Arc::new(EntryState { entry: watch::Sender::new(None), lock: Arc::default() });
        self.by_key.insert(key.clone(), Slot { state: state.clone(), last_access: self.accesses });
        self.evict();
        state
    }

    /// Evicts entries beyond the maximum, and some more, so that not every new key has to scan all entries.
    fn evict(&mut self) {
        if self.by_key.len() <= self.max_entries {
            return;
        }
        self.by_key.retain(|_, slot| slot.is_in_use() || !slot.is_empty());
        let excess = self.by_key.len().saturating_sub(self.max_entries);
        if excess == 0 {
            return;
        }
        let mut unused: Vec<u64> =
            self.by_key.values().filter(|slot| !slot.is_in_use()).map(|slot| slot.last_access).collect();
        unused.sort_unstable();
        if let Some(last) = unused.get(excess + self.max_entries / 16 - 1).or(unused.last()).copied() {
            self.by_key.retain(|_, slot| slot.is_in_use() || slot.last_access > last);
        }
    }

    fn remove_empty(&mut self, key: &Key) {
        if self.by_key.get(key).is_some_and(|slot| slot.is_empty() && !slot.is_in_use()) {
            self.by_key.remove(key);
        }
    }
}

impl Default for Slots {
    fn default() -> Self {
        Self { by_key: HashMap::new(), max_entries: MAX_ENTRIES, accesses: 0 }
    }
}

// ===== impl Slot =====

impl Slot {
    /// Returns whether a reference exists. The caller holds the lock of all slots, so no new reference can appear meanwhile.
    fn is_in_use(&self) -> bool {
        Arc::strong_count(&self.state) > 1 || self.state.entry.receiver_count() > 0
    }

    fn is_empty(&self) -> bool {
        self.state.entry.borrow().is_none()
    }
}

/// Prints the number of keys only.
impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("keys", &lock(&self.0).by_key.len()).finish()
    }
}

impl fmt::Debug for MemoryLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryLock").finish_non_exhaustive()
    }
}
