//! Computes the paths of the files of an entry.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::random;
use crate::store::local_fs::{FsError, parent_dir, resolve};

/// The suffix of temporary files. Their names are the name of the entry, a dot, 43 random characters and this suffix.
const TEMPORARY_SUFFIX: &[u8] = b".new";
const RANDOM_LEN: usize = 43;

#[derive(Clone, Debug)]
pub(super) struct EntryPaths {
    entry: PathBuf,
}

impl EntryPaths {
    /// Follows symbolic links. All files of an entry are next to the target of the link, so that all links to the entry share its lock
    /// files, and stay links.
    pub(super) fn resolve(path: &Path) -> Result<Self, FsError> {
        resolve(path).map(|entry| Self { entry })
    }

    #[cfg(test)]
    pub(super) fn new(entry: &Path) -> Self {
        Self { entry: entry.to_owned() }
    }

    pub(super) fn entry(&self) -> &Path {
        &self.entry
    }

    pub(super) fn dir(&self) -> PathBuf {
        parent_dir(&self.entry)
    }

    /// Returns the lock file for a refresh, which may be locked for minutes during a login.
    pub(super) fn refresh_lock(&self) -> PathBuf {
        self.with_suffix(".lock")
    }

    /// Returns the lock file for comparing and changing the entry.
    pub(super) fn write_lock(&self) -> PathBuf {
        self.with_suffix(".write-lock")
    }

    /// Returns an unused path for a temporary file.
    pub(super) fn new_temporary(&self) -> Result<PathBuf, Error> {
        Ok(self.with_suffix(&format!(".{}.new", *random::text()?)))
    }

    /// Returns the temporary file that a note names. A note that names any other file is ignored.
    pub(super) fn temporary_in_note(&self, note: &[u8]) -> Option<PathBuf> {
        let name = OsStr::new(std::str::from_utf8(note).ok()?);
        self.is_temporary(name).then(|| self.dir().join(name))
    }

    /// Returns whether a file name of this directory belongs to a temporary file of this entry.
    pub(super) fn is_temporary(&self, name: &OsStr) -> bool {
        let own = self.entry.file_name().unwrap_or_default().as_encoded_bytes();
        let rest = name.as_encoded_bytes().strip_prefix(own).and_then(|rest| rest.strip_prefix(b"."));
        let chance = rest.and_then(|rest| rest.strip_suffix(TEMPORARY_SUFFIX));
        let is_chance = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        chance.is_some_and(|chance| chance.len() == RANDOM_LEN && chance.iter().all(is_chance))
    }

    fn with_suffix(&self, ending: &str) -> PathBuf {
        let mut path = OsString::from(&self.entry);
        path.push(ending);
        path.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_files_belong_to_one_entry() {
        let paths = EntryPaths::new(Path::new("folder/a.json"));
        let of = |paths: &EntryPaths| paths.new_temporary().unwrap().file_name().unwrap().to_owned();
        assert!(paths.is_temporary(&of(&paths)));
        for other in ["folder/a.json.b.json", "folder/aa.json", "folder/b.json", "folder/a"] {
            let other = EntryPaths::new(Path::new(other));
            assert!(!paths.is_temporary(&of(&other)) && !other.is_temporary(&of(&paths)));
        }
        for name in ["a.json", "a.json.lock", "a.json.write-lock", "a.json.new", "a.json..new", "a.json.backup.new"] {
            assert!(!paths.is_temporary(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn a_bare_name_is_in_the_working_directory() {
        assert_eq!(EntryPaths::new(Path::new("a.json")).dir(), Path::new("."));
        assert_eq!(EntryPaths::new(Path::new("/a.json")).dir(), Path::new("/"));
        assert_eq!(EntryPaths::new(Path::new("b/a.json")).refresh_lock(), Path::new("b/a.json.lock"));
    }
}
