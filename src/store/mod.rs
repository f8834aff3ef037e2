//! Where tokens outlive the process, and where several processes share one login.
//!
//! | store | for |
//! | --- | --- |
//! | [`MemoryStore`] | several layers in one process, and tests |
//! | `FileStore` (feature `file-store`) | programs that start again, and several processes of one machine |
//! | `KeyringStore` (feature `keyring-store`) | programs on a person's machine |
//! | `RedisStore` (feature `redis-store`) | processes on several machines |
//! | any [`TokenStore`] | a database of your own |
//!
//! A store keeps one [`Entry`] for each [`Key`]. [`Persisted`](crate::grant::Persisted) reads and writes it, under the store's
//! lock: see [stores](crate::docs::stores) for the protocol, and for what is promised when what fails.

mod entry;
#[cfg(feature = "file-store")]
mod file;
mod key;
#[cfg(feature = "keyring-store")]
mod keyring;
mod memory;
#[cfg(feature = "redis-store")]
mod redis;
#[cfg(feature = "redis-store")]
mod sealed;

use std::future::Future;

use tokio::sync::watch;

use crate::error::BoxError;

pub use self::entry::Entry;
#[cfg(feature = "file-store")]
pub use self::file::{FileLock, FileStore};
pub use self::key::Key;
#[cfg(feature = "keyring-store")]
pub use self::keyring::{KeyringLock, KeyringStore};
pub use self::memory::{MemoryLock, MemoryStore};
#[cfg(feature = "redis-store")]
pub use self::redis::{RedisLease, RedisStore};

/// A place where tokens outlive the process.
///
/// Four operations on one [`Entry`] per [`Key`]:
///
/// | | what it does |
/// | --- | --- |
/// | [`lock`](TokenStore::lock) | waits until it is this caller's turn to renew the entry, among all processes that share it |
/// | [`load`](TokenStore::load) | reads the entry, with the lock or without |
/// | [`save`](TokenStore::save) | writes it, with the lock |
/// | [`clear`](TokenStore::clear) | removes it, if it is still the one that was meant |
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::{Arc, Mutex};
/// use tower::BoxError;
/// use tower_oauth2::store::{Entry, Key, TokenStore};
///
/// /// A table of a database: a row per key, with the entry as JSON.
/// #[derive(Clone, Default)]
/// struct Table {
///     rows: Arc<Mutex<HashMap<String, String>>>,
///     turn: Arc<tokio::sync::Mutex<()>>,
/// }
///
/// impl TokenStore for Table {
///     type Lock = tokio::sync::OwnedMutexGuard<()>;
///
///     async fn lock(&self, _key: &Key) -> Result<Self::Lock, BoxError> {
///         // In a database: `SELECT … FOR UPDATE`, or an advisory lock.
///         Ok(self.turn.clone().lock_owned().await)
///     }
///
///     async fn load(&self, key: &Key) -> Result<Option<Entry>, BoxError> {
///         let row = self.rows.lock().unwrap().get(key.id()).cloned();
///         Ok(row.map(|row| serde_json::from_str(&row)).transpose()?)
///     }
///
///     async fn save(&self, key: &Key, entry: &Entry, _lock: &mut Self::Lock) -> Result<(), BoxError> {
///         self.rows.lock().unwrap().insert(key.id().to_owned(), serde_json::to_string(entry)?);
///         Ok(())
///     }
///
///     async fn clear(&self, key: &Key, generation: u64) -> Result<(), BoxError> {
///         let mut rows = self.rows.lock().unwrap();
///         let stored = rows.get(key.id()).map(|row| serde_json::from_str::<Entry>(row)).transpose()?;
///         if stored.is_some_and(|stored| stored.generation <= generation) {
///             rows.remove(key.id());
///         }
///         Ok(())
///     }
/// }
/// ```
///
/// # Errors
///
/// An error of a store never costs a login: the token that is in memory goes on serving, and after its end the store is asked again.
/// So an error has to mean *I do not know*, and `Ok(None)` *there is none*.
///
/// # Security
///
/// An entry holds the access token and the refresh token in the clear: who can read the store has the login.
pub trait TokenStore: Send + Sync + 'static {
    /// Held while an entry is renewed; when it is dropped, the next one has their turn.
    ///
    /// It ends by itself when its process dies: a lock that has to be given back by hand is lost with a crash.
    type Lock: Send + 'static;

    /// Waits for the turn to renew this entry.
    ///
    /// # Errors
    ///
    /// When the store cannot be reached. Then it is asked again, but where tokens may be
    /// [renewed without it](crate::grant::Persisted::renew_without_store).
    ///
    /// # Cancel safety
    ///
    /// It is dropped when the wait takes too long: a dropped `lock` must not take the turn.
    fn lock(&self, key: &Key) -> impl Future<Output = Result<Self::Lock, BoxError>> + Send;

    /// Reads the entry; `None` when there is none.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or what is there cannot be understood.
    ///
    /// # Cancel safety
    ///
    /// It is dropped when it takes longer than 10 s, as [`save`](TokenStore::save) and [`clear`](TokenStore::clear) are.
    fn load(&self, key: &Key) -> impl Future<Output = Result<Option<Entry>, BoxError>> + Send;

    /// Writes the entry in place of any other, wholly or not at all, and for good: when it returns, a crash of the machine
    /// does not undo it.
    ///
    /// # Errors
    ///
    /// When it could not be written: the lock is lost, or what is there is not the store's own.
    ///
    /// # Cancel safety
    ///
    /// A `save` that is dropped has written the entry wholly or not at all.
    fn save(
        &self,
        key: &Key,
        entry: &Entry,
        lock: &mut Self::Lock,
    ) -> impl Future<Output = Result<(), BoxError>> + Send;

    /// Removes the entry, unless it is newer than this generation: what a sibling has saved since stays.
    ///
    /// # Errors
    ///
    /// When it could not be removed.
    ///
    /// # Cancel safety
    ///
    /// A `clear` that is dropped has removed the entry or left it.
    fn clear(&self, key: &Key, generation: u64) -> impl Future<Output = Result<(), BoxError>> + Send;

    /// Tells of entries that others save, as they do, where the store can: what it shows at first may be old. `None`, as by
    /// default, when it cannot.
    fn changes(&self, key: &Key) -> Option<watch::Receiver<Option<Entry>>> {
        let _ = key;
        None
    }
}
