//! A symbolic link stays a link: the entry, its lock files and its temporary files are in the directory of the target.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;
use tower_oauth2::store::{FileStore, TokenStore};

use crate::support::{Folder, key, names, put, small};

const FILES: [&str; 3] = ["token.json", "token.json.lock", "token.json.write-lock"];

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).unwrap().is_symlink()
}

/// Saves, loads and clears through `path`, and checks the files in `real`.
async fn works(path: &Path, real: &Path) {
    let store = FileStore::new(path);
    put(&store, &small(1)).await;
    put(&store, &small(2)).await;
    assert_eq!(FileStore::new(path).load(&key()).await.unwrap(), Some(small(2)));
    assert_eq!(names(real), FILES);
    let direct = FileStore::new(real.join("token.json"));
    assert_eq!(direct.load(&key()).await.unwrap(), Some(small(2)));
    // Both paths share a lock.
    let lock = direct.lock(&key()).await.unwrap();
    timeout(Duration::from_millis(200), store.lock(&key())).await.expect_err("the lock is held through the other path");
    drop(lock);
    store.clear(&key(), u64::MAX).await.unwrap();
    assert_eq!(direct.load(&key()).await.unwrap(), None);
    put(&store, &small(1)).await;
    assert_eq!(direct.load(&key()).await.unwrap(), Some(small(1)));
}

#[tokio::test]
async fn a_link_to_a_file() {
    let folder = Folder::new("link");
    let (home, real) = (folder.path().join("home"), folder.path().join("real"));
    fs::create_dir(&home).unwrap();
    fs::create_dir(&real).unwrap();
    fs::write(real.join("token.json"), r#"{"access_token": "a"}"#).unwrap();
    let link = home.join("login.json");
    symlink(real.join("token.json"), &link).unwrap();
    works(&link, &real).await;
    assert!(is_link(&link));
    assert_eq!(names(&home), ["login.json"]);
}

#[tokio::test]
async fn relative_links_through_others() {
    let folder = Folder::new("link-chain");
    let (home, real) = (folder.path().join("home"), folder.path().join("real"));
    fs::create_dir(&home).unwrap();
    fs::create_dir(&real).unwrap();
    symlink("other.json", home.join("login.json")).unwrap();
    symlink("../real/token.json", home.join("other.json")).unwrap();
    works(&home.join("login.json"), &real).await;
    assert!(is_link(&home.join("login.json")) && is_link(&home.join("other.json")));
    assert_eq!(names(&home), ["login.json", "other.json"]);
}

#[tokio::test]
async fn a_link_whose_target_is_missing() {
    let folder = Folder::new("link-dangling");
    let (link, real) = (folder.path().join("login.json"), folder.path().join("state/app"));
    symlink(real.join("token.json"), &link).unwrap();
    let store = FileStore::new(&link);
    assert_eq!(store.load(&key()).await.unwrap(), None);
    store.clear(&key(), u64::MAX).await.unwrap();
    assert_eq!(folder.names(), ["login.json"], "a load creates nothing");
    works(&link, &real).await;
    assert!(is_link(&link));
}

#[tokio::test]
async fn a_link_to_a_folder() {
    for (name, exists) in [("link-folder", true), ("link-folder-dangling", false)] {
        let folder = Folder::new(name);
        let real = folder.path().join("real/tokens");
        if exists {
            fs::create_dir_all(&real).unwrap();
        }
        let link = folder.path().join("tokens");
        symlink("real/tokens", &link).unwrap();
        let store = FileStore::new(&link);
        store.clear(&key(), u64::MAX).await.unwrap();
        put(&store, &small(1)).await;
        assert!(is_link(&link));
        assert_eq!(FileStore::new(&real).load(&key()).await.unwrap(), Some(small(1)));
        // The same for the directory of the file.
        put(&FileStore::new(link.join("token.json")), &small(1)).await;
        assert!(real.join("token.json").exists());
    }
}

#[tokio::test]
async fn a_link_among_the_entries_of_a_folder() {
    let folder = Folder::new("link-entry");
    let (tokens, real) = (folder.path().join("tokens"), folder.path().join("real"));
    fs::create_dir(&tokens).unwrap();
    fs::create_dir(&real).unwrap();
    let link = tokens.join(format!("{}.json", key().id()));
    symlink("../real/token.json", &link).unwrap();
    let store = FileStore::new(&tokens);
    put(&store, &small(1)).await;
    assert!(is_link(&link));
    assert_eq!(names(&real), FILES);
    assert_eq!(names(&tokens).len(), 1);
}

#[tokio::test]
async fn a_link_that_leads_back_to_itself() {
    let folder = Folder::new("link-loop");
    let (one, two) = (folder.path().join("one.json"), folder.path().join("two.json"));
    symlink(&one, &two).unwrap();
    symlink(&two, &one).unwrap();
    symlink("self", folder.path().join("self")).unwrap();
    for path in [one, folder.path().join("self"), folder.path().join("self/token.json")] {
        let store = FileStore::new(&path);
        for error in [
            store.lock(&key()).await.map(drop).unwrap_err(),
            store.load(&key()).await.map(drop).unwrap_err(),
            store.clear(&key(), u64::MAX).await.unwrap_err(),
        ] {
            let text = format!("{error} {error:?}");
            assert!(text.contains("cannot") && text.contains(path.to_str().unwrap()), "{text}");
        }
    }
}

/// The lock belongs to the target of the link, and that file is written even if the link has changed.
#[tokio::test]
async fn a_link_that_changes_while_the_lock_is_held() {
    let folder = Folder::new("link-changed");
    let (one, two) = (folder.path().join("one.json"), folder.path().join("two.json"));
    let link = folder.path().join("login.json");
    symlink(&one, &link).unwrap();
    let store = FileStore::new(&link);
    let mut lock = store.lock(&key()).await.unwrap();
    fs::remove_file(&link).unwrap();
    symlink(&two, &link).unwrap();
    store.save(&key(), &small(1), &mut lock).await.unwrap();
    drop(lock);
    assert!(one.exists() && !two.exists());
    put(&store, &small(5)).await;
    assert_eq!(FileStore::new(&two).load(&key()).await.unwrap(), Some(small(5)));
}
