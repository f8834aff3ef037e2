//! Temporary directories, and entries in which missing parts are noticed.

use std::path::{Path, PathBuf};
use std::{env, fs};

use tower_oauth2::Token;
use tower_oauth2::store::{Entry, FileStore, Key, TokenStore};

/// An empty directory for one test, removed on drop.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("file_store-{name}"));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Returns the names of its files, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        names(&self.0)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

pub(crate) fn key() -> Key {
    Key::new("https://auth.example.com/token", "app")
}

/// A large entry, so that a save takes some time. Each part of it contains its version.
pub(crate) fn entry(generation: u64) -> Entry {
    let token = Token::bearer(format!("a{generation}")).unwrap();
    Entry::new(token.with_refresh_token(format!("r{generation} ").repeat(20_000)), generation)
}

/// A small entry.
pub(crate) fn small(generation: u64) -> Entry {
    let token = Token::bearer(format!("a{generation}")).unwrap();
    Entry::new(token.with_refresh_token(format!("r{generation}")), generation)
}

pub(crate) async fn put(store: &FileStore, entry: &Entry) {
    let mut lock = store.lock(&key()).await.unwrap();
    store.save(&key(), entry, &mut lock).await.unwrap();
}
