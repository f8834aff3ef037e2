//! Coordinates the refreshes of several processes: the lock, newer tokens of other processes, and logouts.

use std::sync::Arc;
use std::time::Duration;

use super::logouts::Logouts;
use super::refresh_input::RefreshInput;
use super::session::{Session, Sessions, TaskGuard};
use super::store_content::StoreContent;
use super::store_errors::{self, OnStoreError, cause};
use super::stored_entry::StoredEntry;
use super::version::{is_newer, stored_as};
use super::watch_task::watch_entry;
use crate::clock::{self, Deadline};
use crate::error::Error;
use crate::grant::Context;
use crate::store::{Entry, Key, TokenStore};
use crate::token::Token;

/// The waits between two attempts to reach a store: the first one, and the maximum. Each is twice as long as the one before.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const MAX_WAIT: Duration = Duration::from_secs(2);

/// The minimum time for which a refresh waits until an earlier refresh of the same cell has released the lock.
const MIN_OWN_LOCK_TIMEOUT: Duration = Duration::from_secs(1);

pub(super) struct Coordinator<S> {
    pub(super) entry: StoredEntry<S>,
    pub(super) on_error: Option<Arc<OnStoreError>>,
    pub(super) logouts: Arc<Logouts>,
    /// Whether to refresh a token if the store cannot be reached.
    pub(super) refresh_without_store: bool,
    pub(super) sessions: Sessions,
}

impl<S: TokenStore> Coordinator<S> {
    pub(super) fn new(store: S, key: Key) -> Self {
        Self {
            entry: StoredEntry { store: Arc::new(store), key, lock_timeout: Duration::from_secs(60) },
            on_error: None,
            logouts: Arc::default(),
            refresh_without_store: false,
            sessions: Sessions::default(),
        }
    }

    /// Returns the session of the caller's cell. From now on, the cell is offered the tokens of other processes.
    pub(super) fn open_session(&self, cx: &Context) -> Arc<Session> {
        let session = self.sessions.of(cx);
        session.set_recorder(cx.recorder());
        if !session.is_watching()
            && let (Some(sink), Some(changes)) = (cx.sink(), self.entry.changes())
        {
            let task = watch_entry(changes, sink.clone(), Arc::downgrade(&session));
            session.set_watch_task(TaskGuard::spawn(task));
        }
        session
    }

    /// Loads the entry without the lock. Returns the token that another process has saved, if it can be used without a refresh. Removes an
    /// entry that was forgotten.
    pub(super) async fn adopt_before_lock(&self, session: &Session, input: &mut RefreshInput) -> Option<Token> {
        if input.is_forgotten {
            let other_login = self.clear_forgotten(session, input).await;
            return Self::adopt_if_newer(session, input, other_login.as_ref());
        }
        if input.is_set {
            return None;
        }
        let stored = self.load(session).await;
        if input.is_first() && input.needs_newer() {
            // The caller needs a newer token than the stored one. Only a token that another process saves from now on is newer.
            input.learn_known(stored.as_ref());
            return None;
        }
        Self::adopt_if_newer(session, input, stored.as_ref().held())
    }

    /// Takes the lock and loads the entry. Returns no lock if the store cannot be reached and the token is refreshed without it.
    ///
    /// # Errors
    ///
    /// If another process holds the lock for longer than the lock timeout, if the store cannot be reached for as long, or at once if
    /// its error is permanent or the previous token is still in use (`is_proactive`).
    pub(super) async fn lock_and_load(
        &self,
        session: &Session,
        is_proactive: bool,
    ) -> Result<(Option<S::Lock>, StoreContent<Entry>), Error> {
        let end = Deadline::from_now(clock::now(), self.entry.lock_timeout);
        session.end_earlier_refresh(self.entry.lock_timeout.max(MIN_OWN_LOCK_TIMEOUT)).await;
        let mut wait = FIRST_WAIT;
        loop {
            let on_wait = || session.recorder().waiting_for_lock();
            let outcome = match self.entry.lock(end.remaining(clock::now()), on_wait).await? {
                Ok(lock) => self.entry.load().await.map(|stored| (lock, stored)),
                Err(error) => Err(error),
            };
            let error = match outcome {
                Ok((lock, stored)) => return Ok((Some(lock), StoreContent::from_load(Some(stored)))),
                Err(error) => error,
            };
            self.report_error(session, &error);
            if is_proactive {
                return Err(error);
            }
            if self.refresh_without_store {
                return Ok((None, StoreContent::Unknown));
            }
            if !error.is_transient() || end.remaining(clock::now()) <= wait {
                return Err(error);
            }
            session.recorder().waiting_for_store(cause(&error).as_deref());
            clock::sleep(wait).await;
            wait = (wait * 2).min(MAX_WAIT);
        }
    }

