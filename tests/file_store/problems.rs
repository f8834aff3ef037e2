//! What is wrong with a file is told with its name and what to do, and the file is left alone.

use std::fs;
use std::path::Path;

use serde_json::json;
use tower::BoxError;
use tower_oauth2::store::{FileStore, TokenStore};

use crate::support::{Folder, key, put, small};

/// The whole of an error, causes too.
fn text(error: BoxError) -> String {
    let mut text = format!("{error} {error:?}");
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(&format!(" {cause} {cause:?}"));
        next = cause.source();
    }
    text
}

/// Each of the operations that meets this file, refused with `named`.
async fn all_refuse(path: &Path, named: &str) {
    let store = FileStore::new(path);
    let before = fs::read(path).ok();
    let load = store.load(&key()).await.unwrap_err();
    let mut turn = store.lock(&key()).await.unwrap();
    let save = store.save(&key(), &small(99), &mut turn).await.unwrap_err();
    drop(turn);
    let clear = store.clear(&key(), u64::MAX).await.unwrap_err();
    for error in [load, save, clear] {
        let text = text(error);
        assert!(text.contains(named) && text.contains("token.json"), "{named}: {text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
    assert_eq!(fs::read(path).ok(), before, "{named}");
}

#[tokio::test]
async fn damaged_newer_or_anothers() {
    let folder = Folder::new("problems");
    let path = folder.path().join("token.json");
    let of = |key| json!({"version": 1, "key": key, "generation": 1, "token": {"access_token": "hunter2"}}).to_string();
    let truncated = { of(key())[..of(key()).len() - 2].to_owned() };
    for (content, named) in [
        ("", "move it away, and log in again"),
        ("hunter2", "move it away"),
        (truncated.as_str(), "move it away"),
        (r#"{"refresh_token": "hunter2"}"#, "move it away"),
        (r#"{"version": 2, "secret": "hunter2"}"#, "update the program"),
        (of(key().subject("hunter1")).as_str(), "a path of its own"),
    ] {
        fs::write(&path, content).unwrap();
        all_refuse(&path, named).await;
    }
    // Moved away, as it said.
    fs::rename(&path, folder.path().join("old.json")).unwrap();
    put(&FileStore::new(&path), &small(1)).await;
}

#[tokio::test]
async fn an_older_token_replaces_no_newer_one() {
    let folder = Folder::new("older");
    let path = folder.path().join("token.json");
    let store = FileStore::new(&path);
    put(&store, &small(7)).await;
    let mut turn = store.lock(&key()).await.unwrap();
    let text = text(store.save(&key(), &small(6), &mut turn).await.unwrap_err());
    assert!(text.contains("token.json") && text.contains("generation 7"), "{text}");
    assert_eq!(store.load(&key()).await.unwrap(), Some(small(7)));
    // The same one again may be a save that was tried again.
    store.save(&key(), &small(7), &mut turn).await.unwrap();
}

#[tokio::test]
async fn a_directory_where_a_file_should_be() {
    let folder = Folder::new("a-directory");
    let path = folder.path().join("token.json");
    fs::create_dir(&path).unwrap();
    all_refuse(&path, "cannot read").await;
}

#[tokio::test]
async fn a_file_where_a_directory_should_be() {
    let folder = Folder::new("a-file");
    fs::write(folder.path().join("token"), "hunter2").unwrap();
    let store = FileStore::new(folder.path().join("token"));
    let text = text(store.lock(&key()).await.unwrap_err());
    assert!(text.contains("cannot make the directory `") && text.contains("/token`"), "{text}");
}

/// The superuser may write anywhere, so the place is one where nobody can: below a device.
#[cfg(unix)]
#[tokio::test]
async fn a_path_that_cannot_be_written() {
    let store = FileStore::new("/dev/null/tokens");
    for error in [store.lock(&key()).await.map(drop), store.load(&key()).await.map(drop)] {
        let text = text(error.unwrap_err());
        assert!(text.contains("cannot") && text.contains("/dev/null"), "{text}");
    }
}
