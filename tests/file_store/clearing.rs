//! `clear` removes the intended entry only.

use std::fs::OpenOptions;
use std::time::Duration;

use tokio::time::timeout;
use tower_oauth2::store::{FileStore, TokenStore};

use crate::support::{Folder, key, put, small};

#[tokio::test]
async fn a_newer_token_stays() {
    let folder = Folder::new("clearing");
    let store = FileStore::new(folder.path());
    put(&store, &small(5)).await;
    store.clear(&key(), 4).await.unwrap();
    assert_eq!(store.load(&key()).await.unwrap(), Some(small(5)));
    store.clear(&key(), 5).await.unwrap();
    assert_eq!(store.load(&key()).await.unwrap(), None);
    store.clear(&key(), 5).await.unwrap();
    // The next login may start at version zero, because nothing is stored.
    put(&store, &small(1)).await;
}

/// A logout removes an entry that cannot be read, except another login.
#[tokio::test]
async fn a_logout_removes_an_unreadable_entry() {
    let folder = Folder::new("clearing-damaged");
    let path = folder.path().join("token.json");
    let store = FileStore::new(&path);
    let others = serde_json::json!({
        "version": 1, "key": key().subject("bob"), "generation": 1, "token": {"access_token": "theirs"}
    });
    let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
    for (content, is_removed) in [
        ("{\"access_token\": ".to_owned(), true),
        (deep, true),
        (r#"{"version": 2}"#.to_owned(), true),
        (others.to_string(), false),
    ] {
        std::fs::write(&path, &content).unwrap();
        store.clear(&key(), 99).await.unwrap_err();
        assert!(path.exists(), "{content}");
        assert_eq!(store.clear(&key(), u64::MAX).await.is_ok(), is_removed, "{content}");
        assert_eq!(path.exists(), !is_removed, "{content}");
    }
}

#[tokio::test]
async fn only_the_entry_of_that_key() {
    let folder = Folder::new("clearing-one");
    let store = FileStore::new(folder.path());
    let bob = key().subject("bob");
    let mut lock = store.lock(&bob).await.unwrap();
    store.save(&bob, &small(1), &mut lock).await.unwrap();
    drop(lock);
    put(&store, &small(1)).await;
    store.clear(&key(), u64::MAX).await.unwrap();
    assert_eq!(store.load(&bob).await.unwrap(), Some(small(1)));
}

#[tokio::test]
async fn clearing_a_missing_entry_creates_nothing() {
    let folder = Folder::new("clearing-nothing");
    let path = folder.path().join("missing");
    let store = FileStore::new(&path);
    assert_eq!(store.load(&key()).await.unwrap(), None);
    store.clear(&key(), u64::MAX).await.unwrap();
    assert!(!path.exists());
}

/// An inaccessible entry does not count as missing.
#[cfg(unix)]
#[tokio::test]
async fn an_inaccessible_directory_is_an_error() {
    let folder = Folder::new("clearing-unseen");
    std::os::unix::fs::symlink("loop", folder.path().join("loop")).unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let long = format!("{}/tokens", "x".repeat(300));
    for name in ["loop/tokens", "file/tokens", &long] {
        let store = FileStore::new(folder.path().join(name));
        let errors = [
            store.clear(&key(), u64::MAX).await.unwrap_err(),
            store.clear(&key(), 1).await.unwrap_err(),
            store.load(&key()).await.map(drop).unwrap_err(),
            store.lock(&key()).await.map(drop).unwrap_err(),
        ];
        for error in errors {
            assert!(error.to_string().contains("cannot") && error.to_string().contains(name), "{error}");
        }
    }
}

/// A logout succeeds even if the entry cannot be parsed.
#[tokio::test]
async fn clearing_every_version_removes_an_unreadable_entry() {
    let folder = Folder::new("clearing-damaged");
    let path = folder.path().join("token.json");
    let store = FileStore::new(&path);
    let ours = serde_json::to_value(key()).unwrap();
    let newer = serde_json::json!({"version": 2, "key": ours, "secret": "hunter2"}).to_string();
    let nameless = r#"{"version": 2}"#;
    let huge = format!("{{\"access_token\": \"{}\"}}", "x".repeat(5 * 1024 * 1024));
    let deep = format!("{{\"access_token\": \"a\", \"x\": {}", "[".repeat(100_000));
    for content in
        ["{", "hunter2", r#"{"refresh_token": "hunter2"}"#, r#"{"access_token": 1}"#, &newer, nameless, &huge, &deep]
    {
        std::fs::write(&path, content).unwrap();
        store.load(&key()).await.unwrap_err();
        store.clear(&key(), 7).await.unwrap_err();
        assert!(path.exists(), "its version is unknown");
        store.clear(&key(), u64::MAX).await.unwrap();
        assert!(!path.exists());
        put(&store, &small(1)).await;
    }
}

/// Between the check and the change, no other process changes the entry.
#[tokio::test]
async fn changes_wait_for_each_other() {
    let folder = Folder::new("changes");
    let path = folder.path().join("token.json");
    let store = FileStore::new(&path);
    put(&store, &small(1)).await;
    let write_lock = OpenOptions::new().write(true).open(folder.path().join("token.json.write-lock")).unwrap();
    write_lock.lock().unwrap();
    let moment = Duration::from_millis(200);
    let (key, entry) = (key(), small(2));
    let mut lock = store.lock(&key).await.unwrap();
    let mut clear = Box::pin(store.clear(&key, 1));
    let mut save = Box::pin(store.save(&key, &entry, &mut lock));
    timeout(moment, &mut clear).await.expect_err("the write lock is held");
    timeout(moment, &mut save).await.expect_err("the write lock is held");
    assert_eq!(store.load(&key).await.unwrap(), Some(small(1)));
    write_lock.unlock().unwrap();
    let end = Duration::from_secs(5);
    timeout(end, save).await.expect("the write lock is free").unwrap();
    timeout(end, clear).await.expect("the refresh lock does not matter").unwrap();
    assert_eq!(store.load(&key).await.unwrap(), Some(small(2)));
}

/// Another process saves without end, and this one clears each version that it has loaded. No newer version is removed.
#[cfg(unix)]
#[tokio::test]
async fn a_version_that_was_not_loaded_is_not_removed() {
    let folder = Folder::new("clearing-race");
    let writer = crate::child::Process::start("saves_and_checks", folder.path());
    let store = FileStore::new(folder.path());
    let mut seen = std::collections::HashSet::new();
    let seeing = async {
        while seen.len() < 60 {
            if let Some(entry) = store.load(&key()).await.unwrap() {
                seen.insert(entry.generation);
                store.clear(&key(), entry.generation).await.unwrap();
            }
        }
    };
    // The writer ends when its entry is missing, and then no more lines arrive.
    timeout(Duration::from_secs(60), seeing).await.expect("the other process has ended");
    let gone: Vec<u64> = writer.kill().iter().map(|word| word.parse().unwrap()).collect();
    assert!(gone.iter().all(|generation| seen.contains(generation)), "{gone:?}");
}
