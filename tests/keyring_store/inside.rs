//! The tests that `main.rs` runs in a D-Bus session.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;
use tower_oauth2::grant::RefreshToken;
use tower_oauth2::store::{Entry, Key, KeyringStore, TokenStore};
use tower_oauth2::{OAuth2Layer, Token, client::Client};

use crate::support::{AuthServer, Settings};

#[tokio::test]
#[ignore = "runs in the D-Bus session that the test in `main.rs` starts"]
async fn another_process_loads_a_saved_entry() {
    let store = store();
    assert_eq!(store.load(&key()).await.unwrap(), None);
    let mut lock = store.lock(&key()).await.unwrap();
    store.save(&key(), &entry(1), &mut lock).await.unwrap();
    store.save(&key(), &entry(2), &mut lock).await.unwrap();
    assert_eq!(store.load(&key()).await.unwrap(), Some(entry(2)));
    assert!(another("another_loads").wait().unwrap().success());
}

#[tokio::test]
#[ignore = "runs in the D-Bus session that the test in `main.rs` starts"]
async fn another_loads() {
    assert_eq!(store().load(&key()).await.unwrap(), Some(entry(2)));
}

#[tokio::test]
#[ignore = "runs in the D-Bus session that the test in `main.rs` starts"]
async fn a_newer_entry_is_not_cleared() {
    let store = store();
    let mut lock = store.lock(&key()).await.unwrap();
    store.save(&key(), &entry(3), &mut lock).await.unwrap();
    store.clear(&key(), 2).await.unwrap();
    assert_eq!(store.load(&key()).await.unwrap(), Some(entry(3)));
    store.clear(&key(), 3).await.unwrap();
    assert_eq!(store.load(&key()).await.unwrap(), None);
    store.clear(&key(), 3).await.unwrap();
}

#[tokio::test]
#[ignore = "runs in the D-Bus session that the test in `main.rs` starts"]
async fn services_and_keys_are_separate() {
    let store = store();
    let mut lock = store.lock(&key()).await.unwrap();
    store.save(&key(), &entry(1), &mut lock).await.unwrap();
    assert_eq!(store.load(&key().subject("alice")).await.unwrap(), None);
    assert_eq!(KeyringStore::new("another").load(&key()).await.unwrap(), None);
}

#[tokio::test]
#[ignore = "runs in the D-Bus session that the test in `main.rs` starts"]
async fn a_secret_of_another_program_is_an_error_that_does_not_repeat_it() {
    let secret = keyring::Entry::new(SERVICE, key().id()).unwrap();
    let texts: [&[u8]; 4] = [b"hunter2", b"\xffhunter2", br#"{"token": "hunter2"}"#, FUTURE.as_bytes()];
    for text in texts {
        secret.set_secret(text).unwrap();
        let error = store().load(&key()).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        let grant = RefreshToken::stored("https://auth.example.com/token", Client::public("app")).unwrap();
        let error = grant.persisted(store()).load().await.unwrap_err();
        assert!(!error.is_transient(), "waiting does not help: {error:?}");
        store().clear(&key(), 7).await.unwrap_err();
        let mut lock = store().lock(&key()).await.unwrap();
        store().save(&key(), &entry(9), &mut lock).await.unwrap_err();
        assert_eq!(secret.get_secret().unwrap(), text, "nothing was changed");
    }
    store().clear(&key(), u64::MAX).await.unwrap();
    assert_eq!(store().load(&key()).await.unwrap(), None);
}

const FUTURE: &str = r#"{"version": 2, "generation": 1, "token": {"access_token": "hunter2"}}"#;

#[tokio::test]
#[ignore = "runs in the D-Bus session that the test in `main.rs` starts"]
async fn one_process_holds_the_lock_and_its_death_releases_it() {
    let store = store();
    let lock = store.lock(&key()).await.unwrap();
    timeout(Duration::from_millis(500), store.lock(&key())).await.expect_err("this process holds the lock");
    drop(lock);

    let mut holder = another("the_holder");
    let mut lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("locked")));
    timeout(Duration::from_millis(500), store.lock(&key())).await.expect_err("another process holds the lock");
    timeout(Duration::from_secs(10), store.lock(&key().subject("alice"))).await.unwrap().unwrap();
    holder.kill().unwrap();
    holder.wait().unwrap();
    timeout(Duration::from_secs(10), store.lock(&key())).await.unwrap().unwrap();
}

#[tokio::test]
#[ignore = "runs in the D-Bus session that the test in `main.rs` starts"]
async fn the_holder() {
    let _lock = store().lock(&key()).await.unwrap();
    println!("locked");
    tokio::time::sleep(Duration::from_secs(60)).await;
}

#[tokio::test]
#[ignore = "runs in the D-Bus session that the test in `main.rs` starts"]
async fn an_older_token_replaces_no_newer_one_and_a_lock_is_valid_for_its_entry_only() {
    let store = store();
    let mut lock = store.lock(&key()).await.unwrap();
    store.save(&key(), &entry(2), &mut lock).await.unwrap();
    let error = store.save(&key(), &entry(1), &mut lock).await.unwrap_err();
    assert!(error.to_string().contains("newer"), "{error}");
    store.save(&key(), &entry(2), &mut lock).await.unwrap();
    let error = store.save(&key().subject("bob"), &entry(1), &mut lock).await.unwrap_err();
    assert!(error.to_string().contains("another entry's"), "{error}");
    assert_eq!(store.load(&key()).await.unwrap(), Some(entry(2)));
}

