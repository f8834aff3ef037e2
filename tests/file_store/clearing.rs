//! What is removed is what was meant.

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
    // A next login begins at zero, for there is nothing that would be older.
    put(&store, &small(1)).await;
}

#[tokio::test]
async fn only_the_entry_of_that_key() {
    let folder = Folder::new("clearing-one");
    let store = FileStore::new(folder.path());
    let bob = key().subject("bob");
    let mut turn = store.lock(&bob).await.unwrap();
    store.save(&bob, &small(1), &mut turn).await.unwrap();
    drop(turn);
    put(&store, &small(1)).await;
    store.clear(&key(), u64::MAX).await.unwrap();
    assert_eq!(store.load(&bob).await.unwrap(), Some(small(1)));
}

#[tokio::test]
async fn where_nothing_is_nothing_is_made() {
    let folder = Folder::new("clearing-nothing");
    let path = folder.path().join("missing");
    let store = FileStore::new(&path);
    assert_eq!(store.load(&key()).await.unwrap(), None);
    store.clear(&key(), u64::MAX).await.unwrap();
    assert!(!path.exists());
}

/// Between the look at what is there and the change, nobody else changes anything.
#[tokio::test]
async fn changes_wait_for_each_other() {
    let folder = Folder::new("changes");
    let path = folder.path().join("token.json");
    let store = FileStore::new(&path);
    put(&store, &small(1)).await;
    let lock = OpenOptions::new().write(true).open(folder.path().join("token.json.write-lock")).unwrap();
    lock.lock().unwrap();
    let moment = Duration::from_millis(200);
    let (key, entry) = (key(), small(2));
    let mut turn = store.lock(&key).await.unwrap();
    let mut clear = Box::pin(store.clear(&key, 1));
    let mut save = Box::pin(store.save(&key, &entry, &mut turn));
    timeout(moment, &mut clear).await.expect_err("somebody is at it");
    timeout(moment, &mut save).await.expect_err("somebody is at it");
    assert_eq!(store.load(&key).await.unwrap(), Some(small(1)));
    lock.unlock().unwrap();
    let end = Duration::from_secs(5);
    timeout(end, save).await.expect("its turn").unwrap();
    timeout(end, clear).await.expect("its turn, whoever renews").unwrap();
    assert_eq!(store.load(&key).await.unwrap(), Some(small(2)));
}

/// Another process saves without end, and this one clears whatever it sees: nothing goes that was not seen.
#[cfg(unix)]
#[tokio::test]
async fn what_was_not_seen_is_not_removed() {
    let folder = Folder::new("clearing-race");
    let writer = crate::child::Process::start("saves_and_looks", folder.path());
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
    // A writer whose file is taken from under its hands ends, and nothing more is seen.
    timeout(Duration::from_secs(60), seeing).await.expect("it saves no more");
    let gone: Vec<u64> = writer.kill().iter().map(|word| word.parse().unwrap()).collect();
    assert!(gone.iter().all(|generation| seen.contains(generation)), "{gone:?}");
}
