//! Coordinates the refreshes of several processes: the lock, newer tokens of other processes, and logouts.

use std::sync::Arc;
use std::time::Duration;

use super::logouts::Logouts;
use super::refresh_input::RefreshInput;
use super::session::{Session, Sessions, TaskGuard};
use super::store_errors::{self, OnStoreError, cause};
use super::stored_entry::StoredEntry;
use super::version::{is_newer, nothing_stored, stored_as};
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

    /// Takes the lock and loads the entry. Returns `None` if the store cannot be reached and the token is refreshed without it.
    ///
    /// # Errors
    ///
    /// If another process holds the lock for longer than the lock timeout, if the store cannot be reached for as long, or at once if
    /// its error is permanent or the previous token is still in use (`is_proactive`).
    pub(super) async fn lock_and_load(
        &self,
        session: &Session,
        is_proactive: bool,
    ) -> Result<Option<(S::Lock, Option<Entry>)>, Error> {
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
                Ok(locked) => return Ok(Some(locked)),
                Err(error) => error,
            };
            self.report_error(session, &error);
            if is_proactive {
                return Err(error);
            }
            if self.refresh_without_store {
                return Ok(None);
            }
            if !error.is_transient() || end.remaining(clock::now()) <= wait {
                return Err(error);
            }
            session.recorder().waiting_for_store(cause(&error).as_deref());
            clock::sleep(wait).await;
            wait = (wait * 2).min(MAX_WAIT);
        }
    }

    /// Loads the entry without the lock. An error counts as no entry.
    pub(super) async fn peek(&self, session: &Session) -> Option<Entry> {
        self.ok_or_report(session, self.entry.load().await).flatten()
    }

    /// Removes the forgotten entry. If another login was stored since, it is returned instead.
    pub(super) async fn clear_forgotten(&self, session: &Session, input: &mut RefreshInput) -> Option<Entry> {
        // The outer option is `None` if the load failed, the inner one if there is no entry.
        match (self.ok_or_report(session, self.entry.load().await), input.known) {
            (Some(Some(entry)), _) if !input.has_forgotten(session, &entry) => return Some(entry),
            (Some(Some(entry)), known) => {
                // If the cell has seen no version, the current entry counts as forgotten.
                input.known = known.or(Some(stored_as(&entry)));
                self.ok_or_report(session, self.entry.clear(entry.generation).await);
            }
            (Some(None), known) => input.known = known.or(Some(nothing_stored())),
            (None, Some(known)) => _ = self.ok_or_report(session, self.entry.clear(known.version).await),
            (None, None) => {}
        }
        None
    }

    /// Returns the token of an entry that another process has saved, if it can be used without a refresh.
    pub(super) fn adopt_if_newer(session: &Session, input: &RefreshInput, entry: Option<&Entry>) -> Option<Token> {
        let entry = entry.filter(|entry| !input.is_set && input.is_newer(entry))?;
        let stored_as = stored_as(entry);
        session.record_seen(stored_as);
        Some(entry.token.clone().with_stored_as(stored_as))
    }

    /// Returns whether the login has ended since the previous token was obtained. `stored` is the entry, if it could be loaded.
    pub(super) async fn has_logged_out(
        &self,
        session: &Session,
        input: &RefreshInput,
        stored: Option<&Option<Entry>>,
    ) -> bool {
        let Some(previous) = input.previous.as_ref().and_then(Token::stored_as) else { return false };
        match stored {
            Some(Some(entry)) if is_newer(entry, input.known) => false,
            Some(None) if previous.version > 0 => {
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
