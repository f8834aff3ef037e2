//! A lock between processes: a locked empty file. Waiting for it occupies no thread.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::PermanentError;
use super::local_fs::{FsError, create_dir, failed, owner_only, parent_dir};
use crate::blocking::blocking;
use crate::error::BoxError;
use crate::{clock, random};

/// The initial and the maximum wait between two attempts. Jitter keeps waiting processes from polling at the same time.
const FIRST_WAIT: Duration = Duration::from_millis(2);
const MAX_WAIT: Duration = Duration::from_millis(50);

/// Every error other than "it is locked" is permanent: it comes from the file system.
const NO_LOCKS: &str = "its file system may have no locks, and without one two processes could use the same refresh token: \
                        use a path on a local disk";

/// A locked file. The lock is released on drop, and by the system when the process ends. The file is not removed: otherwise its holder
/// and the next process would lock two different files.
#[derive(Debug)]
pub(super) struct LockFile {
    file: File,
}

impl LockFile {
    /// Waits for the lock. If the future is dropped, the lock is not taken.
    ///
    /// # Errors
    ///
    /// Immediately, if the file cannot be created or the file system has no locks.
    pub(super) async fn acquire(path: PathBuf) -> Result<Self, BoxError> {
        let (mut file, path) = blocking(move || Ok((open(&path)?, path))).await?;
        let mut wait = FIRST_WAIT;
        loop {
            // If this future is dropped meanwhile, the lock is dropped as soon as it is taken.
            file = match blocking(move || Ok(Self::try_from(file))).await? {
                Ok(lock) => return Ok(lock),
                Err((file, TryLockError::WouldBlock)) => file,
                Err((_, TryLockError::Error(why))) => return Err(no_locks(&path, why)),
            };
            clock::sleep(wait.mul_f64(0.5 + random::unit())).await;
            wait = (wait * 2).min(MAX_WAIT);
        }
    }

    /// Takes the lock if it is free.
    pub(super) async fn try_acquire(path: PathBuf) -> Result<Option<Self>, BoxError> {
        blocking(move || match Self::try_from(open(&path)?) {
            Ok(lock) => Ok(Some(lock)),
            Err((_, TryLockError::WouldBlock)) => Ok(None),
            Err((_, TryLockError::Error(why))) => Err(no_locks(&path, why)),
        })
        .await
    }

    /// Returns the file itself, which may hold a note for the next holder.
    #[cfg(feature = "file-store")]
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    fn try_from(file: File) -> Result<Self, (File, TryLockError)> {
        match file.try_lock() {
            Ok(()) => Ok(Self { file }),
            Err(why) => Err((file, why)),
        }
    }
}

fn no_locks(path: &Path, why: io::Error) -> BoxError {
    PermanentError::boxed(failed("lock", path)(why).with_advice(NO_LOCKS))
}

/// Opens the file, and creates it if it is missing.
fn open(path: &Path) -> Result<File, FsError> {
    create_dir(&parent_dir(path))?;
    let mut options = OpenOptions::new();
    owner_only(options.read(true).write(true).create(true).truncate(false)).open(path).map_err(failed("open", path))
}

/// Unlocks the file. Closing the file is not enough while a child process that is being started has it open as well.
impl Drop for LockFile {
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}
