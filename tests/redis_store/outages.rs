//! The server is missing, paused or restarted.

use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::time::sleep;
use tower_oauth2::store::{RedisStore, TokenStore};

use crate::proxy::Proxy;
use crate::server::{PASSWORD, Redis};
use crate::{entry, key, soon};

#[tokio::test]
async fn a_missing_server_is_an_error() {
    let store = RedisStore::new("redis://:hunter2@127.0.0.1:1").unwrap();
    let error = store.load(&key()).await.unwrap_err().to_string();
    assert!(error.starts_with("Redis at 127.0.0.1:1: ") && !error.contains(PASSWORD), "{error}");
    assert!(store.lock(&key()).await.is_err() && store.clear(&key(), 1).await.is_err());
}

#[tokio::test]
async fn the_server_can_start_later() {
    let Some(mut redis) = Redis::start() else { return };
    redis.kill();
    let store = redis.store();
    store.load(&key()).await.unwrap_err();
    redis.restart();
    store.load(&key()).await.unwrap();
}

#[tokio::test]
async fn commands_to_a_paused_server_time_out() {
    let Some(redis) = Redis::start() else { return };
    let store = redis.store();
    let mut lock = store.lock(&key()).await.unwrap();
    redis.pause();
    for _ in 0..2 {
        let began = Instant::now();
        let error = store.load(&key()).await.unwrap_err();
        assert!(error.to_string().contains("no response within 2s"), "{error}");
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    }
    let quick = store.clone().command_timeout(Duration::from_millis(200));
    let began = Instant::now();
    quick.save(&key(), &entry(1), &mut lock).await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    redis.resume();
    store.save(&key(), &entry(2), &mut lock).await.unwrap();
    assert_eq!(store.load(&key()).await.unwrap(), Some(entry(2)));
}

/// A token request during the outage has returned the only valid refresh token.
#[tokio::test]
async fn a_lock_survives_a_restart_of_the_server() {
    let Some(mut redis) = Redis::start() else { return };
    let store = redis.store();
    let mut lock = store.lock(&key()).await.unwrap();
    store.save(&key(), &entry(1), &mut lock).await.unwrap();
    redis.kill();
    store.save(&key(), &entry(2), &mut lock).await.unwrap_err();
    redis.restart();
    store.save(&key(), &entry(2), &mut lock).await.unwrap();
    assert_eq!(store.load(&key()).await.unwrap(), Some(entry(2)));
}

/// The restarted server has lost the lease, and its holder restores it.
#[tokio::test]
async fn a_lost_lease_is_restored() {
    let Some(mut redis) = Redis::start() else { return };
    let store = redis.store().lease(Duration::from_millis(1500));
    let mut lock = store.lock(&key()).await.unwrap();
    redis.kill();
    redis.restart();
    sleep(Duration::from_millis(1500)).await;
    tokio::time::timeout(Duration::from_secs(2), redis.store().lock(&key())).await.expect_err("the lock is held");
    store.save(&key(), &entry(1), &mut lock).await.unwrap();
}

/// An error of the lock would let two processes refresh one token.
#[tokio::test]
async fn a_closed_connection_is_replaced_without_an_error() {
    let Some(redis) = Redis::start() else { return };
    let store = redis.store();
    for _ in 0..3 {
        let lock = store.lock(&key()).await.unwrap();
        drop(lock);
        store.load(&key()).await.unwrap();
        let () = redis.ask("CLIENT KILL TYPE normal");
        sleep(Duration::from_millis(50)).await;
        soon(store.lock(&key())).await.unwrap();
    }
}

#[test]
fn the_store_survives_its_runtime_and_requires_one() {
    let Some(redis) = Redis::start() else { return };
    let store = redis.store();
    for _ in 0..2 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(store.load(&key())).unwrap();
    }
    let key = key();
    let mut loading = tokio_test::task::spawn(store.load(&key));
    let Poll::Ready(Err(error)) = loading.poll() else { panic!("it waits without a runtime") };
    assert!(error.to_string().contains("tokio runtime"), "{error}");
    assert!(store.changes(&key).is_none());
}

/// After a broken cable or a restarted firewall, a connection returns neither a response nor an error.
#[tokio::test]
async fn a_connection_that_does_not_respond_is_replaced() {
    let Some(redis) = Redis::start() else { return };
    let proxy = Proxy::start(&redis).await;
    let store = RedisStore::new(proxy.url()).unwrap().command_timeout(Duration::from_millis(500));
    store.load(&key()).await.unwrap();
    proxy.go_silent();
    store.load(&key()).await.unwrap_err();
    store.load(&key()).await.unwrap();
}

/// A runtime starts to connect and then makes no progress.
#[test]
fn an_idle_runtime_that_connects_does_not_block_other_runtimes() {
    let Some(redis) = Redis::start() else { return };
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (idle, busy) = (runtime(), runtime());
    let store = redis.store();
    idle.block_on(async {
        let store = store.clone();
        tokio::spawn(async move { store.load(&key()).await });
        tokio::task::yield_now().await;
    });
    busy.block_on(async {
        for _ in 0..2 {
            let _ = store.load(&key()).await;
        }
        store.load(&key()).await.unwrap();
    });
    drop(idle);
}
