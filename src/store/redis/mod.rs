//! Stores tokens in Redis or Valkey (feature `redis-store`).

mod address;
mod commands;
mod entries;
mod lease;
mod shared_connection;
mod subscriber;

use std::fmt;
use std::time::Duration;

use tokio::sync::watch;

use self::commands::Commands;
use self::entries::Entries;
pub use self::lease::RedisLease;
use self::shared_connection::SharedConnection;
use self::subscriber::Subscriptions;
use super::encryption::KeySet;
use super::{Entry, Key, TokenStore};
use crate::clock::MAX_DURATION;
use crate::error::{BoxError, Error};

/// A store in Redis or Valkey, for processes on several machines that share a login.
///
/// ```no_run
/// use tower_oauth2::{OAuth2Layer, client::Client, grant::RefreshToken, store::RedisStore};
///
/// # fn main() -> Result<(), tower_oauth2::Error> {
/// # let key = [0; 32];
/// let store = RedisStore::new("rediss://app:password@redis.example.com")?.encrypted(key);
/// let grant = RefreshToken::new("https://auth.example.com/token", Client::public("app"), "tGzv3JOkF0XG5Qx2TlKWIA")?
///     .persisted(store)
///     .on_store_error(|error| eprintln!("the token store: {error}"));
/// let layer = OAuth2Layer::new(grant);
/// # let _ = layer;
/// # Ok(())
/// # }
/// ```
///
/// Clones share one connection. The store connects on first use, and reconnects when the connection is lost. It requires a tokio
/// runtime, and works best with a single one: the runtime in which the connection was established drives it. The server is a single
/// server, or a primary with replicas behind one address; redirections of a cluster are not followed.
///
/// # The lock
///
/// The lock is a lease. It expires [45 s](Self::lease) after its process has ended and is extended while the process holds it, because
/// a login can take minutes. Each lease has a fencing token: a number that is greater than all before. If a process or the server was
/// stopped until the lease expired, the fencing token prevents the late process from overwriting a token that another process has
/// saved since then. A program that ends right after a refresh may not have released the lease; it then expires.
///
/// # Changes by other processes
///
/// Each saved token is published, and all processes that use its entry adopt it without a token request. After a lost connection, the
/// entries are loaded again. This takes a second connection and a task, as long as there are receivers.
///
/// # Keys
///
/// | key | content |
/// | --- | --- |
/// | `tower-oauth2:{id}` | a hash with `generation`, `fence`, and the [`Entry`] as JSON or encrypted |
/// | `tower-oauth2:{id}:cleared` | a marker that the entry was cleared, not lost |
/// | `tower-oauth2:{id}:lease` | the holder of the lock; it expires with the lease |
/// | `tower-oauth2:{id}:fence` | the newest fencing token |
/// | `tower-oauth2:{id}:given-up:…` | an abandoned request for the lock; it expires after the time of a lease |
///
/// `id` is [`Key::id`], and the braces are part of the key. Entries do not expire unless they have a
/// [`time_to_live`](Self::time_to_live), because a refresh token outlives its access token by an unknown time. The user of
/// the server needs permission for the keys `tower-oauth2:*`, the channel `tower-oauth2:changes` and these commands:
///
/// ```text
/// ACL SETUSER app on >password ~tower-oauth2:* &tower-oauth2:changes +eval +hmget +hget +hset +exists +get +set +del +incr
///   +pexpire +persist +publish +subscribe +ping
/// ```
///
/// # Errors
///
/// A command returns an error after [2 s](Self::command_timeout) at the latest. Tokens in memory stay in use, and after their expiry
/// [`Persisted`](crate::grant::Persisted) waits for the server.
///
/// If a primary fails, its latest changes may be missing on the replicas, including a lease or a token. For refresh tokens that rotate,
/// use a Redis that writes to disk (`appendonly yes`). An entry that is missing but was not cleared counts as lost: a process that has
/// its token in memory saves it again with the next refresh.
///
/// # Security
///
/// Anyone who can read the entries can use the logins, unless the entries are [encrypted](Self::encrypted). Anyone who can write to the server
/// can remove entries, but cannot forge encrypted ones. A connection to another machine must use `rediss://`. It uses rustls and
/// trusts the certificates of the system. If the process has no default crypto provider for rustls, ring is installed.
#[derive(Clone)]
pub struct RedisStore {
    entries: Entries,
    lease: Duration,
    subscriptions: Subscriptions,
}

impl RedisStore {
    /// Creates a store for a server at `redis://`, `rediss://` or `redis+unix://`. It does not connect yet.
    ///
    /// The form is `rediss://user:password@host:port/database`; everything except the host is optional.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if the URL does not have this form, and
    /// [`ErrorKind::Cleartext`](crate::ErrorKind::Cleartext) if it is `redis://` and leads to another machine.
    pub fn new(url: impl AsRef<str>) -> Result<Self, Error> {
        address::client(url.as_ref(), false).map(Self::with)
    }

    /// Creates a store that may connect to another machine with `redis://`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if the URL does not have this form.
    ///
    /// # Security
    ///
    /// An eavesdropper on the network obtains the password of the server, and the tokens unless they are
    /// [encrypted](Self::encrypted).
    pub fn dangerous_cleartext(url: impl AsRef<str>) -> Result<Self, Error> {
        address::client(url.as_ref(), true).map(Self::with)
    }

