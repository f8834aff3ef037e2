//! The trait of all stores, and its implementations for an erased type and for `Arc`.

use std::any::{Any, type_name};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::store_error::StoreError;
use super::{Entry, Key};
use crate::clock;
use crate::error::BoxError;

/// How long it may take to acquire a free lock.
const TRY: Duration = Duration::from_secs(1);

/// A store for tokens that outlive the process, or are shared by several processes.
///
/// It has one [`Entry`] per [`Key`] and four operations:
///
/// | | what it does |
/// | --- | --- |
/// | [`lock`](TokenStore::lock) | waits for the lock of the entry, which all processes that share the store respect |
/// | [`load`](TokenStore::load) | reads the entry, with or without the lock |
/// | [`save`](TokenStore::save) | writes the entry, with the lock |
/// | [`clear`](TokenStore::clear) | removes the entry, unless it is newer than a version |
///
/// For a logout to be final, `save` must not restore an entry that `clear` has removed: see [`Entry::is_refresh`].
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::{Arc, Mutex};
/// use tower::BoxError;
/// use tower_oauth2::store::{Entry, Key, TokenStore};
///
/// /// A database table with one row per key, which holds the entry as JSON.
/// #[derive(Clone, Default)]
/// struct Table {
///     rows: Arc<Mutex<HashMap<String, String>>>,
///     lock: Arc<tokio::sync::Mutex<()>>,
/// }
///
/// impl TokenStore for Table {
///     type Lock = tokio::sync::OwnedMutexGuard<()>;
///
///     async fn lock(&self, _key: &Key) -> Result<Self::Lock, BoxError> {
///         // In a database: `SELECT … FOR UPDATE`, or an advisory lock.
///         Ok(self.lock.clone().lock_owned().await)
///     }
///
///     async fn load(&self, key: &Key) -> Result<Option<Entry>, BoxError> {
///         let row = self.rows.lock().unwrap().get(key.id()).cloned();
///         Ok(row.map(|row| serde_json::from_str(&row)).transpose()?)
///     }
///
///     async fn save(&self, key: &Key, entry: &Entry, _lock: &mut Self::Lock) -> Result<(), BoxError> {
///         let mut rows = self.rows.lock().unwrap();
///         match rows.get(key.id()).map(|row| serde_json::from_str::<Entry>(row)).transpose()? {
///             None if entry.is_refresh() => return Err("the user has logged out".into()),
///             Some(stored) if stored != *entry && stored.generation >= entry.generation => {
///                 return Err("the stored token is not older".into());
///             }
///             _ => {}
///         }
///         rows.insert(key.id().to_owned(), serde_json::to_string(entry)?);
///         Ok(())
///     }
///
///     async fn clear(&self, key: &Key, generation: u64) -> Result<(), BoxError> {
///         let mut rows = self.rows.lock().unwrap();
///         let stored = rows.get(key.id()).map(|row| serde_json::from_str::<Entry>(row));
///         // `u64::MAX` removes every entry, even one that cannot be read.
///         if generation == u64::MAX || stored.transpose()?.is_some_and(|stored| stored.generation <= generation) {
///             rows.remove(key.id());
///         }
///         Ok(())
///     }
/// }
/// ```
///
/// # Errors
///
/// An error of a store never ends a login: the token in memory stays in use, and after its expiry the store is used again. So an error
/// must mean that the state of the entry is unknown, and `Ok(None)` that there is no entry. Requests wait for a store that fails,
/// unless the error is a [`PermanentError`](super::PermanentError).
///
/// # Security
///
/// An entry contains the access token and the refresh token in the clear: anyone who can read the store can use the login.
pub trait TokenStore: Send + Sync + 'static {
    /// A guard that is held while an entry is refreshed. Dropping it releases the lock.
    ///
    /// The lock must also be released when its process ends, for example by the system or after a time-to-live.
    type Lock: Send + 'static;

    /// Waits for the lock of this entry.
    ///
    /// # Errors
    ///
    /// If the store cannot be reached. The lock is then tried again, unless tokens may be
    /// [refreshed without the store](crate::grant::Persisted::refresh_without_store).
    ///
    /// # Cancel safety
    ///
    /// The future is dropped if the wait takes too long. A dropped future must not acquire the lock.
    fn lock(&self, key: &Key) -> impl Future<Output = Result<Self::Lock, BoxError>> + Send;

    /// Takes the lock if it is free, and returns `None` if it is held.
    ///
    /// The default implementation calls [`lock`](TokenStore::lock) and drops the future after one second.
    ///
    /// # Errors
    ///
    /// Those of [`lock`](TokenStore::lock).
    ///
    /// # Cancel safety
    ///
    /// Like that of [`lock`](TokenStore::lock).
    fn try_lock(&self, key: &Key) -> impl Future<Output = Result<Option<Self::Lock>, BoxError>> + Send {
        async { clock::within(TRY, self.lock(key)).await.transpose() }
    }

    /// Reads the entry, and returns `None` if there is no entry.
    ///
    /// # Errors
    ///
    /// If the entry cannot be read or decoded.
    ///
    /// # Cancel safety
    ///
    /// The future is dropped after 10 s, as are those of [`save`](TokenStore::save) and [`clear`](TokenStore::clear).
    fn load(&self, key: &Key) -> impl Future<Output = Result<Option<Entry>, BoxError>> + Send;

    /// Replaces the stored entry atomically and durably: a crash of the machine after `save` has returned does not undo it.
    ///
    /// # Errors
    ///
    /// If the entry could not be written: the lock was lost, the stored entry is newer, or it does not belong to this store. Also if
    /// the entry is a [refresh](Entry::is_refresh) and there is no stored entry: it was cleared in the meantime.
    ///
    /// # Cancel safety
    ///
    /// A dropped `save` has written the whole entry or nothing.
    fn save(
        &self,
        key: &Key,
        entry: &Entry,
        lock: &mut Self::Lock,
    ) -> impl Future<Output = Result<(), BoxError>> + Send;

    /// Removes the entry, unless its version is greater than this one: an entry that another process has saved since then stays.
    /// `u64::MAX` removes an entry that cannot be read as well.
    ///
    /// # Errors
    ///
    /// If the entry could not be removed.
    ///
    /// # Cancel safety
    ///
    /// A dropped `clear` has removed the entry or left it unchanged.
    fn clear(&self, key: &Key, generation: u64) -> impl Future<Output = Result<(), BoxError>> + Send;

    /// Returns whether an entry that existed before and is now missing was cleared. The default is `true`.
    ///
    /// A cleared entry is a logout, and no process saves that login again. A store that can lose entries, such as a server that keeps
    /// its data in memory, returns `false` for a lost entry: the login then continues with the token in memory.
    ///
    /// # Errors
    ///
    /// If the store cannot be reached.
    fn was_cleared(&self, key: &Key) -> impl Future<Output = Result<bool, BoxError>> + Send {
        let _ = key;
        async { Ok(true) }
    }

    /// Returns a receiver of the entries that other processes save, if the store supports it. Its initial value may be outdated. The
    /// default is `None`.
    fn changes(&self, key: &Key) -> Option<watch::Receiver<Option<Entry>>> {
        let _ = key;
        None
    }

    /// Erases the type of the store.
    fn boxed(self) -> BoxStore
    where
        Self: Sized,
    {
        BoxStore::new(self)
    }
}

