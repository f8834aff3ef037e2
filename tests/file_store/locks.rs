//! One process at a time holds the lock, and its death releases it.

use std::time::Duration;

use tokio::time::timeout;
use tower_oauth2::store::{FileStore, TokenStore};

use crate::child::Process;
use crate::support::{Folder, key, put, small};

/// How often each process increments the version.
pub(crate) const COUNTS: u64 = 60;

/// A save is dropped together with its lock before the entry is written. If another process could acquire the lock now, it would
/// refresh the old entry.
#[test]
fn a_dropped_save_holds_the_lock_until_it_is_complete() {
    let folder = Folder::new("dropped-save");
    let store = FileStore::new(folder.path().join("token.json"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
    let other = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (key, new) = (key(), small(1));
    let mut lock = runtime.block_on(store.lock(&key)).unwrap();
    // Occupies the only blocking thread until the sender is dropped.
    let occupy = || {
        let (resume, wait) = std::sync::mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || wait.recv());
        resume
    };
    let is_writing = || {
        let file = std::fs::OpenOptions::new().write(true).open(folder.path().join("token.json.write-lock"));
        file.is_ok_and(|file| file.try_lock().is_err())
    };
    let resume = runtime.block_on(async {
        let mut saving = tokio_test::task::spawn(store.save(&key, &new, &mut lock));
        loop {
            let resume = occupy();
            let locked = is_writing();
            assert!(saving.poll().is_pending());
            if locked {
                // The poll has started the write, which waits for the thread.
                return resume;
            }
            drop(resume);
            tokio::task::spawn_blocking(|| ()).await.unwrap();
        }
    });
    drop(lock);
    assert!(other.block_on(store.try_lock(&key)).unwrap().is_none(), "the old entry could be refreshed");
    drop(resume);
    let locked = other.block_on(async { timeout(Duration::from_secs(10), store.lock(&key)).await });
    drop(locked.expect("the save is complete").unwrap());
    assert_eq!(other.block_on(store.load(&key)).unwrap(), Some(small(1)));
}

#[tokio::test]
async fn a_killed_process_releases_the_lock() {
    let folder = Folder::new("killed-holder");
    let store = FileStore::new(folder.path());
    let mut other = Process::start("holds_the_lock", folder.path());
    assert_eq!(other.next().as_deref(), Some("locked"));
    let key = key();
    let mut lock = Box::pin(store.lock(&key));
    timeout(Duration::from_millis(300), &mut lock).await.expect_err("the other process holds the lock");
    other.kill();
    timeout(Duration::from_secs(5), lock).await.expect("the lock is free").unwrap();
}

/// A lock that is held during a login does not delay loading and clearing.
#[tokio::test]
async fn loading_and_clearing_do_not_wait_for_the_lock() {
    let folder = Folder::new("holder");
    let store = FileStore::new(folder.path());
    put(&store, &small(1)).await;
    let mut other = Process::start("holds_the_lock", folder.path());
    assert_eq!(other.next().as_deref(), Some("locked"));
    assert_eq!(store.load(&key()).await.unwrap(), Some(small(1)));
    timeout(Duration::from_secs(5), store.clear(&key(), 1)).await.unwrap().unwrap();
    assert_eq!(store.load(&key()).await.unwrap(), None);
}

/// Two processes, with two clones of the store in each.
#[tokio::test]
async fn no_update_is_lost() {
    let folder = Folder::new("counting");
    let children = [Process::start("counts", folder.path()), Process::start("counts", folder.path())];
    let store = FileStore::new(folder.path());
    let here = store.clone();
    let task = tokio::spawn(async move {
        for _ in 0..COUNTS {
            let mut lock = here.lock(&key()).await.unwrap();
            let stored = here.load(&key()).await.unwrap().map_or(0, |entry| entry.generation);
            here.save(&key(), &small(stored + 1), &mut lock).await.unwrap();
        }
    });
    task.await.unwrap();
    tokio::task::spawn_blocking(|| children.map(Process::done)).await.unwrap();
    assert_eq!(store.load(&key()).await.unwrap(), Some(small(3 * COUNTS)));
}

#[tokio::test]
async fn a_dropped_lock_future_does_not_take_the_lock() {
    let folder = Folder::new("given-up");
    let store = FileStore::new(folder.path());
    let lock = store.lock(&key()).await.unwrap();
    for wait in 0..20 {
        timeout(Duration::from_millis(wait), store.lock(&key())).await.expect_err("the lock is held");
    }
    drop(lock);
    timeout(Duration::from_secs(5), store.lock(&key())).await.expect("the lock is free").unwrap();
}

#[tokio::test]
async fn each_entry_has_its_own_lock() {
    let folder = Folder::new("turns");
    let store = FileStore::new(folder.path());
    let _one = store.lock(&key()).await.unwrap();
    let other = key().subject("bob");
    timeout(Duration::from_secs(5), store.lock(&other)).await.expect("it has another lock").unwrap();
}

/// `try_lock` takes a free lock, and does not wait for a held one.
#[tokio::test]
async fn try_lock_does_not_wait() {
    let folder = Folder::new("try-lock");
    let store = FileStore::new(folder.path());
    let lock = store.try_lock(&key()).await.unwrap().expect("the lock is free");
    assert!(store.try_lock(&key()).await.unwrap().is_none());
    drop(lock);
    assert!(store.try_lock(&key()).await.unwrap().is_some());
}
