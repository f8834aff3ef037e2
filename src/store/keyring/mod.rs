//! A store in the system's keyring (feature `keyring-store`).

mod secret_json;
mod worker;

use std::env;
use std::path::PathBuf;
use std::sync::Arc;

use keyring::Error as KeyringError;
use zeroize::Zeroizing;

use self::worker::Worker;
use super::lock_file::LockFile;
use super::store_error::StoreError;
use super::{Entry, Key, PermanentError, TokenStore};
use crate::error::BoxError;

/// A store in the keyring of the operating system, for programs on a user's machine.
///
/// The keyring is the Keychain on macOS, the Credential Manager on Windows, and elsewhere the Secret Service of the desktop (GNOME
/// Keyring, KWallet, KeePassXC), over D-Bus. An entry is a secret of the given service, under the [id](Key::id) of its key.
///
/// ```no_run
/// use tower_oauth2::{OAuth2Layer, client::Client, grant::RefreshToken, store::KeyringStore};
///
/// # fn main() -> Result<(), tower_oauth2::Error> {
/// let grant = RefreshToken::new("https://auth.example.com/token", Client::public("app"), "tGzv3JOkF0XG5Qx2TlKWIA")?
///     .persisted(KeyringStore::new("com.example.app"))
///     .on_store_error(|error| eprintln!("the token store: {error}"));
/// let layer = OAuth2Layer::new(grant);
/// # let _ = layer;
/// # Ok(())
/// # }
/// ```
///
/// # The lock
///
/// A keyring has no locks. So there are two empty lock files per key in the cache directory of the user (`$XDG_CACHE_HOME/tower-oauth2`
/// or its equivalent on other systems): `….lock` is locked during a refresh, `….write-lock` during a change. The system releases the
/// locks when a process ends or is killed. The files are not removed.
///
/// # Errors
///
/// If there is no keyring, as on most servers, every operation fails: a process looks for the keyring once. Windows stores no secret
/// longer than 2560 bytes; some tokens are longer.
///
/// A locked keyring asks its user to unlock it. An operation returns an error after 8 s; the request to the keyring continues, and
/// further operations wait behind it, each up to 8 s, until the user has acted. A store and its clones use one thread, which ends
/// with the last clone.
///
/// If a secret cannot be read or belongs to another program, the operation returns an error, and the secret is not replaced.
/// [`Persisted::clear`](crate::grant::Persisted::clear) removes it. An older version of a token does not replace a newer one, and a
/// token that could not be read again is not saved.
///
/// # Cancel safety
///
/// An operation that has started runs to completion if its future is dropped, so a dropped save can still succeed. It holds the lock
/// until then.
///
/// # Security
///
/// The keyring protects the tokens from other users, and from anyone who has only the disk. On most desktops, every program of the
/// same user can read them.
#[derive(Clone, Debug)]
pub struct KeyringStore {
    service: String,
    lock_dir: Option<PathBuf>,
    worker: Worker,
}

/// The lock of one entry of a [`KeyringStore`], released when it is dropped and a save that has started is complete.
#[derive(Debug)]
pub struct KeyringLock {
    id: String,
    file: Arc<LockFile>,
}

impl KeyringStore {
    /// Creates a store for the secrets of this service. The name should be unique to your program; users see it in their keyring.
    pub fn new(service: impl Into<String>) -> Self {
        Self {
            service: service.into(),
            lock_dir: cache_dir().map(|folder| folder.join("tower-oauth2")),
            worker: Worker::new(),
        }
    }

    /// Sets the directory of the lock files. All processes on this machine must use the same directory.
    #[must_use]
    pub fn lock_folder(self, folder: impl Into<PathBuf>) -> Self {
        Self { lock_dir: Some(folder.into()), ..self }
    }

    fn lock_path(&self, key: &Key, extension: &str) -> Result<PathBuf, BoxError> {
        let folder = self.lock_dir.as_ref().ok_or_else(|| {
            PermanentError::message("there is no directory for the lock files; set one with `lock_folder`")
        })?;
        Ok(folder.join(format!("{}.{extension}", key.id())))
    }

    /// Runs an operation on the secret of this key.
    async fn with<T: Send + 'static>(
        &self,
        key: &Key,
        operation: impl FnOnce(keyring::Entry) -> Result<T, BoxError> + Send + 'static,
    ) -> Result<T, BoxError> {
        let (service, id) = (self.service.clone(), key.id().to_owned());
        self.worker.run(move || operation(open(&service, &id)?)).await
    }

    /// Calls `operation` under the write lock, so that no other process changes the secret between the read and the write.
    async fn change(
        &self,
        key: &Key,
        operation: impl FnOnce(keyring::Entry) -> Result<(), BoxError> + Send + 'static,
    ) -> Result<(), BoxError> {
        let (service, id) = (self.service.clone(), key.id().to_owned());
        let path = self.lock_path(key, "write-lock").ok();
        // Without a directory for lock files no process can save, so a logout needs no lock.
        let changing = async {
            match path {
                Some(path) => Ok(LockFile::acquire(path).await.ok()),
                None => Ok(None),
            }
        };
        let work = move |_changing: Option<LockFile>| operation(open(&service, &id)?);
        self.worker.run_after(changing, work).await
    }
}

