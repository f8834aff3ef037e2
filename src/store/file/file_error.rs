//! Errors of a token file, with advice.

use std::error::Error as StdError;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::BoxError;
use crate::store::local_fs::FsError;
use crate::store::store_error::{PermanentError, StoreError};

/// An error that names a token file. It never repeats the content, which may contain a secret.
#[derive(Debug)]
pub(super) enum FileError {
    /// An operation of the file system failed.
    Fs(FsError),
    Content(PathBuf, ContentError),
}

/// A problem that the content of a token file has.
#[derive(Debug)]
pub(super) enum ContentError {
    /// The file is empty, like a mounted file that was cleared or has just been created.
    Empty,
    Damaged(String),
    /// The file has a newer version than this crate supports.
    NewerVersion(u64),
    /// The file belongs to another key.
    OtherKey,
    /// The stored version (first) is not older than the version to save (second).
    Outdated(u64, u64),
    /// The entry that the token was refreshed from is missing.
    Cleared,
}

impl ContentError {
    pub(super) fn at(self, path: &Path) -> FileError {
        FileError::Content(path.to_owned(), self)
    }

    pub(super) fn damaged(why: impl Into<String>) -> Self {
        Self::Damaged(why.into())
    }
}

impl FileError {
    /// Returns whether the entry may be partially written: by a writer that is at work, or by one that was interrupted.
    pub(super) fn may_be_partial(&self) -> bool {
        matches!(self, Self::Content(_, ContentError::Empty | ContentError::Damaged(_)))
    }

    /// Converts to an error of the store. Problems with the content are permanent.
    pub(super) fn into_error(self) -> BoxError {
        match self {
            Self::Fs(error) => error.into(),
            Self::Content(_, ContentError::Damaged(_) | ContentError::NewerVersion(_) | ContentError::OtherKey) => {
                PermanentError::message(self.to_string())
            }
            Self::Content(..) => StoreError::boxed(self.to_string()),
        }
    }

    /// Returns whether the file is empty, which means that there is no entry.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Content(_, ContentError::Empty))
    }

    /// Returns whether the file is an unreadable entry of this key, which clearing every version removes.
    pub(super) fn is_unreadable_entry(&self) -> bool {
        matches!(self, Self::Content(_, ContentError::Damaged(_) | ContentError::NewerVersion(_)))
    }
}

impl From<FsError> for FileError {
    fn from(error: FsError) -> Self {
        Self::Fs(error)
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, what) = match self {
            Self::Fs(error) => return error.fmt(f),
            Self::Content(path, what) => (path.display(), what),
        };
        match what {
            ContentError::Empty => write!(f, "`{path}` is empty"),
            ContentError::Damaged(why) => write!(
                f,
                "`{path}` is damaged ({why}); nothing was changed: clear it or move it away, and log in again"
            ),
            ContentError::NewerVersion(version) => write!(
                f,
                "`{path}` has version {version}, which is newer than this program supports; nothing was changed: update the program, or use another path"
            ),
            ContentError::OtherKey => write!(
                f,
                "`{path}` belongs to another login; nothing was changed: give each login a path of its own, or use a directory"
            ),
            ContentError::Outdated(stored, given) => {
                write!(f, "`{path}` already has generation {stored}, and {given} is not newer; nothing was changed")
            }
            ContentError::Cleared => write!(f, "`{path}` was removed in the meantime by a logout"),
        }
    }
}

impl StdError for FileError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Fs(error) => error.source(),
            Self::Content(..) => None,
        }
    }
}
