//! Everything that is done with the store, and what of it was seen.

use std::sync::Arc;
use std::time::Duration;

use super::follow::Following;
use super::{Found, is_newer};
use crate::clock;
use crate::error::{BoxError, Error, ErrorKind};
use crate::panics::{caught, caught_future};
use crate::store::{Entry, Key, TokenStore};
use crate::sync::{Mutex, lock};
use crate::token::Token;
use crate::transport::Transport;

/// How long the store may take for anything but the lock. Longer is as an error.
const STORE_DEADLINE: Duration = Duration::from_secs(10);

/// After a failed save the lock is kept for so many further tries, the first after this wait, and each after twice the last: a
/// sibling would find the spent refresh token.
const SAVE_TRIES: u32 = 6;
const SAVE_WAIT: Duration = Duration::from_millis(100);

pub(super) struct Keeper<S> {
    store: Arc<S>,
    pub(super) key: Key,
    pub(super) lock_deadline: Duration,
    pub(super) tell: Option<Arc<dyn Fn(&Error) + Send + Sync>>,
    /// The generation of the newest token that was taken from the store, or saved.
    pub(super) seen: Arc<Mutex<Option<u64>>>,
    following: Mutex<Option<Following>>,
}

impl<S: TokenStore> Keeper<S> {
    pub(super) fn new(store: Arc<S>, key: Key) -> Self {
        let lock_deadline = Duration::from_secs(60);
        Self { store, key, lock_deadline, tell: None, seen: Arc::default(), following: Mutex::new(None) }
    }

    pub(super) fn seen(&self) -> Option<u64> {
        *lock(&self.seen)
    }

    /// Hears of what siblings save from now on, where the store can tell.
    pub(super) fn follow(&self, http: &Transport) {
        let mut following = lock(&self.following);
        if following.as_ref().is_some_and(Following::goes_on) {
            return;
        }
        if let (Some(news), Some(changes)) = (http.news(), self.store.changes(&self.key)) {
            *following = Following::start(changes, news.clone(), self.seen.clone());
        }
    }

    /// The turn to renew the token; none when the store cannot be reached, and the token is renewed without it.
    ///
    /// # Errors
    ///
    /// When another has the turn for too long.
    pub(super) async fn turn(&self) -> Result<Option<S::Lock>, Error> {
        match clock::within(self.lock_deadline, whole(|| self.store.lock(&self.key))).await {
            Some(outcome) => Ok(self.told(outcome)),
            None => {
                let why = format!("another process was renewing this token for more than {:?}", self.lock_deadline);
                Err(Error::new(ErrorKind::Store, why))
            }
        }
    }

    pub(super) async fn load(&self) -> Result<Option<Entry>, Error> {
        in_time(|| self.store.load(&self.key)).await
    }

    /// As [`load`](Self::load), and an error is as nothing.
    pub(super) async fn look(&self) -> Option<Entry> {
        self.told(self.load().await).flatten()
    }

    pub(super) async fn clear(&self, generation: u64) -> Result<(), Error> {
        in_time(|| self.store.clear(&self.key, generation)).await
    }

    /// A sibling's token, if it came after what was seen, and serves.
    pub(super) fn adopt(&self, entry: Entry, seen: Option<u64>) -> Option<Token> {
        let serves = is_newer(&entry, seen) && !entry.token.is_expired(Duration::ZERO);
        serves.then(|| {
            see(&self.seen, entry.generation);
            entry.token
        })
    }

    /// What to go on with, when it is this one's turn.
    pub(super) fn choose(&self, previous: Option<Token>, stored: Option<Entry>, seen: Option<u64>) -> Found {
        let Some(stored) = stored else {
            return Found::Renew { previous, generation: seen.unwrap_or_default() };
        };
        if let Some(token) = self.adopt(stored.clone(), seen) {
            return Found::Newer(token);
        }
        let generation = stored.generation.max(seen.unwrap_or_default());
        // Of an expired one the refresh token counts, and the store has the newest; unless the user has set another.
        let previous = match previous {
            Some(previous) if !is_newer(&stored, seen) => Some(previous),
            // At the start one that has ended, with nothing to renew it by, counts as none.
            None => Some(stored.token).filter(|token| token.refresh_token().is_some()),
            Some(_) => Some(stored.token),
        };
        Found::Renew { previous, generation }
    }

    /// Saves a new token. When that fails, it is tried again in the background, with the lock held.
    pub(super) async fn save(&self, entry: Entry, turn: Option<S::Lock>) {
        // Before it is saved: whoever follows the store is not to take it for a sibling's.
        see(&self.seen, entry.generation);
        let Some(mut turn) = turn else { return };
        if self.told(save(&*self.store, &self.key, &entry, &mut turn).await).is_some() {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (store, key) = (self.store.clone(), self.key.clone());
        runtime.spawn(async move {
            for tries in 0..SAVE_TRIES {
                clock::sleep(SAVE_WAIT * 2_u32.pow(tries)).await;
                if save(&*store, &key, &entry, &mut turn).await.is_ok() {
                    break;
                }
            }
        });
    }

    /// Tells of an error, and goes on without what would have been there.
    pub(super) fn told<T>(&self, outcome: Result<T, Error>) -> Option<T> {
        match outcome {
            Ok(value) => Some(value),
            Err(error) => {
                if let Some(tell) = &self.tell {
                    // It is the user's, and must not take a new token along either.
                    let _ = caught(|| tell(&error));
                }
                None
            }
        }
    }
}

pub(super) fn see(seen: &Mutex<Option<u64>>, generation: u64) {
    let mut seen = lock(seen);
    *seen = Some(seen.unwrap_or_default().max(generation));
}

async fn save<S: TokenStore>(store: &S, key: &Key, entry: &Entry, turn: &mut S::Lock) -> Result<(), Error> {
    in_time(|| store.save(key, entry, turn)).await
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

/// With the same store and key; what was seen is each one's own.
impl<S> Clone for Keeper<S> {
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
            key: self.key.clone(),
            lock_deadline: self.lock_deadline,
            tell: self.tell.clone(),
            seen: Arc::default(),
            following: Mutex::new(None),
        }
    }
}
