//! A store in Redis or Valkey (feature `redis-store`).

mod address;
mod lease;
mod link;
mod news;
mod scripts;
mod table;

use std::fmt;
use std::time::Duration;

use tokio::sync::watch;

pub use self::lease::RedisLease;
use self::link::Link;
use self::news::Newsroom;
use self::scripts::Names;
use self::table::Table;
use super::sealed::Seals;
use super::{Entry, Key, TokenStore};
use crate::error::{BoxError, Error};

/// Keeps tokens in Redis or Valkey: for processes on several machines that share one login.
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
/// Clones are the same store, over one connection. It connects with the first use, and again when the connection is lost. It
/// works in a tokio runtime only, and best in one: the connection is driven by the one in which it was made. The server is one, or
/// a primary and its replicas behind one address; a cluster is not followed from node to node.
///
/// # The turn to renew
///
/// Who renews holds a lease, which ends by itself [45 s](Self::lease) after its process has died, and is prolonged until then:
/// a person may take minutes to log in. With each lease comes a number greater than any before. Whoever had to let the lease go,
/// because their process or the server stood still, is known by their number and cannot overwrite what another has saved since.
///
/// # What the others hear
///
/// Each saved token is published, and every process that uses its entry takes it over without a request of its own. After a lost
/// connection the entries are looked at again. That is a second connection and a task, for as long as anybody listens.
///
/// # What is kept
///
/// | key | what |
/// | --- | --- |
/// | `tower-oauth2:{id}` | a hash: `generation`, `fence`, and the [`Entry`] as JSON or encrypted |
/// | `tower-oauth2:{id}:lease` | whose turn it is, for as long as it is |
/// | `tower-oauth2:{id}:fence` | the newest number |
/// | `tower-oauth2:{id}:given-up:…` | a wish for the turn that was given up; it ends with the time of a lease |
///
/// `id` is [`Key::id`], and the braces belong to the key. Entries do not end by themselves: a refresh token outlives its access
/// token by a time that nobody tells. The user needs the commands `EVAL`, `HMGET`, `SUBSCRIBE`, `PING` and those of the scripts, on
/// the keys `tower-oauth2:*` and the channel `tower-oauth2:changes`.
///
/// # Errors
///
/// No command waits for a server that is not there: it ends after [2 s](Self::deadline) at the latest. The tokens that are in
/// memory go on serving, and when they have ended [`Persisted`](crate::grant::Persisted) waits for the server to come back.
///
/// A primary that dies may take its last moment along, with a lease or a token in it: the replicas come after. For tokens that
/// rotate use a Redis that writes to disk (`appendonly yes`).
///
/// # Security
///
/// Who can read the entries has the logins, unless they are [encrypted](Self::encrypted). Who can write to the server can take them
/// away, but with encryption not put in others. A connection that leaves the machine has to be `rediss://`; it trusts the
/// certificates that the system trusts, by rustls. Where the process has no default provider of rustls yet, ring becomes it.
#[derive(Clone)]
pub struct RedisStore {
    table: Table,
    lease: Duration,
    newsroom: Newsroom,
}

impl RedisStore {
    /// The server at `redis://`, `rediss://` or `redis+unix://`, which need not be there yet.
    ///
    /// `rediss://user:password@host:port/database`; all but the host may be left out.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when the URL is not of this form, and
    /// [`ErrorKind::Cleartext`](crate::ErrorKind::Cleartext) when it is `redis://` and leads to another machine.
    pub fn new(url: impl AsRef<str>) -> Result<Self, Error> {
        address::client(url.as_ref(), false).map(Self::with)
    }

    /// As [`new`](Self::new), and `redis://` may lead to another machine.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when the URL is not of this form.
    ///
    /// # Security
    ///
    /// Whoever listens on the way has the password of the server, and the tokens unless they are
    /// [encrypted](Self::encrypted).
    pub fn dangerous_cleartext(url: impl AsRef<str>) -> Result<Self, Error> {
        address::client(url.as_ref(), true).map(Self::with)
    }

    fn with(client: redis::Client) -> Self {
        let names = Names { prefix: "tower-oauth2:".to_owned() };
        let table = Table { link: Link::new(client), names, seals: Seals::default() };
        Self { table, lease: Duration::from_secs(45), newsroom: Newsroom::default() }
    }

    /// How its keys begin: `tower-oauth2:`. Stores with different prefixes know nothing of each other.
    #[must_use]
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        self.table(|table| table.names = Names { prefix: prefix.into() })
    }

    /// Encrypts what it keeps (XChaCha20-Poly1305), and takes nothing that is not encrypted.
    ///
    /// The key is 256 random bits, the same in all processes. What is encrypted is bound to its [`Key`] and generation: moved to
    /// another it is refused.
    ///
    /// To change the key, give all processes the new one by [`encrypted_before`](Self::encrypted_before) first, and then change the
    /// two places. An entry whose key is lost can only be cleared, with [`Persisted::clear`](crate::grant::Persisted::clear).
    #[must_use]
    pub fn encrypted(self, key: [u8; 32]) -> Self {
        self.table(|table| table.seals.seal_with(key))
    }

    /// Also reads what was encrypted with this key; may be given several times.
    #[must_use]
    pub fn encrypted_before(self, key: [u8; 32]) -> Self {
        self.table(|table| table.seals.open_also(key))
    }

    /// How long the turn to renew lasts beyond the last sign of life of whoever has it: 45 s, and at least 0.1 s.
    ///
    /// That is longer than the [30 s](crate::OAuth2Layer::token_deadline) of a token call, so that it is carried through even when the server
    /// goes away meanwhile; and shorter than the [60 s](crate::grant::Persisted::lock_deadline) for which others wait.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease.max(Duration::from_millis(100));
        self
    }

    /// How long a command may take, and a connection if it needs one: 2 s. Zero fails each.
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> Self {
        self.table(|table| table.link.deadline = deadline)
    }

    fn table(mut self, change: impl FnOnce(&mut Table)) -> Self {
        change(&mut self.table);
        // Those who listen already listen by the old table.
        self.newsroom = Newsroom::default();
        self
    }
}

impl TokenStore for RedisStore {
    type Lock = RedisLease;

    async fn lock(&self, key: &Key) -> Result<RedisLease, BoxError> {
        lease::take(&self.table.link, &self.table.names, key, self.lease).await
    }

    async fn load(&self, key: &Key) -> Result<Option<Entry>, BoxError> {
        self.table.load(key).await
    }

    async fn save(&self, key: &Key, entry: &Entry, lock: &mut RedisLease) -> Result<(), BoxError> {
        self.table.save(key, entry, lock).await
    }

    async fn clear(&self, key: &Key, generation: u64) -> Result<(), BoxError> {
        self.table.clear(key, generation).await
    }

    fn changes(&self, key: &Key) -> Option<watch::Receiver<Option<Entry>>> {
        self.newsroom.subscribe(&self.table, key)
    }
}

/// Tells where the server is, without the password, and no key.
impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("address", &self.table.link.address())
            .field("prefix", &self.table.names.prefix)
            .field("encrypted", &self.table.seals.are_there())
            .finish_non_exhaustive()
    }
}
