//! A store in memory that fails as it is told to.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tower::BoxError;
use tower_oauth2::Error;
use tower_oauth2::store::{Entry, Key, MemoryStore, TokenStore};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Lock,
    Load,
    Save,
    Clear,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Fails,
    Hangs,
    Panics,
    Takes(Duration),
}

/// It tells nobody of changes. Clones are the same store.
#[derive(Clone, Default)]
pub(super) struct Scripted {
    pub(super) memory: MemoryStore,
    faults: Arc<Mutex<Vec<(Operation, Fault)>>>,
    asked: Arc<Mutex<Vec<Operation>>>,
}

impl Scripted {
    /// From now on this goes wrong.
    pub(super) fn script(&self, operation: Operation, fault: Fault) {
        self.faults.lock().unwrap().push((operation, fault));
    }

    /// From now on nothing goes wrong.
    pub(super) fn heal(&self) {
        self.faults.lock().unwrap().clear();
    }

    /// What was asked for since the last time.
    pub(super) fn asked(&self) -> Vec<Operation> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    async fn meet(&self, operation: Operation) -> Result<(), BoxError> {
        self.asked.lock().unwrap().push(operation);
        let fault = self.faults.lock().unwrap().iter().find(|(name, _)| *name == operation).map(|(_, fault)| *fault);
        match fault {
            None => {}
            Some(Fault::Fails) => return Err("the disk is full".into()),
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
        self.memory.lock(key).await
    }

    async fn load(&self, key: &Key) -> Result<Option<Entry>, BoxError> {
        self.meet(Operation::Load).await?;
        self.memory.load(key).await
    }

    async fn save(&self, key: &Key, entry: &Entry, lock: &mut Self::Lock) -> Result<(), BoxError> {
        self.meet(Operation::Save).await?;
        self.memory.save(key, entry, lock).await
    }

    async fn clear(&self, key: &Key, generation: u64) -> Result<(), BoxError> {
        self.meet(Operation::Clear).await?;
        self.memory.clear(key, generation).await
    }
}

/// What `on_store_error` was told.
#[derive(Clone, Default)]
pub(super) struct Told(Arc<Mutex<Vec<Error>>>);

impl Told {
    pub(super) fn ear(&self) -> impl Fn(&Error) + Send + Sync + 'static {
        let told = self.0.clone();
        move |error| told.lock().unwrap().push(error.clone())
    }

    /// Since the last time.
    pub(super) fn errors(&self) -> Vec<Error> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}