    fn with(client: redis::Client) -> Self {
        let commands = Commands { prefix: "tower-oauth2:".to_owned(), time_to_live: Duration::ZERO };
        let entries = Entries { connection: SharedConnection::new(client), commands, keys: KeySet::default() };
        Self { entries, lease: Duration::from_secs(45), subscriptions: Subscriptions::default() }
    }

    /// Sets the prefix of all keys. The default is `tower-oauth2:`. Stores with different prefixes are independent.
    #[must_use]
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        self.with_entries(|entries| entries.commands.prefix = prefix.into())
    }

    /// Encrypts entries with XChaCha20-Poly1305, and rejects entries that are not encrypted.
    ///
    /// The key consists of 256 random bits and must be the same in all processes. An entry is bound to the [prefix](Self::prefix), its
    /// [`Key`] and its version, and is rejected anywhere else. Restoring an old entry together with its version is not detected.
    ///
    /// To rotate the key, first add the new key to all processes with [`decrypt_with`](Self::decrypt_with), and then swap the two keys.
    /// If the key of an entry is lost, the entry can only be cleared, with [`Persisted::clear`](crate::grant::Persisted::clear).
    #[must_use]
    pub fn encrypted(self, key: [u8; 32]) -> Self {
        self.with_entries(|entries| entries.keys.encrypt_with(key))
    }

    /// Adds a key that only decrypts. Can be called several times.
    #[must_use]
    pub fn decrypt_with(self, key: [u8; 32]) -> Self {
        self.with_entries(|entries| entries.keys.decrypt_with(key))
    }

    /// Sets the time-to-live of the lock, which is extended while its holder is alive. The default is 45 s, the minimum 0.1 s.
    ///
    /// The default is longer than the [30 s](crate::OAuth2Layer::token_timeout) of a token request, so that the lock outlasts the request
    /// even if Redis becomes unreachable, and shorter than the [60 s](crate::grant::Persisted::lock_timeout) that other processes wait.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease.clamp(Duration::from_millis(100), MAX_DURATION);
        self
    }

    /// Sets the timeout of a command, including the time to connect. The default is 2 s. With zero, every command fails.
    #[must_use]
    pub fn command_timeout(self, timeout: Duration) -> Self {
        self.with_entries(|entries| entries.connection.timeout = timeout)
    }

    /// Sets the timeout; the former name of [`command_timeout`](Self::command_timeout).
    #[doc(hidden)]
    #[must_use]
    pub fn deadline(self, timeout: Duration) -> Self {
        self.command_timeout(timeout)
    }

    /// Sets the time-to-live of entries, which restarts with each save. With zero, the default, entries do not expire.
    ///
    /// A process that starts after the expiry finds no login. So the time must exceed the lifetime of the refresh token, and the longest
    /// time without a refresh. The minimum is one millisecond.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_oauth2::store::RedisStore;
    ///
    /// # fn main() -> Result<(), tower_oauth2::Error> {
    /// // The refresh tokens of this server are valid for 30 days.
    /// let store = RedisStore::new("rediss://redis.example.com")?.time_to_live(Duration::from_secs(35 * 24 * 60 * 60));
    /// # let _ = store;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn time_to_live(self, time_to_live: Duration) -> Self {
        self.with_entries(|entries| entries.commands.time_to_live = time_to_live)
    }

    fn with_entries(mut self, change: impl FnOnce(&mut Entries)) -> Self {
        change(&mut self.entries);
        // An existing subscription uses the old options.
        self.subscriptions = Subscriptions::default();
        self
    }
}

impl TokenStore for RedisStore {
    type Lock = RedisLease;

    async fn lock(&self, key: &Key) -> Result<RedisLease, BoxError> {
        lease::acquire(&self.entries.connection, &self.entries.commands, key, self.lease).await
    }

    async fn try_lock(&self, key: &Key) -> Result<Option<RedisLease>, BoxError> {
        lease::try_acquire(&self.entries.connection, &self.entries.commands, key, self.lease).await
    }

    async fn load(&self, key: &Key) -> Result<Option<Entry>, BoxError> {
        self.entries.load(key).await
    }

    async fn save(&self, key: &Key, entry: &Entry, lock: &mut RedisLease) -> Result<(), BoxError> {
        self.entries.save(key, entry, lock).await
    }

    async fn clear(&self, key: &Key, generation: u64) -> Result<(), BoxError> {
        self.entries.clear(key, generation).await
    }

    async fn was_cleared(&self, key: &Key) -> Result<bool, BoxError> {
        self.entries.was_cleared(key).await
    }

    fn changes(&self, key: &Key) -> Option<watch::Receiver<Option<Entry>>> {
        self.subscriptions.subscribe(&self.entries, key)
    }
}

/// Prints the address of the server, without the password and the keys.
impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("address", &self.entries.connection.address())
            .field("prefix", &self.entries.commands.prefix)
            .field("encrypted", &self.entries.keys.is_enabled())
            .finish_non_exhaustive()
    }
}
