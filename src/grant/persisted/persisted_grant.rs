//! The type [`Persisted`], its options, and its access to the stored token.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::coordinator::Coordinator;
use super::fallback_token::FallbackToken;
use super::version;
use crate::error::Error;
use crate::store::{Entry, Key, TokenStore};
use crate::token::Token;

/// A grant whose token is kept in a [store](crate::store); made by the `persisted` of each grant.
///
/// ```
/// use tower_oauth2::{OAuth2Layer, client::Client, grant::RefreshToken, store::MemoryStore};
///
/// # fn main() -> Result<(), tower_oauth2::Error> {
/// let grant = RefreshToken::new("https://auth.example.com/token", Client::public("app"), "tGzv3JOkF0XG5Qx2TlKWIA")?
///     .persisted(MemoryStore::new())
///     .on_store_error(|error| eprintln!("the token store: {error}"));
/// let layer = OAuth2Layer::new(grant);
/// # let _ = layer;
/// # Ok(())
/// # }
/// ```
///
/// The first token is the stored one, if it has not expired. To refresh it, the grant takes these steps, so that one of all processes
/// that share the store sends the token request:
///
/// 1. Load the entry. If another process has refreshed the token, use its token, without a token request.
/// 2. Take the store's lock, and load the entry again.
/// 3. Send the token request, with the refresh token that is stored *now*.
/// 4. Save the new token, and then use it. Release the lock.
///
/// [`Tokens::refresh`](crate::Tokens::refresh) refreshes the token that this process has loaded, or returns a newer one that another process
/// has saved. If this process has loaded no token yet, it does not return the stored token either, but refreshes it.
///
/// # Initial token
///
/// A layer does not start with the `.token(…)` of the grant, because the store may hold a newer one. If the store has no entry, or
/// only an expired token without a refresh token, the grant's token is used instead: it is saved without a token request if it has not
/// expired, and refreshed otherwise. After that only the stored token counts.
///
/// # Forgetting
///
/// After [`Tokens::forget`](crate::Tokens::forget) the next request removes the stored token too, even if another process has refreshed
/// it meanwhile. [`clear`](Self::clear) removes it at once. A new login of another process is used.
///
/// A token that was [set](crate::Tokens::set) is saved when it is refreshed, or with [`save`](Self::save). Until then the stored login does
/// not replace it.
///
/// # Errors
///
/// If the store fails, the token in memory is used until it expires, and [`on_store_error`](Self::on_store_error) is called. After that,
/// if the store cannot be reached or another process holds its lock for longer than [`lock_timeout`](Self::lock_timeout), requests fail
/// with [`ErrorKind::Store`](crate::ErrorKind::Store). A refresh without the lock could use the same refresh token twice, and end the
/// login for all processes: see [`refresh_without_store`](Self::refresh_without_store). A permanent error, such as a damaged file, is
/// returned at once: see [`PermanentError`](crate::store::PermanentError).
///
/// # Security
///
/// Anyone who can read the store has the login.
pub struct Persisted<G, S> {
    pub(super) grant: G,
    pub(super) coordinator: Arc<Coordinator<S>>,
    pub(super) fallback: FallbackToken,
    /// Whether the grant acts for a user whom the key has to name.
    needs_subject: bool,
    /// Whether the key does not name that user yet.
    lacks_subject: bool,
}

impl<G, S: TokenStore> Persisted<G, S> {
    /// Keeps the token of `grant` in a store, under this key.
    ///
    /// This constructor is for grants of your own. The grants of this crate have a method `persisted`, which makes the key.
    ///
    /// ```
    /// use tower_oauth2::{Token, grant::{Context, Persisted, grant_fn}, store::{Key, MemoryStore}};
    ///
    /// let grant = grant_fn(async |_cx: Context| Token::bearer("fixed"));
    /// let key = Key::new("https://auth.example.com/token", "app").subject("alice");
    /// let grant = Persisted::new(grant, MemoryStore::new(), key);
    /// # let _layer = tower_oauth2::OAuth2Layer::new(grant);
    /// ```
    pub fn new(grant: G, store: S, key: Key) -> Self {
        Self {
            grant,
            coordinator: Arc::new(Coordinator::new(store, key)),
            fallback: FallbackToken::default(),
            needs_subject: false,
            lacks_subject: false,
        }
    }

    /// Sets the person whose token it is, if several people log in with the same client. An empty name is none.
    #[must_use]
    pub fn subject(self, subject: impl Into<String>) -> Self {
        let subject = subject.into();
        let named = Self { lacks_subject: self.needs_subject && subject.is_empty(), ..self };
        named.configure(|coordinator| {
            coordinator.entry.key = coordinator.entry.key.clone().subject(subject);
            coordinator.logouts = Arc::default();
        })
    }

    /// Sets the maximum wait for a lock that another process holds; 60 s by default. With zero, a free lock is taken, and a lock that
    /// another process holds is an error at once.
    ///
    /// When it elapses, waiting requests fail with [`ErrorKind::Store`](crate::ErrorKind::Store), and the next attempt follows after the
    /// back-off.
    #[must_use]
    pub fn lock_timeout(self, timeout: Duration) -> Self {
        self.configure(|coordinator| coordinator.entry.lock_timeout = timeout)
    }

    /// Refreshes an expired token even if the store cannot be reached, and saves the new one when it can be reached again.
    ///
    /// By default, requests wait for the store, up to [`lock_timeout`](Self::lock_timeout), and then fail with
    /// [`ErrorKind::Store`](crate::ErrorKind::Store), because several processes could use the same refresh token, and a process that has
    /// just started does not have the newest one. For grants that need neither a person nor a refresh token, such as
    /// [`ClientCredentials`](crate::grant::ClientCredentials), this option is set by default.
    #[must_use]
    pub fn refresh_without_store(self) -> Self {
        self.configure(|coordinator| coordinator.refresh_without_store = true)
    }

