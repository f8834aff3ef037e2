//! A store in memory that fails on demand.

use std::future::pending;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tower::BoxError;
use tower_oauth2::Error;
use tower_oauth2::store::{Entry, Key, MemoryStore, TokenStore};

use crate::unlocked_store::UnlockedStore;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Lock,
    Load,
    Save,
    Clear,
    Changes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Fails,
    /// Fails with a permanent error.
    Denied,
    Hangs,
    Panics,
    Takes(Duration),
}

/// It does not report changes. Clones share the store.
#[derive(Clone, Default)]
pub(super) struct Scripted {
    pub(super) memory: MemoryStore,
    faults: Arc<Mutex<Vec<(Operation, Fault)>>>,
    operations: Arc<Mutex<Vec<Operation>>>,
    loses: Arc<AtomicBool>,
    /// Whether its lock does not protect its entries: see [`UnlockedStore`].
    is_unlocked: bool,
}

impl Scripted {
    /// A store in which another process can save while the lock is held.
    pub(super) fn unlocked() -> Self {
        Self { is_unlocked: true, ..Self::default() }
    }

    /// Uses the entries of `memory`.
    pub(super) fn of(memory: MemoryStore) -> Self {
        Self { memory, ..Self::default() }
    }

    /// Makes an operation fail from now on.
    pub(super) fn script(&self, operation: Operation, fault: Fault) {
        self.faults.lock().unwrap().push((operation, fault));
    }

    /// Makes all operations succeed from now on.
    pub(super) fn heal(&self) {
        self.faults.lock().unwrap().clear();
    }

    /// Reports missing entries as lost, and not as cleared, from now on.
    pub(super) fn lose(&self) {
        self.loses.store(true, Ordering::SeqCst);
    }

    /// Returns the operations since the last call.
    pub(super) fn operations(&self) -> Vec<Operation> {
        std::mem::take(&mut *self.operations.lock().unwrap())
    }

    async fn meet(&self, operation: Operation) -> Result<(), BoxError> {
        self.operations.lock().unwrap().push(operation);
        let fault = self.faults.lock().unwrap().iter().find(|(name, _)| *name == operation).map(|(_, fault)| *fault);
        match fault {
            None => {}
            Some(Fault::Fails) => return Err("the disk is full".into()),
            Some(Fault::Denied) => return Err(io::Error::from(io::ErrorKind::PermissionDenied).into()),
            Some(Fault::Hangs) => pending().await,
            Some(Fault::Panics) => panic!("scripted"),
            Some(Fault::Takes(time)) => tokio::time::sleep(time).await,
        }
        Ok(())
    }
}

impl TokenStore for Scripted {
    type Lock = <MemoryStore as TokenStore>::Lock;

    async fn lock(&self, key: &Key) -> Result<Self::Lock, BoxError> {
        self.meet(Operation::Lock).await?;
        match self.is_unlocked {
            true => UnlockedStore(self.memory.clone()).lock(key).await,
            false => self.memory.lock(key).await,
        }
    }

    async fn load(&self, key: &Key) -> Result<Option<Entry>, BoxError> {
        self.meet(Operation::Load).await?;
        self.memory.load(key).await
    }

    async fn save(&self, key: &Key, entry: &Entry, lock: &mut Self::Lock) -> Result<(), BoxError> {
        self.meet(Operation::Save).await?;
        match self.is_unlocked {
            true => UnlockedStore(self.memory.clone()).save(key, entry, lock).await,
            false => self.memory.save(key, entry, lock).await,
        }
    }

    async fn clear(&self, key: &Key, generation: u64) -> Result<(), BoxError> {
        self.meet(Operation::Clear).await?;
        self.memory.clear(key, generation).await
    }

    fn changes(&self, _key: &Key) -> Option<watch::Receiver<Option<Entry>>> {
        let faults = self.faults.lock().unwrap().clone();
        assert!(!faults.contains(&(Operation::Changes, Fault::Panics)), "scripted");
        None
    }

    async fn was_cleared(&self, _key: &Key) -> Result<bool, BoxError> {
        Ok(!self.loses.load(Ordering::SeqCst))
    }
}

/// Records the errors that `on_store_error` receives.
#[derive(Clone, Default)]
pub(super) struct StoreErrors(Arc<Mutex<Vec<Error>>>);

impl StoreErrors {
    pub(super) fn callback(&self) -> impl Fn(&Error) + Send + Sync + 'static {
        let errors = self.0.clone();
        move |error| errors.lock().unwrap().push(error.clone())
    }

    /// Returns the errors since the last call.
    pub(super) fn take(&self) -> Vec<Error> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}
