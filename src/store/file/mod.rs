//! A store of files: one file per entry, and lock files that the system unlocks when their process ends.
//!
//! | file | content |
//! | --- | --- |
//! | `paths` | the paths of the files of an entry |
//! | `format` | the content of a token file |
//! | `ops` | loading, saving and clearing an entry |
//! | `fs` | the file system operations that `ops` uses |
//! | `file_error` | errors, with advice |

#[cfg(test)]
mod crash;
mod file_error;
mod format;
mod fs;
mod ops;
mod paths;

use std::path::{self, Path, PathBuf};
use std::sync::Arc;

use self::file_error::FileError;
use self::fs::OsFileSystem;
use self::paths::EntryPaths;
use super::local_fs::exists;
use super::lock_file::LockFile;
use super::store_error::StoreError;
use super::{Entry, Key, TokenStore};
use crate::blocking::blocking;
use crate::error::BoxError;

/// A store of files, for programs that need no login at their next start, and for several processes of one machine that share a
/// login. Clones share the files.
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
/// A path that ends in `.json` is the file of one login. Any other path is a directory with one file per [`Key`], named after its
/// [`id`](Key::id). Missing files and directories are created when they are needed, accessible to their owner only.
///
/// A file is an indented JSON object, which contains the token in the form of RFC 6749 §5.1:
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
/// A file that contains only such a token, an object with `access_token` and the like, is read as well: another program may have
/// written it. The first save converts it.
///
/// New content is written to a temporary file, which is synced and then renamed, so that after a power failure the file has the old
/// or the new content. Next to it are two lock files: `….json.lock` is locked during a refresh, `….json.write-lock` during a change.
/// They are not removed: a removed lock file would still be locked by its holder, and the next process would lock another file. An
/// empty file is no entry.
///
/// A symbolic link is followed and stays a link, even if its target is missing: the file, its lock files and its temporary files are
/// in the directory of the target. A file that is a mount point of its own, as in a container, cannot be replaced by a rename. It is
/// written in place, after the temporary file. If the write is interrupted, the next operation completes it from that file.
///
/// # Errors
///
/// If a file is damaged, belongs to another login or has a newer version, the error names the file and a remedy, and the file is not
/// replaced. [`Persisted::clear`](crate::grant::Persisted::clear) also removes a file that is damaged or has a newer version, unless
/// it belongs to another login. An older version of a token does not replace a newer one.
///
/// A token that could not be read again is not saved: more than 4 MiB of JSON, or members that are nested more than some 120 levels
/// deep. If the system denies access to a file, that is an error, and the entry does not count as missing.
///
/// On a file system without locks, the first lock returns an error.
///
/// # Cancel safety
///
/// A dropped `lock` does not acquire the lock. A dropped `save` or `clear` that has started to write runs to completion, and `save`
/// holds the lock until then.
///
/// # Security
///
/// The tokens are in the clear. On Unix, files are accessible to their owner only (0600, directories 0700); elsewhere they have the
/// permissions of the directory that you choose. An existing directory keeps its permissions, and so does a mounted file of another
/// owner. Anyone who can write to the directory can replace the file by a symbolic link.
///
/// A process that was killed during a write may leave a file `….json.….new`, which contains a token. The next save removes it; after
/// a power failure, possibly only `clear` does.
///
/// On a network file system, the locks are as reliable as those of the file system.
#[derive(Clone, Debug)]
pub struct FileStore {
    path: Arc<Path>,
}

/// The lock of an entry of a [`FileStore`], released on drop and at the end of the process.
#[derive(Debug)]
pub struct FileLock {
    /// The path before symbolic links were followed.
    path: PathBuf,
    paths: EntryPaths,
    file: Arc<LockFile>,
}