    /// Sets a callback for each error of the store, also those of a save that is tried again in the background. It is called by the
    /// refresh task, so it must not block.
    #[must_use]
    pub fn on_store_error(self, callback: impl Fn(&Error) + Send + Sync + 'static) -> Self {
        self.configure(|coordinator| coordinator.on_error = Some(Arc::new(callback)))
    }

    /// Returns the key of the entry in the store.
    pub fn key(&self) -> &Key {
        &self.coordinator.entry.key
    }

    /// Loads the stored token, even if it has expired. If the store does not respond within 10 s, that is an error.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`](crate::ErrorKind::Store), with the store's error as the source.
    ///
    /// # Cancel safety
    ///
    /// It only reads.
    pub async fn load(&self) -> Result<Option<Token>, Error> {
        self.check_subject()?;
        let stored = self.coordinator.entry.load().await?;
        Ok(stored.map(|entry| {
            let stored_as = version::stored_as(&entry);
            entry.token.with_stored_as(stored_as)
        }))
    }

    /// Saves a token that was obtained in another way, in place of the stored login.
    ///
    /// It waits for the lock, up to [`lock_timeout`](Self::lock_timeout). Processes that share the store use the token from their next
    /// refresh on, or at once if the store [reports changes](TokenStore::changes). A token that was [set](crate::Tokens::set) stays in
    /// use.
    ///
    /// ```
    /// use tower_oauth2::{Token, client::Client, grant::RefreshToken, store::MemoryStore};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower_oauth2::Error> {
    /// let grant = RefreshToken::stored("https://auth.example.com/token", Client::public("app"))?
    ///     .persisted(MemoryStore::new());
    /// let token = Token::bearer("2YotnFZFEjr1zCsicMWpAA")?.with_refresh_token("tGzv3JOkF0XG5Qx2TlKWIA");
    /// grant.save(token.clone()).await?;
    /// assert_eq!(grant.load().await?, Some(token));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`](crate::ErrorKind::Store), with the store's error as the source, or if another process holds the lock for too
    /// long.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the token may or may not be saved.
    pub async fn save(&self, token: Token) -> Result<(), Error> {
        self.check_subject()?;
        let stored_entry = &self.coordinator.entry;
        self.coordinator.sessions.end_saves();
        let mut lock = stored_entry.lock(stored_entry.lock_timeout, || {}).await??;
        let stored = stored_entry.load().await?.map_or(0, |entry| entry.version());
        let entry = Entry::new(token, version::next(stored, None)?).with_login(version::new_login());
        stored_entry.save(&entry, &mut lock).await
    }

    /// Removes the stored token: a logout.
    ///
    /// [`Tokens::forget`](crate::Tokens::forget) also drops the token that a layer has in memory, and
    /// [`Tokens::revoke`](crate::Tokens::revoke) or a [`RevocationEndpoint`](crate::endpoint::RevocationEndpoint) revokes it at the server.
    ///
    /// It does not wait for the lock, and it is final: a refresh that is running, in this process or in another one, does not save its
    /// token. A process that has the token in memory uses it until it expires, and then needs another login. A damaged entry is removed too.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`](crate::ErrorKind::Store), with the store's error as the source.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the token may or may not be removed. It can be called again.
    #[doc(alias = "logout")]
    pub async fn clear(&self) -> Result<(), Error> {
        self.check_subject()?;
        let logout = self.coordinator.logouts.begin();
        let cleared = self.coordinator.entry.clear(u64::MAX).await;
        if cleared.is_err() {
            logout.failed();
        }
        cleared
    }

    /// Makes [`subject`](Self::subject) mandatory, for grants that act for a user whom the key does not name.
    pub(in crate::grant) fn require_subject(self) -> Self {
        Self { needs_subject: true, lacks_subject: true, ..self }
    }

    pub(super) fn check_subject(&self) -> Result<(), Error> {
        if self.lacks_subject {
            return Err(Error::argument(
                "persisted",
                "this grant needs `.persisted(store).subject(name)`: two users would share one entry of the store",
            ));
        }
        Ok(())
    }

    /// Checks that the key names the tenant whose token it is. The grants of tenants are often alike.
    pub(super) fn check_tenant(&self) -> Result<(), Error> {
        if self.key().has_owner() {
            return Ok(());
        }
        Err(Error::argument(
            "persisted",
            "the grant of a tenant needs `.persisted(store).subject(name)`: two tenants could share one entry of the store",
        ))
    }

    fn configure(self, change: impl FnOnce(&mut Coordinator<S>)) -> Self {
        let mut coordinator = (*self.coordinator).clone();
        change(&mut coordinator);
        Self { coordinator: Arc::new(coordinator), ..self }
    }
}

/// The clone has the same store and key, and has not loaded a token yet.
impl<G: Clone, S: TokenStore> Clone for Persisted<G, S> {
    fn clone(&self) -> Self {
        let coordinator = Arc::new((*self.coordinator).clone());
        Self {
            grant: self.grant.clone(),
            coordinator,
            fallback: self.fallback.clone(),
            needs_subject: self.needs_subject,
            lacks_subject: self.lacks_subject,
        }
    }
}

impl<G: fmt::Debug, S: TokenStore> fmt::Debug for Persisted<G, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Persisted")
            .field("grant", &self.grant)
            .field("key", &self.coordinator.entry.key)
            .finish_non_exhaustive()
    }
}
