//! Locks among processes, waited for without a thread.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::PathBuf;
use std::time::Duration;

use super::disk::{blocking, make_folder, owners};
use super::place;
use super::problem::{Problem, failed};
use crate::clock;
use crate::error::BoxError;
use crate::random;

/// The wait between two tries, at first and at most; more or less by chance, so that those who wait do not march in step.
const FIRST_WAIT: Duration = Duration::from_millis(2);
const LONGEST_WAIT: Duration = Duration::from_millis(50);

/// The turn to renew an entry of a [`FileStore`](super::FileStore). It ends when this is dropped, and with the process.
#[derive(Debug)]
pub struct FileLock {
    file: File,
}

impl FileLock {
    /// Waits until nobody has the lock. Whoever is dropped before that has not taken it.
    pub(super) async fn acquire(path: PathBuf) -> Result<Self, BoxError> {
        let (mut file, path) = blocking(move || Ok((open(&path)?, path))).await?;
        let mut wait = FIRST_WAIT;
        loop {
            let asked = blocking(move || Ok(Self::try_from(file))).await?;
            file = match asked {
                Ok(lock) => return Ok(lock),
                Err((file, TryLockError::WouldBlock)) => file,
                Err((_, TryLockError::Error(why))) => return Err(failed("lock", &path)(why).into()),
            };
            clock::sleep(wait.mul_f64(0.5 + random::unit())).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    fn try_from(file: File) -> Result<Self, (File, TryLockError)> {
        match file.try_lock() {
            Ok(()) => Ok(Self { file }),
            Err(why) => Err((file, why)),
        }
    }
}

/// Makes the file if it is missing. Nobody ever removes it.
fn open(path: &PathBuf) -> Result<File, Problem> {
    let folder = place::folder(path);
    make_folder(&folder).map_err(failed("make the directory", &folder))?;
    let mut options = OpenOptions::new();
    owners(options.read(true).write(true).create(true).truncate(false)).open(path).map_err(failed("open", path))
}

/// Said aloud, for closing the file is not enough while a child process is being started, which has it open too.
impl Drop for FileLock {
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}
