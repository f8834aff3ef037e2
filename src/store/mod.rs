//! Stores for tokens that outlive the process, or that several processes share.
//!
//! | store | use |
//! | --- | --- |
//! | [`MemoryStore`] | several layers in one process, and tests |
//! | `FileStore` (feature `file-store`) | programs that are restarted, and several processes of one machine |
//! | `KeyringStore` (feature `keyring-store`) | programs on a user's machine |
//! | `RedisStore` (feature `redis-store`) | processes on several machines |
//! | any [`TokenStore`] | a database of your own |
//! | [`BoxStore`] | any of these, chosen at run time |
//!
//! A store keeps one [`Entry`] per [`Key`]. [`Persisted`](crate::grant::Persisted) reads and writes it with the lock of the store. See
//! [stores](crate::docs::stores) for the protocol and its guarantees in case of failures.

#[cfg(feature = "redis-store")]
mod encryption;
mod entry;
#[cfg(feature = "file-store")]
mod file;
#[cfg(any(feature = "file-store", feature = "keyring-store", feature = "redis-store"))]
mod json;
mod key;
#[cfg(feature = "keyring-store")]
mod keyring;
#[cfg(any(feature = "file-store", feature = "keyring-store"))]
mod local_fs;
#[cfg(any(feature = "file-store", feature = "keyring-store"))]
mod lock_file;
mod memory;
#[cfg(feature = "redis-store")]
mod redis;
mod store_error;
mod token_store;

pub use self::entry::Entry;
#[cfg(feature = "file-store")]
pub use self::file::{FileLock, FileStore};
pub use self::key::Key;
#[cfg(feature = "keyring-store")]
pub use self::keyring::{KeyringLock, KeyringStore};
pub use self::memory::{MemoryLock, MemoryStore};
#[cfg(feature = "redis-store")]
pub use self::redis::{RedisLease, RedisStore};
pub use self::store_error::PermanentError;
pub(crate) use self::store_error::{is_permanent, loggable_cause};
pub use self::token_store::{BoxLock, BoxStore, TokenStore};
