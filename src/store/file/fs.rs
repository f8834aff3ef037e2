//! Performs the file system operations of the store.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, Write as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::store::json::MAX_SIZE;
use crate::store::local_fs::{owner_only, sync_dir};
use crate::store::lock_file::LockFile;

/// The operations that the store performs on a file system. Tests replace them by a file system that fails or stops after any operation.
pub(super) trait FileSystem {
    type File;
    /// The lock file that protects changes. Each writer leaves a note for the next writer in it.
    type Lock;

    /// Reads a file, up to one byte beyond the maximum size of an entry.
    fn read(&self, path: &Path) -> io::Result<Zeroizing<Vec<u8>>>;
    fn names(&self, dir: &Path) -> io::Result<Vec<OsString>>;
    /// Creates a new file, accessible to the owner only.
    fn create(&self, path: &Path) -> io::Result<Self::File>;
    /// Opens an existing file and removes its content.
    fn truncate(&self, path: &Path) -> io::Result<Self::File>;
    fn write(&self, file: &mut Self::File, content: &[u8]) -> io::Result<()>;
    /// Syncs the content, so that it survives a power failure.
    fn sync(&self, file: &Self::File) -> io::Result<()>;
    /// Replaces an existing file.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Syncs a directory, so that its file names survive a power failure.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    fn note(&self, lock: &Self::Lock) -> io::Result<Vec<u8>>;
    fn set_note(&self, lock: &Self::Lock, note: &[u8]) -> io::Result<()>;
    /// Syncs the note, so that it survives a power failure.
    fn sync_note(&self, lock: &Self::Lock) -> io::Result<()>;
}

/// The file system of the operating system.
pub(super) struct OsFileSystem;

impl FileSystem for OsFileSystem {
    type File = File;
    type Lock = LockFile;

    fn read(&self, path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
        // Opening a pipe would wait for a writer.
        let found = fs::metadata(path)?;
        if !found.is_file() && !found.is_dir() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "it is not a regular file"));
        }
        let mut content = Zeroizing::new(Vec::new());
        File::open(path)?.take(MAX_SIZE as u64 + 2).read_to_end(&mut content)?;
        Ok(content)
    }

    fn names(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name())).collect()
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        owner_only(OpenOptions::new().write(true).create_new(true)).open(path)
    }

    fn truncate(&self, path: &Path) -> io::Result<File> {
        let file = OpenOptions::new().write(true).open(path)?;
        // The permissions of a mounted file may belong to another owner.
        #[cfg(unix)]
        let _ = file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600));
        file.set_len(0)?;
        Ok(file)
    }

    fn write(&self, file: &mut File, content: &[u8]) -> io::Result<()> {
        file.write_all(content)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        sync_dir(dir)
    }

    fn note(&self, lock: &LockFile) -> io::Result<Vec<u8>> {
        let (mut file, mut note) = (lock.file(), Vec::new());
        file.rewind()?;
        // Longer than any file name: more cannot be a note of this store.
        file.take(4096).read_to_end(&mut note)?;
        Ok(note)
    }

    fn set_note(&self, lock: &LockFile, note: &[u8]) -> io::Result<()> {
        let mut file = lock.file();
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(note)
    }

    fn sync_note(&self, lock: &LockFile) -> io::Result<()> {
        lock.file().sync_all()
    }
}
