//! An error of a file names the file and a remedy, and the file is not changed.

use std::fs;
use std::path::Path;

use serde_json::json;
use tower::BoxError;
use tower_oauth2::store::{FileStore, TokenStore};

use crate::support::{Folder, key, put, small};

/// Returns the text of an error and its sources.
fn text(error: BoxError) -> String {
    let mut text = format!("{error} {error:?}");
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(&format!(" {cause} {cause:?}"));
        next = cause.source();
    }
    text
}

/// Checks that each operation on this file fails with a message that contains `named`.
async fn all_fail(path: &Path, named: &str) {
    let store = FileStore::new(path);
    let before = fs::read(path).ok();
    let load = store.load(&key()).await.unwrap_err();
    let mut lock = store.lock(&key()).await.unwrap();
    let save = store.save(&key(), &small(99), &mut lock).await.unwrap_err();
    drop(lock);
    let clear = store.clear(&key(), u64::MAX - 1).await.unwrap_err();
    for error in [load, save, clear] {
        let text = text(error);
        assert!(text.contains(named) && text.contains("token.json"), "{named}: {text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
    assert_eq!(fs::read(path).ok(), before, "{named}");
}

#[tokio::test]
async fn damaged_files_and_files_of_newer_versions_or_other_logins() {
    let folder = Folder::new("problems");
    let path = folder.path().join("token.json");
    let of = |key| json!({"version": 1, "key": key, "generation": 1, "token": {"access_token": "hunter2"}}).to_string();
    let truncated = { of(key())[..of(key()).len() - 2].to_owned() };
    for (content, named) in [
        ("hunter2", "move it away, and log in again"),
        (truncated.as_str(), "move it away"),
        (r#"{"refresh_token": "hunter2"}"#, "move it away"),
        (r#"{"version": 2, "secret": "hunter2"}"#, "update the program"),
        (of(key().subject("hunter1")).as_str(), "a path of its own"),
        (&of(key().subject("hunter1")).replace("\"version\":1", "\"version\":2"), "a path of its own"),
    ] {
        fs::write(&path, content).unwrap();
        all_fail(&path, named).await;
        if named == "a path of its own" {
            let clear = FileStore::new(&path).clear(&key(), u64::MAX).await.unwrap_err();
            assert!(clear.to_string().contains(named) && path.exists(), "{clear}");
        }
    }
    // Moved away, as the error advises.
    fs::rename(&path, folder.path().join("old.json")).unwrap();
    put(&FileStore::new(&path), &small(1)).await;
}

#[tokio::test]
async fn an_older_token_replaces_no_newer_one() {
    let folder = Folder::new("older");
    let path = folder.path().join("token.json");
    let store = FileStore::new(&path);
    put(&store, &small(7)).await;
    let mut lock = store.lock(&key()).await.unwrap();
    let text = text(store.save(&key(), &small(6), &mut lock).await.unwrap_err());
    assert!(text.contains("token.json") && text.contains("generation 7"), "{text}");
    assert_eq!(store.load(&key()).await.unwrap(), Some(small(7)));
    // The same entry again can be a retried save.
    store.save(&key(), &small(7), &mut lock).await.unwrap();
}

/// `touch` creates an empty file, and so does a logout from a file that cannot be removed.
#[tokio::test]
async fn an_empty_file_is_no_entry() {
    let folder = Folder::new("empty");
    let path = folder.path().join("token.json");
    fs::write(&path, "").unwrap();
    let store = FileStore::new(&path);
    assert_eq!(store.load(&key()).await.unwrap(), None);
    store.clear(&key(), u64::MAX).await.unwrap();
    put(&store, &small(1)).await;
    assert_eq!(store.load(&key()).await.unwrap(), Some(small(1)));
}

#[tokio::test]
async fn a_lock_is_valid_for_its_entry_only() {
    let folder = Folder::new("another-lock");
    let store = FileStore::new(folder.path());
    let mut lock = store.lock(&key().subject("bob")).await.unwrap();
    let error = store.save(&key(), &small(1), &mut lock).await.unwrap_err();
    assert!(error.to_string().contains("another entry's"), "{error}");
}

#[tokio::test]
async fn a_directory_where_a_file_should_be() {
    let folder = Folder::new("a-directory");
    let path = folder.path().join("token.json");
    fs::create_dir(&path).unwrap();
    all_fail(&path, "cannot read").await;
}

#[tokio::test]
async fn a_file_where_a_directory_should_be() {
    let folder = Folder::new("a-file");
    fs::write(folder.path().join("token"), "hunter2").unwrap();
    let store = FileStore::new(folder.path().join("token"));
    let text = text(store.lock(&key()).await.unwrap_err());
    assert!(text.contains("cannot create the directory `") && text.contains("/token`"), "{text}");
}

/// The superuser can write to any directory, so the path is below a device.
#[cfg(unix)]
#[tokio::test]
async fn a_path_that_cannot_be_written() {
    let store = FileStore::new("/dev/null/tokens");
    for error in [store.lock(&key()).await.map(drop), store.load(&key()).await.map(drop)] {
        let text = text(error.unwrap_err());
        assert!(text.contains("cannot") && text.contains("/dev/null"), "{text}");
    }
}
