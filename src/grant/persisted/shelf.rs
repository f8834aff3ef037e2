//! One entry of a store, and what is done with it: in time, and whatever the store does.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::clock;
use crate::error::{BoxError, Error, ErrorKind};
use crate::panics::caught_future;
use crate::store::{Entry, Key, TokenStore};

/// How long the store may take for anything but the lock. Longer is as an error.
const STORE_DEADLINE: Duration = Duration::from_secs(10);

pub(super) struct Shelf<S> {
    pub(super) store: Arc<S>,
    pub(super) key: Key,
    pub(super) lock_deadline: Duration,
}

impl<S: TokenStore> Shelf<S> {
    /// The turn to change the entry, or why the store could not give it.
    ///
    /// # Errors
    ///
    /// When another has the turn for longer than `limit`: what is left of the deadline.
    pub(super) async fn lock(&self, limit: Duration) -> Result<Result<S::Lock, Error>, Error> {
        clock::within(limit, whole(|| self.store.lock(&self.key))).await.ok_or_else(|| {
            let why = format!("another process was renewing this token for more than {:?}", self.lock_deadline);
            Error::new(ErrorKind::Store, why)
        })
    }

    pub(super) async fn load(&self) -> Result<Option<Entry>, Error> {
        in_time(|| self.store.load(&self.key)).await
    }

    pub(super) async fn save(&self, entry: &Entry, turn: &mut S::Lock) -> Result<(), Error> {
        in_time(|| self.store.save(&self.key, entry, turn)).await
    }

    pub(super) async fn clear(&self, generation: u64) -> Result<(), Error> {
        in_time(|| self.store.clear(&self.key, generation)).await
    }

    pub(super) fn changes(&self) -> Option<watch::Receiver<Option<Entry>>> {
        self.store.changes(&self.key)
    }
}

async fn in_time<T, Fut>(operation: impl FnOnce() -> Fut) -> Result<T, Error>
where
    Fut: Future<Output = Result<T, BoxError>>,
{
    match clock::within(STORE_DEADLINE, whole(operation)).await {
        Some(outcome) => outcome,
        None => Err(Error::new(ErrorKind::Store, format!("no answer within {STORE_DEADLINE:?}"))),
    }
}

/// An operation of the store. A panic in it is an error like any other: it must not take a new token along.
async fn whole<T, Fut>(operation: impl FnOnce() -> Fut) -> Result<T, Error>
where
    Fut: Future<Output = Result<T, BoxError>>,
{
    let outcome = caught_future(async move { operation().await }).await;
    outcome
        .map_err(|panicked| Error::caused_by(ErrorKind::Store, panicked))?
        .map_err(|why| Error::caused_by(ErrorKind::Store, why))
}

impl<S> Clone for Shelf<S> {
    fn clone(&self) -> Self {
        Self { store: self.store.clone(), key: self.key.clone(), lock_deadline: self.lock_deadline }
    }
}