impl TokenStore for KeyringStore {
    type Lock = KeyringLock;

    async fn lock(&self, key: &Key) -> Result<KeyringLock, BoxError> {
        let file = LockFile::acquire(self.lock_path(key, "lock")?).await?;
        Ok(KeyringLock { id: key.id().to_owned(), file: Arc::new(file) })
    }

    async fn try_lock(&self, key: &Key) -> Result<Option<KeyringLock>, BoxError> {
        let file = LockFile::try_acquire(self.lock_path(key, "lock")?).await?;
        Ok(file.map(|file| KeyringLock { id: key.id().to_owned(), file: Arc::new(file) }))
    }

    async fn load(&self, key: &Key) -> Result<Option<Entry>, BoxError> {
        self.with(key, |secret| read_secret(&secret)?.transpose()).await
    }

    async fn save(&self, key: &Key, entry: &Entry, lock: &mut KeyringLock) -> Result<(), BoxError> {
        if key.id() != lock.id {
            return Err(StoreError::boxed("the lock is another entry's"));
        }
        let (content, entry) = (secret_json::write(entry)?, entry.clone());
        // If this future is dropped while the keyring is locked, the save may still succeed: it holds the lock.
        let refresh_lock = lock.file.clone();
        let save = move |secret: keyring::Entry| {
            let _refresh_lock = refresh_lock;
            match read_secret(&secret)?.transpose()? {
                None if entry.is_refresh() => {
                    return Err(StoreError::boxed("the entry was cleared by a logout"));
                }
                Some(stored) if entry.is_outdated_by(&stored) => {
                    return Err(StoreError::boxed("the stored token is newer than this one; nothing was changed"));
                }
                _ => {}
            }
            secret.set_password(&content).map_err(keyring_error)
        };
        self.change(key, save).await
    }

    async fn clear(&self, key: &Key, generation: u64) -> Result<(), BoxError> {
        let clear = move |secret: keyring::Entry| {
            let is_meant = match read_secret(&secret)? {
                None => false,
                Some(Ok(stored)) => stored.generation <= generation,
                // An unreadable entry is removed only if every version is cleared.
                Some(Err(_)) if generation == u64::MAX => true,
                Some(Err(why)) => return Err(why),
            };
            match is_meant.then(|| secret.delete_credential()) {
                None | Some(Ok(()) | Err(KeyringError::NoEntry)) => Ok(()),
                Some(Err(why)) => Err(keyring_error(why)),
            }
        };
        self.change(key, clear).await
    }
}

fn open(service: &str, id: &str) -> Result<keyring::Entry, BoxError> {
    match keyring::Entry::store_status() {
        Ok(()) => keyring::Entry::new(service, id).map_err(keyring_error),
        Err(why) => Err(PermanentError::message(format!("there is no keyring: {}", message(why)))),
    }
}

/// Reads the secret. The inner result is an error if the secret can be accessed but not parsed.
fn read_secret(secret: &keyring::Entry) -> Result<Option<Result<Entry, BoxError>>, BoxError> {
    match secret.get_password() {
        Ok(json) => Ok(Some(secret_json::read(Zeroizing::new(json).as_bytes()))),
        Err(KeyringError::NoEntry) => Ok(None),
        Err(why @ (KeyringError::BadEncoding(_) | KeyringError::BadDataFormat(..))) => {
            Ok(Some(Err(keyring_error(why))))
        }
        Err(why) => Err(keyring_error(why)),
    }
}

fn keyring_error(why: KeyringError) -> BoxError {
    let text = format!("the keyring: {}", message(&why));
    if is_permanent(&why) { PermanentError::message(text) } else { StoreError::boxed(text) }
}

/// Returns whether the error is permanent: all errors except a keyring that is locked or cannot be reached.
fn is_permanent(why: &KeyringError) -> bool {
    !matches!(why, KeyringError::PlatformFailure(_) | KeyringError::NoStorageAccess(_) | KeyringError::NoEntry)
}

/// Returns the message of an error. Some errors of the keyring contain the secret.
fn message(why: &KeyringError) -> String {
    match why {
        KeyringError::BadEncoding(_) | KeyringError::BadDataFormat(..) => "the stored secret is not text".to_owned(),
        KeyringError::Ambiguous(_) => "several secrets have this name".to_owned(),
        why => why.to_string(),
    }
}

/// Returns the cache directory of the user, not of the session, so that a background job of the user finds the same lock files.
fn cache_dir() -> Option<PathBuf> {
    let folder = |name: &str| env::var_os(name).map(PathBuf::from).filter(|folder| folder.is_absolute());
    if cfg!(windows) {
        return folder("LOCALAPPDATA");
    }
    if cfg!(target_os = "macos") {
        return folder("HOME").map(|home| home.join("Library/Caches"));
    }
    folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")))
}