/// Otherwise the other process could write the login back after this one has removed it.
#[tokio::test]
#[ignore = "runs in the D-Bus session that the test in `main.rs` starts"]
async fn a_logout_waits_for_a_save_of_another_process() {
    let store = store();
    let mut lock = store.lock(&key()).await.unwrap();
    store.save(&key(), &entry(1), &mut lock).await.unwrap();
    let folder = std::path::PathBuf::from(std::env::var("HOME").unwrap()).join(".cache/tower-oauth2");
    let path = folder.join(format!("{}.write-lock", key().id()));
    let saving = std::fs::OpenOptions::new().write(true).create(true).truncate(false).open(path).unwrap();
    saving.lock().unwrap();
    timeout(Duration::from_millis(300), store.clear(&key(), u64::MAX)).await.expect_err("it waits for the write lock");
    assert_eq!(store.load(&key()).await.unwrap(), Some(entry(1)));
    saving.unlock().unwrap();
    store.clear(&key(), u64::MAX).await.unwrap();
    assert_eq!(store.load(&key()).await.unwrap(), None);
    // Without a writable directory for lock files, no process can save.
    store.save(&key(), &entry(2), &mut lock).await.unwrap();
    store.clone().lock_folder("/dev/null/locks").clear(&key(), u64::MAX).await.unwrap();
    assert_eq!(store.load(&key()).await.unwrap(), None);
}

/// A locked keyring waits for its user. The clock is paused, so that it advances when all tasks are idle.
#[tokio::test]
#[ignore = "runs in the D-Bus session that the test in `main.rs` starts"]
async fn a_keyring_that_does_not_respond_is_an_error_that_says_so() {
    let store = store();
    let mut lock = store.lock(&key()).await.unwrap();
    store.save(&key(), &entry(1), &mut lock).await.unwrap();
    assert_eq!(threads(), 1);
    let daemon = daemon();
    signal(&daemon, "STOP");
    tokio::time::pause();
    let error = store.save(&key(), &entry(2), &mut lock).await.unwrap_err();
    assert!(error.to_string().contains("locked") && error.to_string().contains("unlock it"), "{error}");
    for _ in 0..50 {
        let error = store.clone().load(&key()).await.unwrap_err();
        assert!(error.to_string().contains("unlock it"), "{error}");
    }
    assert_eq!(threads(), 1, "all operations share one thread");
    tokio::time::resume();
    // The save can still succeed, so it holds the lock.
    drop(lock);
    timeout(Duration::from_millis(300), store.lock(&key())).await.expect_err("the save holds the lock");
    signal(&daemon, "CONT");
    drop(store.lock(&key()).await.unwrap());
    assert_eq!(store.load(&key()).await.unwrap(), Some(entry(2)));
    drop(store);
    for _ in 0..1000 {
        if threads() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the thread does not end with the store");
}

/// Returns the number of keyring threads of this process.
fn threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok());
    names.filter(|name| name.trim() == "keyring").count()
}

/// Returns the process id of the keyring of this session.
fn daemon() -> String {
    let here = format!("DBUS_SESSION_BUS_ADDRESS={}", std::env::var("DBUS_SESSION_BUS_ADDRESS").unwrap());
    let processes = std::fs::read_dir("/proc").unwrap().map(|process| process.unwrap());
    let mut found = processes.filter(|process| {
        let read = |name: &str| std::fs::read(process.path().join(name)).unwrap_or_default();
        read("comm").starts_with(b"gnome-keyring-d")
            && read("environ").split(|byte| *byte == 0).any(|it| it == here.as_bytes())
    });
    found.next().expect("the daemon").file_name().into_string().unwrap()
}

fn signal(process: &str, name: &str) {
    assert!(Command::new("sh").args(["-c", "kill -s \"$1\" \"$2\"", "sh", name, process]).status().unwrap().success());
}

#[tokio::test]
#[ignore = "runs in the D-Bus session that the test in `main.rs` starts"]
async fn one_token_request_for_two_layers() {
    let server = AuthServer::start(Settings::default().refresh_tokens()).await.unwrap();
    let (_, saved) = server.log_in_elsewhere("app");
    let member = || {
        let grant = RefreshToken::new(server.token_url(), Client::public("app"), &saved).unwrap();
        let http = legacy::Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        OAuth2Layer::new(grant.persisted(store())).token_service(http).tokens()
    };
    let (one, two) = (member(), member());
    let (first, second) = tokio::join!(one.get(), two.get());
    assert_eq!(first.unwrap().access_token(), second.unwrap().access_token());
    assert_eq!(server.token_requests(), 1);
}

#[tokio::test]
#[ignore = "runs in the D-Bus session that the test in `main.rs` starts"]
async fn a_missing_keyring_is_an_error() {
    for _ in 0..2 {
        let loaded = timeout(Duration::from_secs(20), store().load(&key())).await.expect("it does not hang");
        assert!(loaded.unwrap_err().to_string().starts_with("there is no keyring"));
    }
}

const SERVICE: &str = "tower-oauth2-test";

fn store() -> KeyringStore {
    KeyringStore::new(SERVICE)
}

fn key() -> Key {
    Key::new("https://auth.example.com/token", "app")
}

fn entry(generation: u64) -> Entry {
    let token = Token::bearer(format!("access-{generation}")).unwrap();
    Entry::new(token.with_refresh_token(format!("refresh-{generation}")), generation)
}

/// Starts another of these tests as a process in the same session.
fn another(test: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([&format!("inside::{test}"), "--exact", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}
