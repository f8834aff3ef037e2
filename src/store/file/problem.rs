//! What can be wrong with a file, and what to do.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Something is wrong with this file. Never says what stands in it: that may be a secret.
#[derive(Debug)]
pub(super) struct Problem {
    path: PathBuf,
    what: What,
}

#[derive(Debug)]
pub(super) enum What {
    /// The system did not let us do this.
    Failed(&'static str, io::Error),
    Damaged(String),
    /// Of a version that is not known yet.
    Newer(u64),
    /// Of another key.
    Foreign,
    /// It is of the first generation, and the second was to replace it.
    Outdated(u64, u64),
}

impl What {
    pub(super) fn at(self, path: &Path) -> Problem {
        Problem { path: path.to_owned(), what: self }
    }

    pub(super) fn damaged(why: impl Into<String>) -> Self {
        Self::Damaged(why.into())
    }
}

/// For `map_err`: the system did not let us `verb` the file at `path`.
pub(super) fn failed(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Problem {
    move |why| What::Failed(verb, why).at(path)
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.what {
            What::Failed(verb, _) => write!(f, "cannot {verb} `{path}`"),
            What::Damaged(why) => {
                write!(f, "`{path}` is damaged ({why}); nothing was changed: move it away, and log in again")
            }
            What::Newer(version) => write!(
                f,
                "`{path}` is of version {version}, which is newer than this program; nothing was changed: update the program, or give it another path"
            ),
            What::Foreign => write!(
                f,
                "`{path}` is of another login; nothing was changed: give each login a path of its own, or all of them a directory"
            ),
            What::Outdated(stored, given) => {
                write!(f, "`{path}` has generation {stored} already, and {given} is older; nothing was changed")
            }
        }
    }
}

impl StdError for Problem {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.what {
            What::Failed(_, why) => Some(why),
            _ => None,
        }
    }
}