/// A [`TokenStore`] with an erased type, created by [`TokenStore::boxed`]: for choosing the store at run time, or for naming its type.
///
/// Clones share the store.
///
/// ```
/// use tower_oauth2::grant::{ClientCredentials, Persisted};
/// use tower_oauth2::store::{BoxStore, MemoryStore, TokenStore};
///
/// struct Program {
///     grant: Persisted<ClientCredentials, BoxStore>,
/// }
///
/// # fn wrap(grant: ClientCredentials) {
/// let program = Program { grant: grant.persisted(MemoryStore::new().boxed()) };
/// # let _ = program.grant;
/// # }
/// ```
#[derive(Clone)]
pub struct BoxStore(Arc<dyn ErasedStore>);

/// The lock of a [`BoxStore`], released on drop.
pub struct BoxLock(Box<dyn Any + Send>);

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send + 'a>>;

trait ErasedStore: Send + Sync {
    fn type_name(&self) -> &'static str;
    fn lock<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, BoxLock>;
    fn try_lock<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Option<BoxLock>>;
    fn load<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Option<Entry>>;
    fn save<'a>(&'a self, key: &'a Key, entry: &'a Entry, lock: &'a mut BoxLock) -> BoxFuture<'a, ()>;
    fn clear<'a>(&'a self, key: &'a Key, generation: u64) -> BoxFuture<'a, ()>;
    fn was_cleared<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, bool>;
    fn changes(&self, key: &Key) -> Option<watch::Receiver<Option<Entry>>>;
}

