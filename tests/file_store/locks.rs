//! The turn is one process's, and ends with it.

use std::time::Duration;

use tokio::time::timeout;
use tower_oauth2::store::{FileStore, TokenStore};

use crate::child::Process;
use crate::support::{Folder, key, put, small};

/// How often each process counts up.
pub(crate) const COUNTS: u64 = 60;

#[tokio::test]
async fn a_killed_process_has_no_turn() {
    let folder = Folder::new("killed-holder");
    let store = FileStore::new(folder.path());
    let mut other = Process::start("has_the_turn", folder.path());
    assert_eq!(other.next().as_deref(), Some("mine"));
    let key = key();
    let mut turn = Box::pin(store.lock(&key));
    timeout(Duration::from_millis(300), &mut turn).await.expect_err("it is the other's");
    other.kill();
    timeout(Duration::from_secs(5), turn).await.expect("the next one's turn").unwrap();
}

/// Looking, saving out of turn by a sibling's own lock, and clearing are not held up by somebody who logs in.
#[tokio::test]
async fn a_turn_elsewhere_keeps_nobody_from_looking_and_clearing() {
    let folder = Folder::new("holder");
    let store = FileStore::new(folder.path());
    put(&store, &small(1)).await;
    let mut other = Process::start("has_the_turn", folder.path());
    assert_eq!(other.next().as_deref(), Some("mine"));
    assert_eq!(store.load(&key()).await.unwrap(), Some(small(1)));
    timeout(Duration::from_secs(5), store.clear(&key(), 1)).await.unwrap().unwrap();
    assert_eq!(store.load(&key()).await.unwrap(), None);
}

/// Two processes, and two of the same store in each.
#[tokio::test]
async fn no_update_is_lost() {
    let folder = Folder::new("counting");
    let children = [Process::start("counts", folder.path()), Process::start("counts", folder.path())];
    let store = FileStore::new(folder.path());
    let here = store.clone();
    let task = tokio::spawn(async move {
        for _ in 0..COUNTS {
            let mut turn = here.lock(&key()).await.unwrap();
            let stored = here.load(&key()).await.unwrap().map_or(0, |entry| entry.generation);
            here.save(&key(), &small(stored + 1), &mut turn).await.unwrap();
        }
    });
    task.await.unwrap();
    tokio::task::spawn_blocking(|| children.map(Process::done)).await.unwrap();
    assert_eq!(store.load(&key()).await.unwrap(), Some(small(3 * COUNTS)));
}

#[tokio::test]
async fn whoever_gives_up_does_not_take_the_turn() {
    let folder = Folder::new("given-up");
    let store = FileStore::new(folder.path());
    let turn = store.lock(&key()).await.unwrap();
    for wait in 0..20 {
        timeout(Duration::from_millis(wait), store.lock(&key())).await.expect_err("it is taken");
    }
    drop(turn);
    timeout(Duration::from_secs(5), store.lock(&key())).await.expect("nobody has it").unwrap();
}

#[tokio::test]
async fn each_entry_has_a_turn_of_its_own() {
    let folder = Folder::new("turns");
    let store = FileStore::new(folder.path());
    let _one = store.lock(&key()).await.unwrap();
    let other = key().subject("bob");
    timeout(Duration::from_secs(5), store.lock(&other)).await.expect("another turn").unwrap();
}
