//! A writer that is killed at any moment leaves the old token or the new one, complete.

use std::hash::{BuildHasher as _, RandomState};
use std::thread::sleep;
use std::time::Duration;

use tower_oauth2::store::{FileStore, TokenStore};

use crate::child::Process;
use crate::support::{Folder, entry, key, put};

const KILLS: u64 = 120;

#[tokio::test]
async fn at_random_moments() {
    let folder = Folder::new("killed");
    let path = folder.path().join("token.json");
    let store = FileStore::new(&path);
    put(&store, &entry(1)).await;
    let (mut last, mut leftovers) = (1, 0);
    for kill in 0..KILLS {
        let mut writer = Process::start("saves", &path);
        let first: u64 = writer.next().unwrap().parse().unwrap();
        assert_eq!(first, last + 1, "it continues from the entry of the previous process");
        // A save takes some milliseconds. This waits for a random part of a few saves.
        sleep(Duration::from_micros(RandomState::new().hash_one(kill) % 12_000));
        let said: u64 = writer.kill().last().map_or(first, |word| word.parse().unwrap());

        let found = store.load(&key()).await.unwrap().expect("there is always a token");
        assert_eq!(found, entry(found.generation), "it is complete");
        // The reported save is durable. The next one may have succeeded without a report.
        assert!(found.generation == said || found.generation == said + 1, "{} after {said}", found.generation);
        last = found.generation;
        leftovers += folder.names().iter().filter(|name| name.ends_with(".new")).count();
    }
    assert!(leftovers > 0, "no save was interrupted, so this test checks nothing");
    put(&store, &entry(last + 1)).await;
    assert_eq!(
        folder.names(),
        ["token.json", "token.json.lock", "token.json.write-lock"],
        "temporary files are removed"
    );
    println!("{leftovers} of {KILLS} kills interrupted a save; generation {last}");
}
