//! Performs the operations on one entry of a store, with timeouts, and with panics as errors.

use std::error::Error as _;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

use crate::catch_panic::{catch_panic, catch_panic_async};
use crate::clock;
use crate::error::{BoxError, Error, ErrorKind};
use crate::store::{Entry, Key, TokenStore, is_permanent};

/// The timeout of each operation except the lock.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(10);

/// The time after which a wait for the lock is logged.
const LONG_WAIT: Duration = Duration::from_secs(1);

/// The maximum nesting of a stored token. JSON parsers accept 127 levels, and stores add levels of their own.
const MAX_DEPTH: usize = 120;

pub(super) struct StoredEntry<S> {
    pub(super) store: Arc<S>,
    pub(super) key: Key,
    pub(super) lock_timeout: Duration,
}

impl<S: TokenStore> StoredEntry<S> {
    /// Takes the lock. The inner result is that of the store. `on_wait` is called once if the wait is long.
    ///
    /// # Errors
    ///
    /// The outer error: another process holds the lock for longer than `limit`, which is the rest of the lock timeout. With zero, the call
    /// does not wait.
    pub(super) async fn lock(&self, limit: Duration, on_wait: impl FnOnce()) -> Result<Result<S::Lock, Error>, Error> {
        let timed_out = || {
            let why = match self.lock_timeout {
                Duration::ZERO => "another process is refreshing this token".to_owned(),
                timeout => format!("another process was refreshing this token for more than {timeout:?}"),
            };
            Error::new(ErrorKind::Store, why)
        };
        if limit.is_zero() {
            return match with_timeout(|| S::try_lock(&self.store, &self.key)).await {
                Ok(None) => Err(timed_out()),
                Ok(Some(lock)) => Ok(Ok(lock)),
                Err(error) => Ok(Err(error)),
            };
        }
        let mut locking = pin!(catching_panics(|| S::lock(&self.store, &self.key)));
        let soon = limit.min(LONG_WAIT);
        if let Some(outcome) = clock::within(soon, locking.as_mut()).await {
            return Ok(outcome);
        }
        if limit > soon {
            on_wait();
        }
        clock::within(limit - soon, locking).await.ok_or_else(timed_out)
    }

    pub(super) async fn load(&self) -> Result<Option<Entry>, Error> {
        with_timeout(|| S::load(&self.store, &self.key)).await
    }

    /// Saves an entry, if it can be loaded again.
    pub(super) async fn save(&self, entry: &Entry, lock: &mut S::Lock) -> Result<(), Error> {
        check_nesting(entry)?;
        with_timeout(|| S::save(&self.store, &self.key, entry, lock)).await
    }

    /// Removes the entry, unless its version is greater than `version`.
    pub(super) async fn clear(&self, version: u64) -> Result<(), Error> {
        with_timeout(|| S::clear(&self.store, &self.key, version)).await
    }

    /// Returns whether a missing entry was cleared by a logout, and not lost by the store.
    pub(super) async fn was_cleared(&self) -> Result<bool, Error> {
        with_timeout(|| S::was_cleared(&self.store, &self.key)).await
    }

    pub(super) fn changes(&self) -> Option<watch::Receiver<Option<Entry>>> {
        catch_panic(|| S::changes(&self.store, &self.key)).ok().flatten()
    }
}

/// Checks that a store that keeps the token as JSON can load it again.
fn check_nesting(entry: &Entry) -> Result<(), Error> {
    // If the token cannot be serialized, the store returns the error.
    let Ok(token) = serde_json::to_value(&entry.token) else { return Ok(()) };
    if depth(&token) <= MAX_DEPTH {
        return Ok(());
    }
    let why =
        "a member of the token is nested too deeply to be stored; remove it with a `map_response`, or do without it";
    Err(Error::new(ErrorKind::Store, why).permanent())
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or_default(),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

async fn with_timeout<T, Fut>(operation: impl FnOnce() -> Fut) -> Result<T, Error>
where
    Fut: Future<Output = Result<T, BoxError>>,
{
    match clock::within(OPERATION_TIMEOUT, catching_panics(operation)).await {
        Some(outcome) => outcome,
        None => Err(Error::new(ErrorKind::Store, format!("the store did not respond within {OPERATION_TIMEOUT:?}"))),
    }
}

/// Runs an operation of the store. A panic becomes an error, because it must not lose a new token.
async fn catching_panics<T, Fut>(operation: impl FnOnce() -> Fut) -> Result<T, Error>
where
    Fut: Future<Output = Result<T, BoxError>>,
{
    let outcome = catch_panic_async(async move { operation().await }).await;
    let error = match outcome {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) => Error::caused_by(ErrorKind::Store, error),
        Err(panicked) => Error::caused_by(ErrorKind::Store, panicked),
    };
    Err(if error.source().is_some_and(is_permanent) { error.permanent() } else { error })
}

impl<S> Clone for StoredEntry<S> {
    fn clone(&self) -> Self {
        Self { store: self.store.clone(), key: self.key.clone(), lock_timeout: self.lock_timeout }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(depth: usize) -> Entry {
        let deep = format!(r#"{{"access_token": "a", "deep": {}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        Entry::new(serde_json::from_str(&deep).unwrap(), 1)
    }

    #[test]
    fn a_token_that_is_saved_can_be_loaded_again() {
        let deepest = nested(MAX_DEPTH - 1);
        check_nesting(&deepest).unwrap();
        let json = serde_json::to_string(&deepest).unwrap();
        assert_eq!(serde_json::from_str::<Entry>(&json).unwrap(), deepest);
        let error = check_nesting(&nested(MAX_DEPTH)).unwrap_err();
        assert!(!error.is_transient() && error.to_string().contains("nested too deeply"), "{error}");
    }
}
