//! A store in the system's keyring (feature `keyring-store`).

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs, io, thread};

use keyring::Error as KeyringError;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::{Entry, Key, TokenStore};
use crate::error::BoxError;
use crate::{clock, random};

const VERSION: u32 = 1;

/// Who waits for the lock looks again after this long, less up to half of it.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Keeps tokens where the system keeps the passwords of its user: for programs on a person's machine.
///
/// That is the Keychain on macOS, the Credential Manager on Windows, and elsewhere the Secret Service of the desktop (GNOME Keyring,
/// KWallet, KeePassXC), by D-Bus. An entry is a secret of that service, under the [id](Key::id) of its key.
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
/// A keyring has none. So there is an empty file for each key in the user's cache folder, in
/// `$XDG_CACHE_HOME/tower-oauth2` or where the system has such things, which is locked: the system gives that back when a process
/// ends, however it does. The file stays.
///
/// # Errors
///
/// Where there is no keyring, as on most servers, each operation fails, and so does each after it: the keyring is looked for once
/// in a process. Windows keeps no secret longer than 2560 bytes, which some tokens are.
///
/// A locked keyring asks its user to unlock it, and the operation waits for them; [`Persisted`](crate::grant::Persisted) does not
/// wait that long, and takes it for an error.
///
/// # Cancel safety
///
/// What was begun goes on in a thread of its own when it is dropped: a save may still come about.
///
/// # Security
///
/// It keeps tokens from other users, and from who has the disk. On most desktops every program of the same user can read them.
/// Between the look and the removal of [`clear`](TokenStore::clear) another process may save, unless the lock is held.
#[derive(Clone, Debug)]
pub struct KeyringStore {
    service: String,
    locks: Option<PathBuf>,
}

/// The turn to renew one entry of a [`KeyringStore`]; the next one has theirs when it is dropped.
#[derive(Debug)]
pub struct KeyringLock {
    /// The lock goes when the file is closed.
    _file: File,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    #[serde(flatten)]
    entry: Entry,
}

impl KeyringStore {
    /// The secrets of this service: a name of your program's own, by which the user finds them in their keyring.
    pub fn new(service: impl Into<String>) -> Self {
        Self { service: service.into(), locks: caches().map(|folder| folder.join("tower-oauth2")) }
    }

    /// Where the files for the locks are. It has to be the same folder for all processes, on this machine.
    #[must_use]
    pub fn lock_folder(self, folder: impl Into<PathBuf>) -> Self {
        Self { locks: Some(folder.into()), ..self }
    }

    /// Does something with the secret of this key. A thread of its own may wait for a person, and holds up neither a runtime
    /// nor the end of the process.
    async fn with<T: Send + 'static>(
        &self,
        key: &Key,
        operation: impl FnOnce(keyring::Entry) -> Result<T, BoxError> + Send + 'static,
    ) -> Result<T, BoxError> {
        let (service, id) = (self.service.clone(), key.id().to_owned());
        in_thread(move || operation(open(&service, &id)?)).await
    }
}

impl TokenStore for KeyringStore {
    type Lock = KeyringLock;

    async fn lock(&self, key: &Key) -> Result<KeyringLock, BoxError> {
        let folder = self.locks.clone().ok_or("there is no folder for the lock; name one by `lock_folder`")?;
        let path = folder.join(format!("{}.lock", key.id()));
        loop {
            let path = path.clone();
            // Who has gone away meanwhile gets a file that is closed at once.
            if let Some(file) = in_thread(move || try_lock(&path)).await? {
                return Ok(KeyringLock { _file: file });
            }
            clock::sleep(LOOK_AGAIN.mul_f64(1.0 - random::unit() / 2.0)).await;
        }
    }

    async fn load(&self, key: &Key) -> Result<Option<Entry>, BoxError> {
        self.with(key, |secret| read(&secret)).await
    }

    async fn save(&self, key: &Key, entry: &Entry, _lock: &mut KeyringLock) -> Result<(), BoxError> {
        let kept = Kept { version: VERSION, entry: entry.clone() };
        let json = Zeroizing::new(serde_json::to_string(&kept)?);
        self.with(key, move |secret| secret.set_password(&json).map_err(said)).await
    }

    async fn clear(&self, key: &Key, generation: u64) -> Result<(), BoxError> {
        let clear = move |secret: keyring::Entry| {
            // What cannot be understood can still be cleared, when all is to go.
            let is_meant = match read(&secret) {
                Ok(stored) => stored.is_some_and(|stored| stored.generation <= generation),
                Err(_) if generation == u64::MAX => true,
                Err(why) => return Err(why),
            };
            match is_meant.then(|| secret.delete_credential()) {
                None | Some(Ok(()) | Err(KeyringError::NoEntry)) => Ok(()),
                Some(Err(why)) => Err(said(why)),
            }
        };
        self.with(key, clear).await
    }
}

async fn in_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BoxError> + Send + 'static,
) -> Result<T, BoxError> {
    let (done, outcome) = oneshot::channel();
    thread::Builder::new().name("keyring".to_owned()).spawn(move || _ = done.send(work()))?;
    outcome.await.map_err(|_| "the keyring panicked")?
}

fn open(service: &str, id: &str) -> Result<keyring::Entry, BoxError> {
    match keyring::Entry::store_status() {
        Ok(()) => keyring::Entry::new(service, id).map_err(said),
        Err(why) => Err(format!("there is no keyring: {}", plain(why)).into()),
    }
}

fn read(secret: &keyring::Entry) -> Result<Option<Entry>, BoxError> {
    let json = match secret.get_password() {
        Ok(json) => Zeroizing::new(json),
        Err(KeyringError::NoEntry) => return Ok(None),
        Err(why) => return Err(said(why)),
    };
    match serde_json::from_str::<Kept>(&json) {
        Ok(Kept { version: VERSION, entry }) => Ok(Some(entry)),
        Ok(Kept { version, .. }) => Err(format!("the stored token is of version {version}, which is not known").into()),
        // The error of serde_json cites what it read.
        Err(why) => Err(format!("the stored token is not understood ({:?})", why.classify()).into()),
    }
}

fn said(why: KeyringError) -> BoxError {
    format!("the keyring: {}", plain(&why)).into()
}

/// Some of the keyring's errors have the secret in them.
fn plain(why: &KeyringError) -> String {
    match why {
        KeyringError::BadEncoding(_) | KeyringError::BadDataFormat(..) => "what is stored is not a text".to_owned(),
        KeyringError::Ambiguous(_) => "several secrets have this name".to_owned(),
        why => why.to_string(),
    }
}

/// The file, if it could be locked.
fn try_lock(path: &Path) -> Result<Option<File>, BoxError> {
    let open = || File::options().create(true).truncate(false).write(true).open(path);
    let file = match open() {
        Err(why) if why.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(path.parent().unwrap_or(path))?;
            open()?
        }
        outcome => outcome?,
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(why)) => Err(why.into()),
    }
}

/// The user's, and not the session's: a job of theirs that runs at night is to find the same lock.
fn caches() -> Option<PathBuf> {
    let folder = |name: &str| env::var_os(name).map(PathBuf::from).filter(|folder| folder.is_absolute());
    if cfg!(windows) {
        return folder("LOCALAPPDATA");
    }
    if cfg!(target_os = "macos") {
        return folder("HOME").map(|home| home.join("Library/Caches"));
    }
    folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")))
}
