//! Saves a new token before it is used, and if that fails, in the background.

use std::future::pending;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;

use super::coordinator::Coordinator;
use super::logouts::Logouts;
use super::refresh_input::NewToken;
use super::session::Session;
use super::store_content::StoreContent;
use super::store_errors::{OnStoreError, report};
use super::stored_entry::StoredEntry;
use super::version::{self, is_same};
use crate::clock;
use crate::error::Error;
use crate::grant::context::SaveGuard;
use crate::grant::{Context, TokenSink};
use crate::store::{Entry, TokenStore};
use crate::token::{StoredAs, Token};

/// The maximum number of attempts in the background, which take two minutes in all. The lock is held meanwhile: otherwise another process
/// would load the old entry, and send its refresh token, which was already used.
const MAX_ATTEMPTS: u32 = 28;

/// The wait before the first attempt in the background. Each further wait is twice as long as the one before.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// The maximum wait between two attempts.
const MAX_WAIT: Duration = Duration::from_secs(5);

struct SaveTask<S: TokenStore> {
    entry: StoredEntry<S>,
    new: NewToken,
    /// The newest version that was known before the token was obtained. A greater one was saved after that.
    base: Option<u64>,
    lock: Option<S::Lock>,
    /// The version in the store. Valid while the lock is held.
    stored: StoreContent<u64>,
    /// The entry of the last attempt.
    attempted: Option<Entry>,
    session: Arc<Session>,
    logouts: Arc<Logouts>,
    on_error: Option<Arc<OnStoreError>>,
    /// Ends the task when the next refresh starts, which needs the lock and obtains a newer token. The last field, because that refresh
    /// waits until it is dropped.
    next_refresh: watch::Receiver<u64>,
}

enum SaveOutcome {
    Saved(StoredAs),
    /// The token must not be stored, because there is a newer one, or the login has ended.
    Superseded,
}

impl<S: TokenStore> Coordinator<S> {
    /// Saves a new token, and returns it with its version.
    ///
    /// If the save fails, or the lock could not be taken, the save is tried again in the background.
    pub(super) async fn save(
        &self,
        cx: &Context,
        session: &Arc<Session>,
        new: NewToken,
        lock: Option<S::Lock>,
    ) -> Token {
        // If the store could not be reached before the token request, the caller does not wait for it again.
        let can_save_now = lock.is_some() && new.stored != StoreContent::Unknown;
        let base = new.stored.version().max(new.known.map(|known| known.version));
        let (token, stored) = (new.token.clone(), new.stored);
        let unsaved =
            StoredAs { version: base.unwrap_or_default(), login: new.login, logouts_before: new.logouts_before };
        let mut task = SaveTask {
            entry: self.entry.clone(),
            new,
            base,
            lock,
            stored,
            attempted: None,
            session: session.clone(),
            logouts: self.logouts.clone(),
            on_error: self.on_error.clone(),
            next_refresh: session.next_refresh(),
        };
        if can_save_now {
            match task.attempt().await {
                Ok(SaveOutcome::Saved(stored_as)) => return token.with_stored_as(stored_as),
                Ok(SaveOutcome::Superseded) => return token.with_stored_as(unsaved),
                Err(error) => {
                    self.report_error(session, &error);
                    if !error.is_transient() {
                        return token.with_stored_as(unsaved);
                    }
                }
            }
        }
        if let Ok(runtime) = Handle::try_current() {
            let (guard, sink) = (SaveGuard::new(cx), cx.sink().cloned());
            runtime.spawn(async move {
                let _guard = guard;
                task.retry(sink).await;
            });
        }
        token.with_stored_as(unsaved)
    }
}

impl<S: TokenStore> SaveTask<S> {
    /// Saves the token, unless there is a newer one or the login has ended.
    async fn attempt(&mut self) -> Result<SaveOutcome, Error> {
        if self.has_logged_out().await {
            return Ok(SaveOutcome::Superseded);
        }
        if self.lock.is_none() {
            self.stored = StoreContent::Unknown;
            self.lock = Some(self.entry.lock(self.entry.lock_timeout, || {}).await??);
        }
        let is_refresh = self.new.is_refresh;
        let stored = match std::mem::replace(&mut self.stored, StoreContent::Unknown) {
            StoreContent::Holds(version) => Some(version),
            StoreContent::Empty => None,
            StoreContent::Unknown => match self.entry.load().await? {
                // The last attempt has saved it, although it returned an error.
                Some(entry) if self.attempted.as_ref().is_some_and(|attempted| is_same(&entry, attempted)) => {
                    return Ok(self.saved(&entry));
                }
                // Another process has saved a token after this one was obtained.
                Some(entry) if self.base.is_some_and(|base| entry.version() > base) => {
                    return Ok(SaveOutcome::Superseded);
                }
                Some(entry) => Some(entry.version()),
                None if is_refresh && self.entry.was_cleared().await? => return Ok(SaveOutcome::Superseded),
                None => None,
            },
        };
        let version = version::next(stored.unwrap_or_default(), self.base)?;
        let entry = Entry::new(self.new.token.clone(), version).with_login(self.new.login);
        let entry = if is_refresh && stored.is_some() { entry.into_refresh() } else { entry };
        self.attempted = Some(entry.clone());
        self.session.set_own_entry(entry.clone());
        let Some(lock) = &mut self.lock else { return Ok(SaveOutcome::Superseded) };
        if let Err(error) = self.entry.save(&entry, lock).await {
            // A store returns an error for a refresh whose entry was cleared. Then the user has logged out.
            let is_cleared = entry.is_refresh() && matches!(self.entry.load().await, Ok(None));
            return match is_cleared && self.entry.was_cleared().await.unwrap_or_default() {
                true => Ok(SaveOutcome::Superseded),
                false => Err(error),
            };
        }
        if self.has_logged_out().await {
            // The logout may have cleared the store before the entry was saved.
            self.entry.clear(version).await?;
            return Ok(SaveOutcome::Superseded);
        }
        Ok(self.saved(&entry))
    }

    /// Attempts the save again until it succeeds. `sink` then receives the token with its version.
    async fn retry(mut self, sink: Option<Weak<dyn TokenSink>>) {
        for attempts in 0..MAX_ATTEMPTS {
            let wait = (FIRST_WAIT * 2_u32.saturating_pow(attempts)).min(MAX_WAIT);
            if clock::within(wait, self.next_refresh()).await.is_some() {
                return;
            }
            match self.attempt().await {
                Ok(SaveOutcome::Saved(stored_as)) => {
                    if let Some(sink) = sink.as_ref().and_then(Weak::upgrade) {
                        sink.offer(self.new.token.with_stored_as(stored_as));
                    }
                    return;
                }
                Ok(SaveOutcome::Superseded) => return,
                Err(error) => {
                    report(self.on_error.as_deref(), &self.session, &error);
                    if !error.is_transient() {
                        return;
                    }
                }
            }
        }
    }

    fn saved(&self, entry: &Entry) -> SaveOutcome {
        let stored_as =
            StoredAs { version: entry.version(), login: self.new.login, logouts_before: self.new.logouts_before };
        self.session.record_seen(stored_as);
        SaveOutcome::Saved(stored_as)
    }

    fn has_logged_out(&self) -> impl Future<Output = bool> + Send + use<S> {
        let (logouts, logouts_before) = (self.logouts.clone(), self.new.logouts_before);
        async move { logouts.any_after(logouts_before).await }
    }

    async fn next_refresh(&mut self) {
        if self.next_refresh.changed().await.is_err() {
            // The grant was dropped, so there is no next refresh, and the token still has to be saved.
            pending().await
        }
    }
}