impl FileStore {
    /// Creates a store at this path: a file if the path ends in `.json`, otherwise a directory.
    ///
    /// A relative path is resolved against the current working directory, once.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self { path: path::absolute(&path).unwrap_or(path).into() }
    }

    /// Returns the path of the file of an entry.
    fn file(&self, key: &Key) -> PathBuf {
        // A path with a trailing slash is a directory.
        if self.path.as_os_str().as_encoded_bytes().ends_with(b".json") {
            self.path.to_path_buf()
        } else {
            self.path.join(format!("{}.json", key.id()))
        }
    }
}

impl TokenStore for FileStore {
    type Lock = FileLock;

    async fn lock(&self, key: &Key) -> Result<Self::Lock, BoxError> {
        let path = self.file(key);
        let (paths, path) = blocking(move || Ok((EntryPaths::resolve(&path)?, path))).await?;
        let file = LockFile::acquire(paths.refresh_lock()).await?;
        Ok(FileLock { path, paths, file: Arc::new(file) })
    }

    async fn try_lock(&self, key: &Key) -> Result<Option<Self::Lock>, BoxError> {
        let path = self.file(key);
        let (paths, path) = blocking(move || Ok((EntryPaths::resolve(&path)?, path))).await?;
        let file = LockFile::try_acquire(paths.refresh_lock()).await?;
        Ok(file.map(|file| FileLock { path, paths, file: Arc::new(file) }))
    }

    async fn load(&self, key: &Key) -> Result<Option<Entry>, BoxError> {
        let (path, searched) = (self.file(key), key.clone());
        let (paths, loaded) = blocking(move || {
            let paths = EntryPaths::resolve(&path)?;
            let loaded = ops::load(&OsFileSystem, &paths, &searched);
            Ok((paths, loaded))
        })
        .await?;
        match loaded {
            // Another process may be writing the file.
            Err(error) if error.may_be_partial() => match LockFile::acquire(paths.write_lock()).await {
                Ok(lock) => {
                    let key = key.clone();
                    blocking(move || {
                        ops::load_locked(&OsFileSystem, &lock, &paths, &key).map_err(FileError::into_error)
                    })
                    .await
                }
                // If the directory is not writable, no process is writing.
                Err(_) if !error.is_empty() => Err(error.into_error()),
                Err(why) => Err(why),
            },
            loaded => loaded.map_err(FileError::into_error),
        }
    }

    async fn save(&self, key: &Key, entry: &Entry, lock: &mut Self::Lock) -> Result<(), BoxError> {
        if self.file(key) != lock.path {
            return Err(StoreError::boxed("the lock is another entry's"));
        }
        // If this future is dropped while the entry is written, no other process may refresh the old entry until that has ended.
        let (entry, refresh_lock) = (entry.clone(), lock.file.clone());
        // `clear` does not wait for the refresh lock, which may be held for minutes during a login.
        let save = move |lock: &LockFile, paths: &EntryPaths, key: &Key| {
            let _refresh_lock = refresh_lock;
            ops::save(&OsFileSystem, lock, paths, key, &entry)
        };
        change(lock.paths.clone(), key, save).await
    }

    async fn clear(&self, key: &Key, generation: u64) -> Result<(), BoxError> {
        let path = self.file(key);
        let paths = blocking(move || {
            let paths = EntryPaths::resolve(&path)?;
            // A logout does not create the directory.
            Ok(exists(&paths.dir())?.then_some(paths))
        })
        .await?;
        match paths {
            Some(paths) => {
                change(paths, key, move |lock, paths, key| {
                    ops::clear(&OsFileSystem, lock, paths, key, generation).map_err(FileError::into_error)
                })
                .await
            }
            None => Ok(()),
        }
    }
}

/// Runs `work` while the write lock is held.
async fn change<T: Send + 'static>(
    paths: EntryPaths,
    key: &Key,
    work: impl FnOnce(&LockFile, &EntryPaths, &Key) -> Result<T, BoxError> + Send + 'static,
) -> Result<T, BoxError> {
    let (lock, key) = (LockFile::acquire(paths.write_lock()).await?, key.clone());
    blocking(move || work(&lock, &paths, &key)).await
}
