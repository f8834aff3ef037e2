//! Everything that is done with the store, and what of it was seen.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::follow::Following;
use super::saving::Saving;
use super::{Choice, is_newer};
use crate::clock::{self, Deadline};
use crate::error::{BoxError, Error, ErrorKind};
use crate::panics::{caught, caught_future};
use crate::store::{Entry, Key, TokenStore};
use crate::sync::{Mutex, lock};
use crate::token::Token;
use crate::transport::Transport;

/// How long the store may take for anything but the lock. Longer is as an error.
const STORE_DEADLINE: Duration = Duration::from_secs(10);

/// A store that cannot be asked is asked again after this, and then after twice as long each time, up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Who hears of the store's errors.
type Tell = dyn Fn(&Error) + Send + Sync;

pub(super) struct Keeper<S> {
    store: Arc<S>,
    pub(super) key: Key,
    pub(super) lock_deadline: Duration,
    pub(super) tell: Option<Arc<Tell>>,
    /// The generation of the newest token that was taken from the store, or saved.
    pub(super) seen: Arc<Mutex<Option<u64>>>,
    /// Whether to renew a token that the store cannot be asked for.
    pub(super) goes_without_store: bool,
    /// Counts the renewals: each ends what is left to do for the one before.
    renewals: watch::Sender<u64>,
    following: Mutex<Option<Following>>,
}

impl<S: TokenStore> Keeper<S> {
    pub(super) fn new(store: Arc<S>, key: Key) -> Self {
        Self {
            store,
            key,
            lock_deadline: Duration::from_secs(60),
            tell: None,
            seen: Arc::default(),
            goes_without_store: false,
            renewals: watch::Sender::default(),
            following: Mutex::new(None),
        }
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

    /// The turn to renew the token, and what is there; none where the store cannot be asked, and the token is renewed without it.
    ///
    /// # Errors
    ///
    /// When another has the turn for too long, or the store is away for as long and the token is not to be renewed without it.
    pub(super) async fn turn(&self, ahead: bool) -> Result<Option<(S::Lock, Option<Entry>)>, Error> {
        self.renewals.send_modify(|renewals| *renewals += 1);
        let end = Deadline::after(clock::now(), self.lock_deadline);
        let mut wait = FIRST_WAIT;
        loop {
            let error = match self.locked(end.remaining(clock::now())).await? {
                Ok(locked) => return Ok(Some(locked)),
                Err(error) => error,
            };
            self.tell(&error);
            // While the token still serves there is time: the next try is the cell's.
            if ahead || end.remaining(clock::now()) <= wait {
                return Err(error);
            }
            if self.goes_without_store {
                return Ok(None);
            }
            clock::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// The turn and what is there, or why the store could not be asked.
    async fn locked(&self, limit: Duration) -> Result<Result<(S::Lock, Option<Entry>), Error>, Error> {
        match clock::within(limit, whole(|| self.store.lock(&self.key))).await {
            Some(Ok(turn)) => Ok(self.load().await.map(|stored| (turn, stored))),
            Some(Err(error)) => Ok(Err(error)),
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
    pub(super) fn choose(&self, previous: Option<Token>, stored: Option<Entry>, seen: Option<u64>) -> Choice {
        let Some(stored) = stored else { return Choice::Renew(previous) };
        // One that the user has set before anything was seen is newer than what is there now.
        let seen = if previous.is_some() { seen.or(Some(stored.generation)) } else { seen };
        if let Some(token) = self.adopt(stored.clone(), seen) {
            return Choice::Newer(token);
        }
        // Of an expired one the refresh token counts, and the store has the newest; unless the user has set another.
        Choice::Renew(match previous {
            Some(previous) if !is_newer(&stored, seen) => Some(previous),
            // At the start one that has ended, with nothing to renew it by, counts as none.
            None => Some(stored.token).filter(|token| token.refresh_token().is_some()),
            Some(_) => Some(stored.token),
        })
    }

    /// Saves a new token, which came after what was `seen`; `stored` is the generation that the store has, if it could be read.
    ///
    /// When that fails, or there is no turn to do it in, it is tried again in the background.
    pub(super) async fn save(&self, token: Token, seen: Option<u64>, stored: Option<u64>, turn: Option<S::Lock>) {
        // A store that could not be read just now is not waited for once more.
        let at_once = turn.is_some() && stored.is_some();
        let mut saving = Saving {
            store: self.store.clone(),
            key: self.key.clone(),
            token,
            lock_deadline: self.lock_deadline,
            turn,
            stored,
            base: stored.max(seen),
            saved_as: None,
            seen: self.seen.clone(),
            next: self.renewals.subscribe(),
        };
        if at_once && self.told(saving.attempt().await).is_some() {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(saving.go_on());
        }
    }

    /// Tells of an error, and goes on without what would have been there.
    pub(super) fn told<T>(&self, outcome: Result<T, Error>) -> Option<T> {
        outcome.map_err(|error| self.tell(&error)).ok()
    }

    fn tell(&self, error: &Error) {
        if let Some(tell) = &self.tell {
            // It is the user's, and must not take a new token along.
            let _ = caught(|| tell(error));
        }
    }
}

pub(super) fn see(seen: &Mutex<Option<u64>>, generation: u64) {
    let mut seen = lock(seen);
    *seen = Some(seen.unwrap_or_default().max(generation));
}

pub(super) async fn in_time<T, Fut>(operation: impl FnOnce() -> Fut) -> Result<T, Error>
where
    Fut: Future<Output = Result<T, BoxError>>,
{
    match clock::within(STORE_DEADLINE, whole(operation)).await {
        Some(outcome) => outcome,
        None => Err(Error::new(ErrorKind::Store, format!("no answer within {STORE_DEADLINE:?}"))),
    }
}

/// An operation of the store. A panic in it is an error like any other: it must not take a new token along.
pub(super) async fn whole<T, Fut>(operation: impl FnOnce() -> Fut) -> Result<T, Error>
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
            goes_without_store: self.goes_without_store,
            renewals: watch::Sender::default(),
            following: Mutex::new(None),
        }
    }
}
