//! A store of files: one for each entry, and locks that end with their process.
//!
//! | file | what it is |
//! | --- | --- |
//! | `place` | where the files of an entry are |
//! | `content` | what stands in one |
//! | `steps` | reading, saving and clearing, step by step |
//! | `disk` | what a step can be |
//! | `lock` | locks among processes, waited for without a thread |
//! | `problem` | what can be wrong, and what to do |

mod content;
#[cfg(test)]
mod crash;
mod disk;
mod lock;
mod place;
mod problem;
mod steps;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::disk::Os;
pub use self::lock::FileLock;
use self::place::Place;
use super::{Entry, Key, TokenStore};
use crate::error::BoxError;

/// Keeps tokens in files: for a program that goes on without a login at its next start, and for several processes of one
/// machine that share a login. Clones are the same store.
///
/// ```
/// use tower_oauth2::{OAuth2Layer, client::Client, grant::DeviceCode, store::FileStore};
///
/// # fn main() -> Result<(), tower_oauth2::Error> {
/// let (device_url, token_url) = ("https://auth.example.com/device", "https://auth.example.com/token");
/// let grant = DeviceCode::new(device_url, token_url, Client::public("app"), |prompt| {
///     println!("Open {} and enter {}", prompt.verification_uri(), prompt.user_code());
/// })?;
/// let layer = OAuth2Layer::new(grant.persisted(FileStore::new("/var/lib/app/tokens")));
/// # let _ = layer;
/// # Ok(())
/// # }
/// ```
///
/// A path that ends in `.json` is the file of one login. Any other is a directory with a file for each [`Key`], named after its
/// [`id`](Key::id). What of it is missing is made when it is needed, for its owner alone.
///
/// A file is a JSON object that a person can read, with the token as of RFC 6749 §5.1:
///
/// ```json
/// {
///   "version": 1,
///   "key": { "issuer": "https://auth.example.com/token", "client": "app" },
///   "generation": 3,
///   "token": { "access_token": "2Yot…", "token_type": "bearer", "expires_at": 1767225600, "refresh_token": "tGzv…" }
/// }
/// ```
///
/// Such a token alone is read too, as another program may have left it: an object with `access_token` and the like. The first
/// save makes it a file as above.
///
/// A file is written aside, synced and renamed, so that it is the old one or the new one whenever the power fails. Beside it are
/// two lock files, `….json.lock` for the turn to renew and `….json.write-lock` for the moment of a change. They stay: one that
/// was deleted would still be locked by whoever has it open, and the next one would lock another.
///
/// # Errors
///
/// A file that is damaged, of another login or of a newer version of this crate is an error that names it and says what to do. It
/// is neither replaced nor removed. So is an older generation that would replace a newer one.
///
/// # Cancel safety
///
/// A `lock` that is dropped takes no turn. A `save` or `clear` that has begun to write ends what it does.
///
/// # Security
///
/// The tokens are in the clear. Files are readable for their owner only (0600, directories 0700), on Unix; elsewhere they have
/// the permissions of the directory that you choose. A directory that exists keeps those that it has.
///
/// On a network file system the locks are as good as its own.
#[derive(Clone, Debug)]
pub struct FileStore {
    path: Arc<Path>,
}

impl FileStore {
    /// The store at this path: a file if it ends in `.json`, else a directory.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into().into() }
    }

    fn place(&self, key: &Key) -> Place {
        match self.path.extension() {
            Some(extension) if extension == "json" => Place::new(&self.path),
            _ => Place::new(&self.path.join(format!("{}.json", key.id()))),
        }
    }
}

impl TokenStore for FileStore {
    type Lock = FileLock;

    async fn lock(&self, key: &Key) -> Result<Self::Lock, BoxError> {
        FileLock::acquire(self.place(key).turn()).await
    }

    async fn load(&self, key: &Key) -> Result<Option<Entry>, BoxError> {
        let (place, key) = (self.place(key), key.clone());
        disk::blocking(move || Ok(steps::load(&Os, &place, &key)?)).await
    }

    async fn save(&self, key: &Key, entry: &Entry, _lock: &mut Self::Lock) -> Result<(), BoxError> {
        let (place, key, entry) = (self.place(key), key.clone(), entry.clone());
        // Whoever clears has not waited for the turn, which a person who logs in may hold for minutes.
        let changing = FileLock::acquire(place.changing()).await?;
        disk::blocking(move || {
            let outcome = steps::save(&Os, &place, &key, &entry);
            drop(changing);
            outcome
        })
        .await
    }

    async fn clear(&self, key: &Key, generation: u64) -> Result<(), BoxError> {
        let (place, key) = (self.place(key), key.clone());
        let folder = place.folder();
        if !disk::blocking(move || Ok(folder.exists())).await? {
            return Ok(());
        }
        let changing = FileLock::acquire(place.changing()).await?;
        disk::blocking(move || {
            let outcome = steps::clear(&Os, &place, &key, generation);
            drop(changing);
            Ok(outcome?)
        })
        .await
    }
}
