//! Loading, saving and clearing an entry. A crash after any file system operation leaves the old entry or the new one.
//!
//! A file that is a mount point cannot be replaced by a rename, so it is written in place. Meanwhile the file is incomplete, and the
//! complete content is in a temporary file, which a note in the lock file names. If the write is interrupted, the next holder of the
//! lock completes it.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::file_error::{ContentError, FileError};
use super::format;
use super::fs::FileSystem;
use super::paths::EntryPaths;
use crate::error::BoxError;
use crate::store::local_fs::failed;
use crate::store::{Entry, Key};

/// Loads the entry without the write lock. If it is being written in place, the content may be incomplete.
pub(super) fn load(fs: &impl FileSystem, paths: &EntryPaths, key: &Key) -> Result<Option<Entry>, FileError> {
    let path = paths.entry();
    let content = match fs.read(path) {
        Err(why) if why.kind() == ErrorKind::NotFound => return Ok(None),
        content => content.map_err(failed("read", path))?,
    };
    format::read(&content, key).map(Some).map_err(|what| what.at(path))
}

/// Loads the entry with the write lock, and completes an interrupted write.
pub(super) fn load_locked<D: FileSystem>(
    fs: &D,
    lock: &D::Lock,
    paths: &EntryPaths,
    key: &Key,
) -> Result<Option<Entry>, FileError> {
    match load(fs, paths, key) {
        Err(error) if error.may_be_partial() => match complete_write(fs, lock, paths, key)? {
            None if error.is_empty() => Ok(None),
            None => Err(error),
            entry => Ok(entry),
        },
        loaded => loaded,
    }
}

/// Saves the entry, with the write lock.
pub(super) fn save<D: FileSystem>(
    fs: &D,
    lock: &D::Lock,
    paths: &EntryPaths,
    key: &Key,
    entry: &Entry,
) -> Result<(), BoxError> {
    // An unreadable entry is not replaced, because it may still be recovered.
    match load_locked(fs, lock, paths, key).map_err(FileError::into_error)? {
        Some(stored) if entry.is_outdated_by(&stored) => {
            return Err(ContentError::Outdated(stored.generation, entry.generation).at(paths.entry()).into_error());
        }
        None if entry.is_refresh() => return Err(ContentError::Cleared.at(paths.entry()).into_error()),
        _ => {}
    }
    let content = format::write(key, entry)?;
    remove_noted_temporary(fs, lock, paths);
    let temporary = paths.new_temporary()?;
    // If this process is killed, the next writer removes this file without listing the directory.
    let name = temporary.file_name().unwrap_or_default().as_encoded_bytes();
    fs.set_note(lock, name).map_err(failed("write", &paths.write_lock()))?;
    let replaced = match write_temporary(fs, &temporary, &content) {
        Ok(()) => fs.rename(&temporary, paths.entry()),
        Err(error) => {
            // If this fails as well, the next save removes the file.
            let _ = fs.remove(&temporary);
            return Err(error.into_error());
        }
    };
    match replaced {
        Ok(()) => sync_dir(fs, paths).map_err(FileError::into_error),
        Err(why) if is_mount_error(&why) => {
            replace_in_place(fs, lock, paths, &temporary, &content).map_err(FileError::into_error)
        }
        Err(why) => {
            let _ = fs.remove(&temporary);
            Err(failed("replace", paths.entry())(why).into())
        }
    }
}

/// Removes the entry, with the write lock: no other process saves between the check and the removal.
pub(super) fn clear<D: FileSystem>(
    fs: &D,
    lock: &D::Lock,
    paths: &EntryPaths,
    key: &Key,
    generation: u64,
) -> Result<(), FileError> {
    let is_there = match load_locked(fs, lock, paths, key) {
        Ok(Some(stored)) if stored.generation > generation => return Ok(()),
        Ok(None) if generation < u64::MAX => false,
        // Every version is cleared, so an empty file is removed as well.
        Ok(_) => true,
        // Its version is unknown.
        Err(error) if generation == u64::MAX && error.is_unreadable_entry() => true,
        Err(error) => return Err(error),
    };
    // Removed first, because it could be taken for the entry once the entry is gone.
    remove_noted_temporary(fs, lock, paths);
    if is_there {
        remove_entry(fs, paths)?;
    }
    remove_temporaries(fs, paths)?;
    sync_dir(fs, paths)
}

