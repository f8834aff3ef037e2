//! The files of `src`.

use std::fs;
use std::path::Path;

use crate::words::{Word, words};

/// A file of `src`, split into words.
pub(crate) struct File {
    /// The path relative to `src`, with `/`.
    pub(crate) path: String,
    pub(crate) words: Vec<Word>,
}

pub(crate) fn sources() -> Vec<File> {
    fn walk(root: &Path, folder: &Path, files: &mut Vec<File>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                files.push(File::new(&name, &fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &root, &mut files);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

// ===== impl File =====

impl File {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), words: words(text) }
    }

    pub(crate) fn is_root(&self) -> bool {
        self.path == "lib.rs"
    }

    /// Returns the path of the module: `cell/state.rs` is `["cell", "state"]`.
    pub(crate) fn modules(&self) -> Vec<&str> {
        let path = self.path.trim_end_matches(".rs").trim_end_matches("/mod");
        if self.is_root() { Vec::new() } else { path.split('/').collect() }
    }

    pub(crate) fn module(&self) -> &str {
        self.path.split(['/', '.']).next().expect("a path")
    }
}
