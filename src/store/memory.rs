//! A store that ends with the process.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use tokio::sync::{Mutex as Turn, OwnedMutexGuard, watch};

use super::{Entry, Key, TokenStore};
use crate::error::BoxError;
use crate::sync::{Mutex, lock};

/// Keeps tokens in memory: for several layers of one process that share their logins, and for tests. Clones are the same store.
///
/// ```
/// use tower_oauth2::{OAuth2Layer, client::Client, grant::ClientCredentials, store::MemoryStore};
///
/// # fn main() -> Result<(), tower_oauth2::Error> {
/// let store = MemoryStore::new();
/// let client = Client::basic("id", "secret");
/// let grant = ClientCredentials::new("https://auth.example.com/token", client)?;
/// // Two layers, each with options of its own, and one token call between them.
/// let reader = OAuth2Layer::new(grant.clone().persisted(store.clone())).origin("https://read.example.com")?;
/// let writer = OAuth2Layer::new(grant.persisted(store)).origin("https://write.example.com")?;
/// # let _ = (reader, writer);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct MemoryStore {
    shelves: Arc<Mutex<HashMap<Key, Shelf>>>,
}

/// What there is for one key.
#[derive(Clone)]
struct Shelf {
    entry: watch::Sender<Option<Entry>>,
    turn: Arc<Turn<()>>,
}

/// The turn to renew one entry of a [`MemoryStore`]; the next one has theirs when it is dropped.
#[derive(Debug)]
pub struct MemoryLock {
    /// The lock goes with its guard.
    _turn: OwnedMutexGuard<()>,
}

impl MemoryStore {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    fn shelf(&self, key: &Key) -> Shelf {
        let empty = || Shelf { entry: watch::Sender::new(None), turn: Arc::default() };
        lock(&self.shelves).entry(key.clone()).or_insert_with(empty).clone()
    }
}

impl TokenStore for MemoryStore {
    type Lock = MemoryLock;

    async fn lock(&self, key: &Key) -> Result<Self::Lock, BoxError> {
        Ok(MemoryLock { _turn: self.shelf(key).turn.lock_owned().await })
    }

    async fn load(&self, key: &Key) -> Result<Option<Entry>, BoxError> {
        Ok(self.shelf(key).entry.borrow().clone())
    }

    async fn save(&self, key: &Key, entry: &Entry, _lock: &mut Self::Lock) -> Result<(), BoxError> {
        self.shelf(key).entry.send_replace(Some(entry.clone()));
        Ok(())
    }

    async fn clear(&self, key: &Key, generation: u64) -> Result<(), BoxError> {
        self.shelf(key).entry.send_if_modified(|entry| entry.take_if(|entry| entry.generation <= generation).is_some());
        Ok(())
    }

    fn changes(&self, key: &Key) -> Option<watch::Receiver<Option<Entry>>> {
        Some(self.shelf(key).entry.subscribe())
    }
}

/// Tells how many entries there are, and nothing of them.
impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("keys", &lock(&self.shelves).len()).finish()
    }
}
