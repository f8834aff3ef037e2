//! The files of the store and their content.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tower_oauth2::store::{FileStore, TokenStore};

use crate::support::{Folder, key, names, put, small};

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[tokio::test]
async fn a_directory_has_a_file_for_each_key() {
    let folder = Folder::new("directory");
    let path = folder.path().join("state/tokens");
    let store = FileStore::new(&path);
    put(&store, &small(1)).await;
    let bob = key().subject("bob");
    let mut lock = store.lock(&bob).await.unwrap();
    store.save(&bob, &small(9), &mut lock).await.unwrap();
    let (key_id, bob_id) = (key().id().to_owned(), bob.id().to_owned());
    let mut expected: Vec<String> = [".json", ".json.lock", ".json.write-lock"]
        .iter()
        .flat_map(|end| [&key_id, &bob_id].map(|id| format!("{id}{end}")))
        .collect();
    expected.sort_unstable();
    assert_eq!(names(&path), expected);
    assert_eq!(
        read(&path.join(format!("{bob_id}.json"))),
        json!({
            "version": 1,
            "key": {"issuer": "https://auth.example.com/token", "client": "app", "subject": "bob"},
            "generation": 9,
            "token": {"access_token": "a9", "token_type": "Bearer", "refresh_token": "r9"},
        })
    );
    assert_eq!(store.load(&key()).await.unwrap(), Some(small(1)));
    assert_eq!(store.load(&bob).await.unwrap(), Some(small(9)));
}

#[tokio::test]
async fn a_path_that_ends_in_json_is_a_file() {
    let folder = Folder::new("file");
    let path = folder.path().join("login/token.json");
    let store = FileStore::new(&path);
    put(&store, &small(1)).await;
    assert_eq!(names(&folder.path().join("login")), ["token.json", "token.json.lock", "token.json.write-lock"]);
    assert_eq!(FileStore::new(&path).load(&key()).await.unwrap(), Some(small(1)));
}

/// A file of another program, such as a Python one, counts as older than each entry of this crate.
#[tokio::test]
async fn a_token_alone_is_read_and_then_replaced() {
    let folder = Folder::new("alone");
    let path = folder.path().join("token.json");
    let token = json!({
        "access_token": "a", "token_type": "Bearer", "expires_in": 3600, "expires_at": 4102444800.25_f64, "refresh_token": "r",
        "scope": "read"
    });
    fs::write(&path, token.to_string()).unwrap();
    let store = FileStore::new(&path);
    let entry = store.load(&key()).await.unwrap().unwrap();
    assert_eq!((entry.generation, entry.token.access_token(), entry.token.scope()), (0, "a", Some("read")));
    put(&store, &small(1)).await;
    assert_eq!(read(&path)["generation"], 1);
}

#[tokio::test]
async fn a_save_removes_temporary_files_of_its_entry() {
    let folder = Folder::new("tidy");
    let path = folder.path().join("token.json");
    let store = FileStore::new(&path);
    put(&store, &small(1)).await;
    let leftover = format!("token.json.{}.new", "x".repeat(43));
    let others = ["token.json.backup.new", "other.json", "token.json.bak"];
    for name in others.iter().copied().chain([leftover.as_str()]) {
        fs::write(folder.path().join(name), "half").unwrap();
    }
    // The note that a killed writer has left.
    fs::write(folder.path().join("token.json.write-lock"), &leftover).unwrap();
    put(&store, &small(2)).await;
    let mut expected: Vec<&str> = vec!["token.json", "token.json.lock", "token.json.write-lock"];
    expected.extend(others);
    expected.sort_unstable();
    assert_eq!(folder.names(), expected, "the temporary file is removed, and other files are not");
    fs::write(folder.path().join(&leftover), "half").unwrap();
    store.clear(&key(), u64::MAX).await.unwrap();
    assert!(!folder.names().contains(&leftover) && !path.exists(), "a logout leaves no token behind");
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let folder = Folder::new("modes");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let path = folder.path().join("state/tokens");
    put(&FileStore::new(&path), &small(1)).await;
    assert_eq!((mode(&path), mode(&folder.path().join("state"))), (0o700, 0o700));
    assert_eq!(mode(folder.path()), 0o755, "an existing directory keeps its permissions");
    for name in names(&path) {
        assert_eq!(mode(&path.join(&name)), 0o600, "{name}");
    }
    // A file that was readable for all is private after a save.
    let path = folder.path().join("token.json");
    fs::write(&path, r#"{"access_token": "a"}"#).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    put(&FileStore::new(&path), &small(1)).await;
    assert_eq!(mode(&path), 0o600);
}

/// A note that names another file is ignored.
#[tokio::test]
async fn a_note_is_not_trusted() {
    let folder = Folder::new("note");
    fs::create_dir(folder.path().join("tokens")).unwrap();
    let path = folder.path().join("tokens/token.json");
    let ending = "x".repeat(43);
    let names =
        [format!("tokens/token.json.{ending}.new"), format!("token.json.{ending}.new"), "token.json".to_owned()];
    for name in &names {
        fs::write(folder.path().join(name), "not ours").unwrap();
    }
    let store = FileStore::new(&path);
    for note in [format!("../token.json.{ending}.new"), "../token.json".to_owned(), String::new(), "\0".to_owned()] {
        fs::write(folder.path().join("tokens/token.json.write-lock"), note).unwrap();
        put(&store, &small(1)).await;
        store.clear(&key(), u64::MAX).await.unwrap();
    }
    assert!(folder.path().join(&names[1]).exists() && folder.path().join("token.json").exists());
    assert!(!folder.path().join(&names[0]).exists());
}

/// Without a runtime, the thread of the caller does the work.
#[test]
fn outside_a_runtime() {
    let folder = Folder::new("no-runtime");
    let store = FileStore::new(folder.path());
    futures_util::FutureExt::now_or_never(async {
        put(&store, &small(1)).await;
        assert_eq!(store.load(&key()).await.unwrap(), Some(small(1)));
        store.clear(&key(), 1).await.unwrap();
        assert_eq!(store.load(&key()).await.unwrap(), None);
    })
    .expect("nothing is pending");
}

#[test]
fn the_store_and_its_futures_are_send() {
    fn share<T: Send + Sync + Clone + std::fmt::Debug + 'static>(_: &T) {}
    fn send<T: Send>(_: T) {}
    let (store, key, entry) = (FileStore::new("tokens"), key(), small(1));
    share(&store);
    send(store.lock(&key));
    send(store.load(&key));
    send(store.clear(&key, 1));
    let _ = async |mut lock: tower_oauth2::store::FileLock| send(store.save(&key, &entry, &mut lock));
}

/// A path with a trailing slash is a directory, whatever its name.
#[tokio::test]
async fn a_directory_may_have_the_name_of_a_file() {
    let folder = Folder::new("json-directory");
    let path = format!("{}/tokens.json/", folder.path().display());
    put(&FileStore::new(&path), &small(1)).await;
    assert_eq!(FileStore::new(&path).load(&key()).await.unwrap(), Some(small(1)));
    assert!(folder.path().join("tokens.json").join(format!("{}.json", key().id())).is_file());
}
