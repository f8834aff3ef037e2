//! A memory store is bounded, and does not evict entries that are in use.

use std::time::Duration;

use tower_oauth2::Token;
use tower_oauth2::store::{Entry, Key, MemoryStore, TokenStore};

fn key(number: usize) -> Key {
    Key::new("https://auth.example.com/token", "app").subject(number.to_string())
}

async fn save(store: &MemoryStore, number: usize) {
    let mut lock = store.lock(&key(number)).await.unwrap();
    store.save(&key(number), &Entry::new(Token::bearer("a").unwrap(), 1), &mut lock).await.unwrap();
}

async fn has(store: &MemoryStore, number: usize) -> bool {
    store.load(&key(number)).await.unwrap().is_some()
}

/// Returns the number of keys in the store.
fn keys(store: &MemoryStore) -> usize {
    let debug = format!("{store:?}");
    debug.trim_start_matches("MemoryStore { keys: ").trim_end_matches(" }").parse().expect(&debug)
}

#[tokio::test]
async fn the_least_recently_used_entry_is_evicted_first() {
    let store = MemoryStore::new().max_entries(3);
    for number in 0..3 {
        save(&store, number).await;
    }
    assert!(has(&store, 0).await, "a load counts as a use");
    save(&store, 3).await;
    assert!(!has(&store, 1).await, "it is the least recently used");
    assert!(has(&store, 0).await && has(&store, 2).await && has(&store, 3).await);
    // The limit applies to clones and to existing entries.
    let store = store.clone().max_entries(0);
    assert_eq!(keys(&store), 1);
    assert!(has(&store, 3).await);
}

#[tokio::test]
async fn the_store_is_bounded_by_default() {
    let store = MemoryStore::new();
    for number in 0..10_100 {
        save(&store, number).await;
    }
    assert!(keys(&store) <= 10_000 && keys(&store) > 9_000, "{store:?}");
    assert!(!has(&store, 0).await && has(&store, 10_099).await);
}

#[tokio::test]
async fn entries_in_use_are_not_evicted() {
    let store = MemoryStore::new().max_entries(1);
    save(&store, 0).await;
    let lock = store.lock(&key(0)).await.unwrap();
    save(&store, 1).await;
    let changes = store.changes(&key(1)).unwrap();
    save(&store, 2).await;
    save(&store, 3).await;
    assert!(has(&store, 0).await && has(&store, 1).await && !has(&store, 2).await);
    // The lock and the receivers of changes still belong to the entry.
    tokio::time::timeout(Duration::from_millis(10), store.lock(&key(0))).await.expect_err("the lock is held");
    save(&store, 1).await;
    assert!(changes.has_changed().unwrap());
    drop((lock, changes));
    save(&store, 4).await;
    assert!(!has(&store, 0).await && !has(&store, 1).await);
}

#[tokio::test]
async fn a_cleared_entry_uses_no_memory_and_neither_does_a_load() {
    let store = MemoryStore::new();
    assert!(!has(&store, 0).await);
    store.clear(&key(1), u64::MAX).await.unwrap();
    assert_eq!(keys(&store), 0);
    save(&store, 2).await;
    store.clear(&key(2), 0).await.unwrap();
    assert_eq!(keys(&store), 1);
    store.clear(&key(2), 1).await.unwrap();
    assert_eq!(keys(&store), 0);
    // While its lock is held, the key stays until the next clear or until the store is full.
    let lock = store.lock(&key(3)).await.unwrap();
    store.clear(&key(3), u64::MAX).await.unwrap();
    assert_eq!(keys(&store), 1);
    tokio::time::timeout(Duration::from_millis(10), store.lock(&key(3))).await.expect_err("the lock is held");
    drop(lock);
    store.clear(&key(3), u64::MAX).await.unwrap();
    assert_eq!(keys(&store), 0);
}