/// Syncs the content before the file is renamed. Otherwise a power failure could leave an empty file.
fn write_temporary(fs: &impl FileSystem, temporary: &Path, content: &[u8]) -> Result<(), FileError> {
    let mut file = fs.create(temporary).map_err(failed("create", temporary))?;
    fs.write(&mut file, content).map_err(failed("write", temporary))?;
    Ok(fs.sync(&file).map_err(failed("sync", temporary))?)
}

/// Writes the content in place. If the process is killed meanwhile, the temporary file and its note remain.
fn replace_in_place<D: FileSystem>(
    fs: &D,
    lock: &D::Lock,
    paths: &EntryPaths,
    temporary: &Path,
    content: &[u8],
) -> Result<(), FileError> {
    // The temporary file and its note must survive a power failure: meanwhile no other file has the complete content.
    fs.sync_note(lock).map_err(failed("sync", &paths.write_lock()))?;
    sync_dir(fs, paths)?;
    overwrite(fs, paths, content)?;
    let _ = fs.remove(temporary);
    Ok(())
}

/// Truncates the file before writing. A part of the new content is not valid JSON, but together with the rest of the old content it
/// could be.
fn overwrite(fs: &impl FileSystem, paths: &EntryPaths, content: &[u8]) -> Result<(), FileError> {
    let path = paths.entry();
    let mut file = fs.truncate(path).map_err(failed("write", path))?;
    fs.write(&mut file, content).map_err(failed("write", path))?;
    Ok(fs.sync(&file).map_err(failed("sync", path))?)
}

/// Completes an interrupted write in place, if the temporary file is complete.
fn complete_write<D: FileSystem>(
    fs: &D,
    lock: &D::Lock,
    paths: &EntryPaths,
    key: &Key,
) -> Result<Option<Entry>, FileError> {
    let Some(temporary) = noted_temporary(fs, lock, paths)? else { return Ok(None) };
    let content = match fs.read(&temporary) {
        Err(why) if why.kind() == ErrorKind::NotFound => return Ok(None),
        content => content.map_err(failed("read", &temporary))?,
    };
    let Ok(entry) = format::read(&content, key) else { return Ok(None) };
    overwrite(fs, paths, &content)?;
    let _ = fs.remove(&temporary);
    Ok(Some(entry))
}

fn noted_temporary<D: FileSystem>(fs: &D, lock: &D::Lock, paths: &EntryPaths) -> Result<Option<PathBuf>, FileError> {
    Ok(paths.temporary_in_note(&fs.note(lock).map_err(failed("read", &paths.write_lock()))?))
}

/// Removes the temporary file of a writer that was killed. The lock is held, so no writer is at work. A failure does not prevent the
/// save.
fn remove_noted_temporary<D: FileSystem>(fs: &D, lock: &D::Lock, paths: &EntryPaths) {
    if let Ok(Some(temporary)) = noted_temporary(fs, lock, paths) {
        let _ = fs.remove(&temporary);
    }
}

/// Removes all temporary files of the entry. They contain tokens, so a failure is an error. After a power failure there can be some
/// that no note names.
fn remove_temporaries(fs: &impl FileSystem, paths: &EntryPaths) -> Result<(), FileError> {
    let dir = paths.dir();
    for name in fs.names(&dir).map_err(failed("list", &dir))? {
        if paths.is_temporary(&name) {
            let path = dir.join(name);
            fs.remove(&path).map_err(failed("remove", &path))?;
        }
    }
    Ok(())
}

/// Removes the file. Of a mount point, only the content can be removed.
fn remove_entry(fs: &impl FileSystem, paths: &EntryPaths) -> Result<(), FileError> {
    let path = paths.entry();
    match fs.remove(path) {
        Err(why) if why.kind() == ErrorKind::NotFound => Ok(()),
        Err(why) if is_mount_error(&why) => overwrite(fs, paths, b""),
        outcome => Ok(outcome.map_err(failed("remove", path))?),
    }
}

fn is_mount_error(why: &io::Error) -> bool {
    matches!(why.kind(), ErrorKind::ResourceBusy | ErrorKind::CrossesDevices)
}

fn sync_dir(fs: &impl FileSystem, paths: &EntryPaths) -> Result<(), FileError> {
    let dir = paths.dir();
    Ok(fs.sync_dir(&dir).map_err(failed("sync", &dir))?)
}
