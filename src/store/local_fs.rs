//! Local files for the stores: private files and directories, and symbolic links.

use std::error::Error as StdError;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The maximum number of symbolic links that Linux follows.
const MAX_LINKS: usize = 40;

/// An operation on a file or a directory failed.
#[derive(Debug)]
pub(super) struct FsError {
    verb: &'static str,
    path: PathBuf,
    advice: Option<&'static str>,
    source: io::Error,
}

/// Returns a function for `map_err`, which adds the operation and the path.
pub(super) fn failed(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FsError {
    move |source| FsError { verb, path: path.to_owned(), advice: None, source }
}

/// Returns the directory of a file. The directory of a bare name is the working directory.
pub(super) fn parent_dir(file: &Path) -> PathBuf {
    match file.parent() {
        Some(dir) if dir != Path::new("") => dir.to_owned(),
        _ => ".".into(),
    }
}

/// Follows the symbolic links at the end of a path. The target may be missing; if it cannot be determined whether it exists, that is
/// an error.
pub(super) fn resolve(path: &Path) -> Result<PathBuf, FsError> {
    let mut resolved = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::symlink_metadata(&resolved) {
            Ok(found) if found.is_symlink() => {
                let target = fs::read_link(&resolved).map_err(failed("follow the symbolic link", &resolved))?;
                // A relative target is relative to the directory of the link.
                resolved = parent_dir(&resolved).join(target);
            }
            Ok(_) => return Ok(resolved),
            // There is no link below a file either. The next operation returns an error that describes the problem.
            Err(why) if matches!(why.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(resolved),
            Err(why) => return Err(failed("access", &resolved)(why)),
        }
    }
    let why = io::Error::new(ErrorKind::InvalidInput, "it forms a loop, or leads through too many other links");
    Err(failed("follow the symbolic link", path)(why))
}

/// Returns whether the path exists. If that cannot be determined, it is an error.
#[cfg(feature = "file-store")]
pub(super) fn exists(path: &Path) -> Result<bool, FsError> {
    path.try_exists().map_err(failed("access", path))
}

/// Creates a directory and its missing parents, accessible to the owner only. An existing directory keeps its permissions.
pub(super) fn create_dir(dir: &Path) -> Result<(), FsError> {
    match fs::metadata(dir) {
        Ok(found) if found.is_dir() => return Ok(()),
        Ok(_) => return Err(failed("create the directory", dir)(ErrorKind::NotADirectory.into())),
        Err(why) if why.kind() == ErrorKind::NotFound => {}
        Err(why) => return Err(failed("access", dir)(why)),
    }
    // If the path is a dangling link, its target is created.
    let dir = resolve(dir)?;
    let above = parent_dir(&dir);
    if above != dir {
        create_dir(&above)?;
    }
    match owner_only_dir().create(&dir) {
        Ok(()) => sync_dir(&above).map_err(failed("sync", &above)),
        // Another process has created it in the meantime.
        Err(_) if dir.is_dir() => Ok(()),
        Err(why) => Err(failed("create the directory", &dir)(why)),
    }
}

/// Syncs a directory, so that its file names survive a power failure.
#[cfg(unix)]
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    match fs::File::open(dir)?.sync_all() {
        // Some network file systems do not support this.
        Err(why) if matches!(why.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        outcome => outcome,
    }
}

/// Windows needs no such operation, and has none.
#[cfg(not(unix))]
pub(super) fn sync_dir(_dir: &Path) -> io::Result<()> {
    Ok(())
}

/// Sets the permissions of a created file: readable and writable by the owner only.
pub(super) fn owner_only(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

fn owner_only_dir() -> fs::DirBuilder {
    #[cfg_attr(not(unix), allow(unused_mut, reason = "only Unix has modes"))]
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

// ===== impl FsError =====

impl FsError {
    pub(super) fn kind(&self) -> ErrorKind {
        self.source.kind()
    }

    pub(super) fn with_advice(self, advice: &'static str) -> Self {
        Self { advice: Some(advice), ..self }
    }
}

impl fmt::Display for FsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} `{}`", self.verb, self.path.display())?;
        self.advice.map_or(Ok(()), |advice| write!(f, "; {advice}"))
    }
}

impl StdError for FsError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.source)
    }
}