impl<S: TokenStore> ErasedStore for S {
    fn type_name(&self) -> &'static str {
        type_name::<S>()
    }

    fn lock<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, BoxLock> {
        let lock = TokenStore::lock(self, key);
        Box::pin(async { Ok(BoxLock(Box::new(lock.await?))) })
    }

    fn try_lock<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Option<BoxLock>> {
        let lock = TokenStore::try_lock(self, key);
        Box::pin(async { Ok(lock.await?.map(|lock| BoxLock(Box::new(lock)))) })
    }

    fn load<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Option<Entry>> {
        Box::pin(TokenStore::load(self, key))
    }

    fn save<'a>(&'a self, key: &'a Key, entry: &'a Entry, lock: &'a mut BoxLock) -> BoxFuture<'a, ()> {
        match lock.0.downcast_mut::<S::Lock>() {
            Some(lock) => Box::pin(TokenStore::save(self, key, entry, lock)),
            None => Box::pin(async { Err(StoreError::boxed("the lock belongs to a store of another type")) }),
        }
    }

    fn clear<'a>(&'a self, key: &'a Key, generation: u64) -> BoxFuture<'a, ()> {
        Box::pin(TokenStore::clear(self, key, generation))
    }

    fn was_cleared<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, bool> {
        Box::pin(TokenStore::was_cleared(self, key))
    }

    fn changes(&self, key: &Key) -> Option<watch::Receiver<Option<Entry>>> {
        TokenStore::changes(self, key)
    }
}

impl BoxStore {
    pub(super) fn new(store: impl TokenStore) -> Self {
        Self(Arc::new(store))
    }
}

impl TokenStore for BoxStore {
    type Lock = BoxLock;

    async fn lock(&self, key: &Key) -> Result<Self::Lock, BoxError> {
        self.0.lock(key).await
    }

    async fn try_lock(&self, key: &Key) -> Result<Option<Self::Lock>, BoxError> {
        self.0.try_lock(key).await
    }

    async fn load(&self, key: &Key) -> Result<Option<Entry>, BoxError> {
        self.0.load(key).await
    }

    async fn save(&self, key: &Key, entry: &Entry, lock: &mut Self::Lock) -> Result<(), BoxError> {
        self.0.save(key, entry, lock).await
    }

    async fn clear(&self, key: &Key, generation: u64) -> Result<(), BoxError> {
        self.0.clear(key, generation).await
    }

    async fn was_cleared(&self, key: &Key) -> Result<bool, BoxError> {
        self.0.was_cleared(key).await
    }

    fn changes(&self, key: &Key) -> Option<watch::Receiver<Option<Entry>>> {
        self.0.changes(key)
    }

    /// Returns the store itself, without boxing it a second time.
    fn boxed(self) -> BoxStore {
        self
    }
}

impl fmt::Debug for BoxStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoxStore").field("type", &self.0.type_name()).finish_non_exhaustive()
    }
}

impl fmt::Debug for BoxLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoxLock").finish_non_exhaustive()
    }
}

/// Delegates to the inner store.
impl<S: TokenStore> TokenStore for Arc<S> {
    type Lock = S::Lock;

    async fn lock(&self, key: &Key) -> Result<Self::Lock, BoxError> {
        S::lock(self, key).await
    }

    async fn try_lock(&self, key: &Key) -> Result<Option<Self::Lock>, BoxError> {
        S::try_lock(self, key).await
    }

    async fn load(&self, key: &Key) -> Result<Option<Entry>, BoxError> {
        S::load(self, key).await
    }

    async fn save(&self, key: &Key, entry: &Entry, lock: &mut Self::Lock) -> Result<(), BoxError> {
        S::save(self, key, entry, lock).await
    }

    async fn clear(&self, key: &Key, generation: u64) -> Result<(), BoxError> {
        S::clear(self, key, generation).await
    }

    async fn was_cleared(&self, key: &Key) -> Result<bool, BoxError> {
        S::was_cleared(self, key).await
    }

    fn changes(&self, key: &Key) -> Option<watch::Receiver<Option<Entry>>> {
        S::changes(self, key)
    }
}
