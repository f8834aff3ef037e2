//! Where the files of an entry are.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::random;

/// What a file is called while it is written: the entry's name, a dot, 43 characters of chance, and this.
const ASIDE: &[u8] = b".new";
const CHANCE: usize = 43;

pub(super) struct Place {
    entry: PathBuf,
}

impl Place {
    pub(super) fn new(entry: &Path) -> Self {
        Self { entry: entry.to_owned() }
    }

    pub(super) fn entry(&self) -> &Path {
        &self.entry
    }

    pub(super) fn folder(&self) -> PathBuf {
        folder(&self.entry)
    }

    /// The lock for the turn to renew: it may be held for as long as a person takes to log in.
    pub(super) fn turn(&self) -> PathBuf {
        self.beside(".lock")
    }

    /// The lock for the moment in which the entry is compared and changed.
    pub(super) fn changing(&self) -> PathBuf {
        self.beside(".write-lock")
    }

    /// A name that nobody has used.
    pub(super) fn aside(&self) -> Result<PathBuf, Error> {
        Ok(self.beside(&format!(".{}.new", *random::text()?)))
    }

    /// Whether a file of this folder is what a killed writer of this entry has left.
    pub(super) fn is_leftover(&self, name: &OsStr) -> bool {
        let own = self.entry.file_name().unwrap_or_default().as_encoded_bytes();
        let rest = name.as_encoded_bytes().strip_prefix(own).and_then(|rest| rest.strip_prefix(b"."));
        let chance = rest.and_then(|rest| rest.strip_suffix(ASIDE));
        let is_chance = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        chance.is_some_and(|chance| chance.len() == CHANCE && chance.iter().all(is_chance))
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut path = OsString::from(&self.entry);
        path.push(ending);
        path.into()
    }
}

/// The folder of a file. Of a bare name it is the working directory.
pub(super) fn folder(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => ".".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_are_those_of_the_same_entry() {
        let place = Place::new(Path::new("folder/a.json"));
        let of = |place: &Place| place.aside().unwrap().file_name().unwrap().to_owned();
        assert!(place.is_leftover(&of(&place)));
        for other in ["folder/a.json.b.json", "folder/aa.json", "folder/b.json", "folder/a"] {
            let other = Place::new(Path::new(other));
            assert!(!place.is_leftover(&of(&other)) && !other.is_leftover(&of(&place)));
        }
        for name in ["a.json", "a.json.lock", "a.json.write-lock", "a.json.new", "a.json..new", "a.json.backup.new"] {
            assert!(!place.is_leftover(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn a_bare_name_is_in_the_working_directory() {
        assert_eq!(Place::new(Path::new("a.json")).folder(), Path::new("."));
        assert_eq!(Place::new(Path::new("/a.json")).folder(), Path::new("/"));
        assert_eq!(Place::new(Path::new("b/a.json")).turn(), Path::new("b/a.json.lock"));
    }
}
