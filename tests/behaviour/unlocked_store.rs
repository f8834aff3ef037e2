//! A store whose lock does not protect its entries, to test processes that have lost the lock.

use tokio::sync::watch;
use tower::BoxError;
use tower_oauth2::store::{Entry, Key, MemoryStore, TokenStore};

/// Takes the lock of another key. Another process can save in the inner store while the lock is held.
#[derive(Clone, Default)]
pub(crate) struct UnlockedStore(pub(crate) MemoryStore);

impl TokenStore for UnlockedStore {
    type Lock = <MemoryStore as TokenStore>::Lock;

    async fn lock(&self, key: &Key) -> Result<Self::Lock, BoxError> {
        self.0.lock(&key.clone().subject("lock")).await
    }

    async fn load(&self, key: &Key) -> Result<Option<Entry>, BoxError> {
        self.0.load(key).await
    }

    async fn save(&self, key: &Key, entry: &Entry, _lock: &mut Self::Lock) -> Result<(), BoxError> {
        let mut lock = self.0.lock(key).await?;
        self.0.save(key, entry, &mut lock).await
    }

    async fn clear(&self, key: &Key, generation: u64) -> Result<(), BoxError> {
        self.0.clear(key, generation).await
    }

    fn changes(&self, key: &Key) -> Option<watch::Receiver<Option<Entry>>> {
        self.0.changes(key)
    }
}
