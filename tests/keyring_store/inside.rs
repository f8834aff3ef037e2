//! What happens in the session. None of these runs by itself.

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
#[ignore = "runs in the D-Bus session that the test in `main.rs` begins"]
async fn what_is_saved_can_be_loaded_by_another_process() {
    let store = store();
    assert_eq!(store.load(&key()).await.unwrap(), None);
    let mut turn = store.lock(&key()).await.unwrap();
    store.save(&key(), &entry(1), &mut turn).await.unwrap();
    store.save(&key(), &entry(2), &mut turn).await.unwrap();
    assert_eq!(store.load(&key()).await.unwrap(), Some(entry(2)));
    assert!(another("another_loads").wait().unwrap().success());
}

#[tokio::test]
#[ignore = "runs in the D-Bus session that the test in `main.rs` begins"]
async fn another_loads() {
    assert_eq!(store().load(&key()).await.unwrap(), Some(entry(2)));
}

#[tokio::test]
#[ignore = "runs in the D-Bus session that the test in `main.rs` begins"]
async fn what_is_newer_is_not_cleared() {
    let store = store();
    let mut turn = store.lock(&key()).await.unwrap();
    store.save(&key(), &entry(3), &mut turn).await.unwrap();
    store.clear(&key(), 2).await.unwrap();
    assert_eq!(store.load(&key()).await.unwrap(), Some(entry(3)));
    store.clear(&key(), 3).await.unwrap();
    assert_eq!(store.load(&key()).await.unwrap(), None);
    store.clear(&key(), 3).await.unwrap();
}

#[tokio::test]
#[ignore = "runs in the D-Bus session that the test in `main.rs` begins"]
async fn services_and_keys_are_apart() {
    let store = store();
    let mut turn = store.lock(&key()).await.unwrap();
    store.save(&key(), &entry(1), &mut turn).await.unwrap();
    assert_eq!(store.load(&key().subject("alice")).await.unwrap(), None);
    assert_eq!(KeyringStore::new("another").load(&key()).await.unwrap(), None);
}

#[tokio::test]
#[ignore = "runs in the D-Bus session that the test in `main.rs` begins"]
async fn what_is_somebody_elses_is_an_error_and_tells_nothing() {
    let secret = keyring::Entry::new(SERVICE, key().id()).unwrap();
    let texts: [&[u8]; 4] = [b"hunter2", b"\xffhunter2", br#"{"token": "hunter2"}"#, FUTURE.as_bytes()];
    for text in texts {
        secret.set_secret(text).unwrap();
        let error = store().load(&key()).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        store().clear(&key(), 7).await.unwrap_err();
    }
    store().clear(&key(), u64::MAX).await.unwrap();
    assert_eq!(store().load(&key()).await.unwrap(), None);
}

const FUTURE: &str = r#"{"version": 2, "generation": 1, "token": {"access_token": "hunter2"}}"#;

#[tokio::test]
#[ignore = "runs in the D-Bus session that the test in `main.rs` begins"]
async fn one_at_a_time_among_processes_and_a_dead_one_lets_go() {
    let store = store();
    let turn = store.lock(&key()).await.unwrap();
    timeout(Duration::from_millis(500), store.lock(&key())).await.expect_err("it is taken, by this process");
    drop(turn);

    let mut holder = another("the_holder");
    let mut lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("holds it")));
    timeout(Duration::from_millis(500), store.lock(&key())).await.expect_err("it is taken, by another");
    timeout(Duration::from_secs(10), store.lock(&key().subject("alice"))).await.unwrap().unwrap();
    holder.kill().unwrap();
    holder.wait().unwrap();
    timeout(Duration::from_secs(10), store.lock(&key())).await.unwrap().unwrap();
}

#[tokio::test]
#[ignore = "runs in the D-Bus session that the test in `main.rs` begins"]
async fn the_holder() {
    let _turn = store().lock(&key()).await.unwrap();
    println!("holds it");
    tokio::time::sleep(Duration::from_secs(60)).await;
}

#[tokio::test]
#[ignore = "runs in the D-Bus session that the test in `main.rs` begins"]
async fn one_token_call_for_two_layers() {
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
    assert_eq!(server.token_calls(), 1);
}

#[tokio::test]
#[ignore = "runs in the D-Bus session that the test in `main.rs` begins"]
async fn where_there_is_no_keyring_it_is_an_error() {
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

/// A process of the same session, which runs another of these.
fn another(test: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([&format!("inside::{test}"), "--exact", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}
