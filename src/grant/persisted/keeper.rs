//! What of the store was seen, what to make of it, and when to go on without.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::follow::Following;
use super::saving::Saving;
use super::shelf::Shelf;
use super::{Choice, is_newer};
use crate::clock::{self, Deadline};
use crate::error::Error;
use crate::observe::CallLog;
use crate::panics::caught;
use crate::store::{Entry, Key, TokenStore};
use crate::sync::{Mutex, lock};
use crate::token::Token;
use crate::transport::Transport;

/// A store that cannot be asked is asked again after this, and then after twice as long each time, up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Who hears of the store's errors.
type Tell = dyn Fn(&Error) + Send + Sync;

pub(super) struct Keeper<S> {
    pub(super) shelf: Shelf<S>,
    pub(super) tell: Option<Arc<Tell>>,
    /// The generation of the newest token that was taken from the store, or saved.
    pub(super) seen: Arc<Mutex<Option<u64>>>,
    /// Whether to renew a token that the store cannot be asked for.
    pub(super) goes_without_store: bool,
    /// Counts the renewals: each ends what is left to do for the one before.
    renewals: watch::Sender<u64>,
    following: Mutex<Option<Following>>,
    /// That of the flight under way.
    log: Mutex<CallLog>,
}

impl<S: TokenStore> Keeper<S> {
    pub(super) fn new(store: S, key: Key) -> Self {
        Self {
            shelf: Shelf { store: Arc::new(store), key, lock_deadline: Duration::from_secs(60) },
            tell: None,
            seen: Arc::default(),
            goes_without_store: false,
            renewals: watch::Sender::default(),
            following: Mutex::new(None),
            log: Mutex::new(CallLog::none()),
        }
    }

    /// A flight begins.
    pub(super) fn begin(&self, http: &Transport) {
        *lock(&self.log) = http.log().clone();
        self.follow(http);
    }

    pub(super) fn seen(&self) -> Option<u64> {
        *lock(&self.seen)
    }

    /// Hears of what siblings save from now on, where the store can tell.
    fn follow(&self, http: &Transport) {
        let mut following = lock(&self.following);
        if following.as_ref().is_some_and(Following::goes_on) {
            return;
        }
        if let (Some(news), Some(changes)) = (http.news(), self.shelf.changes()) {
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
        let end = Deadline::after(clock::now(), self.shelf.lock_deadline);
        let mut wait = FIRST_WAIT;
        loop {
            let asked = match self.shelf.lock(end.remaining(clock::now())).await? {
                Ok(turn) => self.shelf.load().await.map(|stored| (turn, stored)),
                Err(error) => Err(error),
            };
            let error = match asked {
                Ok(locked) => return Ok(Some(locked)),
                Err(error) => error,
            };
            self.tell(&error);
            // While the token still serves there is time: the next try is the cell's.
            if ahead {
                return Err(error);
            }
            if self.goes_without_store {
                return Ok(None);
            }
            if end.remaining(clock::now()) <= wait {
                return Err(error);
            }
            clock::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// What is there; an error is as nothing.
    pub(super) async fn look(&self) -> Option<Entry> {
        self.told(self.shelf.load().await).flatten()
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
            shelf: self.shelf.clone(),
            token,
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
        // Not under the lock.
        let log = lock(&self.log).clone();
        log.store_failed(error);
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

/// With the same store and key; what was seen is each one's own.
impl<S> Clone for Keeper<S> {
    fn clone(&self) -> Self {
        Self {
            shelf: self.shelf.clone(),
            tell: self.tell.clone(),
            seen: Arc::default(),
            goes_without_store: self.goes_without_store,
            renewals: watch::Sender::default(),
            following: Mutex::new(None),
            log: Mutex::new(CallLog::none()),
        }
    }
}
