//! What a step on a disk can be.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use zeroize::Zeroizing;

use super::place;
use crate::error::BoxError;

/// No token is longer. What is, is no token, and is not read to its end.
const LONGEST: u64 = 1024 * 1024;

/// Every step of ours that a crash may come after. The tests have disks that do not survive.
pub(super) trait Disk {
    type File;

    fn read(&self, path: &Path) -> io::Result<Zeroizing<Vec<u8>>>;
    fn names(&self, folder: &Path) -> io::Result<Vec<OsString>>;
    /// A new file, for its owner alone.
    fn create(&self, path: &Path) -> io::Result<Self::File>;
    fn write(&self, file: &mut Self::File, content: &[u8]) -> io::Result<()>;
    /// Lets the content survive a power cut.
    fn sync(&self, file: &Self::File) -> io::Result<()>;
    /// In place of what is there.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Lets the names survive a power cut.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
}

/// The one that there is.
pub(super) struct Os;

impl Disk for Os {
    type File = File;

    fn read(&self, path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
        let mut content = Zeroizing::new(Vec::new());
        File::open(path)?.take(LONGEST).read_to_end(&mut content)?;
        Ok(content)
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect()
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        owners(OpenOptions::new().write(true).create_new(true)).open(path)
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

    #[cfg(unix)]
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        match File::open(folder)?.sync_all() {
            // Some network file systems have no such thing.
            Err(why) if matches!(why.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
            outcome => outcome,
        }
    }

    /// Windows does it by itself, and has no way to ask for it.
    #[cfg(not(unix))]
    fn sync_folder(&self, _folder: &Path) -> io::Result<()> {
        Ok(())
    }
}

/// A folder for its owner alone, and those above it that are missing. One that is there is left as it is.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = place::folder(folder);
    if above != folder {
        make_folder(&above)?;
    }
    match owners_folder().create(folder) {
        Ok(()) => Os.sync_folder(&above),
        // Somebody else made it just now.
        Err(_) if folder.is_dir() => Ok(()),
        Err(why) => Err(why),
    }
}

/// Readable for its owner alone, should it be made.
pub(super) fn owners(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

fn owners_folder() -> fs::DirBuilder {
    #[cfg_attr(not(unix), allow(unused_mut, reason = "only Unix has modes"))]
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Runs what waits for a disk: on a thread made for that, where there is a runtime that has one. Once begun it runs to its end.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BoxError> + Send + 'static,
) -> Result<T, BoxError> {
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => runtime.spawn_blocking(work).await?,
        Err(_) => work(),
    }
}