    async fn load(&self, session: &Session) -> StoreContent<Entry> {
        StoreContent::from_load(self.ok_or_report(session, self.entry.load().await))
    }

    /// Removes the forgotten entry. If another login was stored since, it is returned instead.
    async fn clear_forgotten(&self, session: &Session, input: &mut RefreshInput) -> Option<Entry> {
        let stored = self.load(session).await;
        let forgotten = match stored.as_ref() {
            StoreContent::Holds(entry) if !input.has_forgotten(session, entry) => return stored.held(),
            StoreContent::Holds(entry) => Some(entry.version()),
            StoreContent::Empty => None,
            StoreContent::Unknown => input.known.map(|known| known.version),
        };
        // If the cell has seen no version, the current entry counts as forgotten.
        input.learn_known(stored.as_ref());
        if let Some(version) = forgotten {
            self.ok_or_report(session, self.entry.clear(version).await);
        }
        None
    }

    /// Removes the entry if it was forgotten. A forgotten token is not used again, even if it cannot be removed.
    pub(super) async fn clear_if_forgotten(
        &self,
        session: &Session,
        input: &RefreshInput,
        entry: Option<Entry>,
    ) -> Option<Entry> {
        let entry = entry?;
        if input.has_forgotten(session, &entry) {
            self.ok_or_report(session, self.entry.clear(entry.version()).await);
            return None;
        }
        Some(entry)
    }

    /// Returns the token of an entry that another process has saved, if it can be used without a refresh.
    pub(super) fn adopt_if_newer(session: &Session, input: &RefreshInput, entry: Option<&Entry>) -> Option<Token> {
        let entry = entry.filter(|entry| !input.is_set && input.is_newer(entry))?;
        let stored_as = stored_as(entry);
        session.record_seen(stored_as);
        Some(entry.token.clone().with_stored_as(stored_as))
    }

    /// Returns whether the login has ended since the previous token was obtained.
    pub(super) async fn has_logged_out(
        &self,
        session: &Session,
        input: &RefreshInput,
        stored: StoreContent<&Entry>,
    ) -> bool {
        let Some(previous) = input.previous.as_ref().and_then(Token::stored_as) else { return false };
        match stored {
            StoreContent::Holds(entry) if is_newer(entry, input.known) => false,
            StoreContent::Empty if previous.version > 0 => {
                self.logouts.any_after(previous.logouts_before).await
                    || self.ok_or_report(session, self.entry.was_cleared().await).unwrap_or_default()
            }
            _ => self.logouts.any_after(previous.logouts_before).await,
        }
    }

    /// Returns the value, or reports the error of the store and returns `None`.
    pub(super) fn ok_or_report<T>(&self, session: &Session, outcome: Result<T, Error>) -> Option<T> {
        outcome.map_err(|error| self.report_error(session, &error)).ok()
    }

    pub(super) fn report_error(&self, session: &Session, error: &Error) {
        store_errors::report(self.on_error.as_deref(), session, error);
    }
}

/// The clone has the same store and key, and sessions of its own.
impl<S> Clone for Coordinator<S> {
    fn clone(&self) -> Self {
        Self {
            entry: self.entry.clone(),
            on_error: self.on_error.clone(),
            logouts: self.logouts.clone(),
            refresh_without_store: self.refresh_without_store,
            sessions: Sessions::default(),
        }
    }
}
