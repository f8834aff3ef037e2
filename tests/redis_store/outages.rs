//! The server is not there, or stands still, or was started again.

use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::time::sleep;
use tower_oauth2::store::{RedisStore, TokenStore};

use crate::proxy::Proxy;
use crate::server::{PASSWORD, Redis};
use crate::{comes, entry, key};

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error() {
    let store = RedisStore::new("redis://:hunter2@127.0.0.1:1").unwrap();
    let error = store.load(&key()).await.unwrap_err().to_string();
    assert!(error.starts_with("Redis at 127.0.0.1:1: ") && !error.contains(PASSWORD), "{error}");
    assert!(store.lock(&key()).await.is_err() && store.clear(&key(), 1).await.is_err());
}

#[tokio::test]
async fn it_need_not_be_there_at_first() {
    let Some(mut redis) = Redis::start() else { return };
    redis.kill();
    let store = redis.store();
    store.load(&key()).await.unwrap_err();
    redis.start_again();
    store.load(&key()).await.unwrap();
}

#[tokio::test]
async fn one_that_stands_still_is_an_error_soon_and_serves_later() {
    let Some(redis) = Redis::start() else { return };
    let store = redis.store();
    let mut turn = store.lock(&key()).await.unwrap();
    redis.pause();
    for _ in 0..2 {
        let began = Instant::now();
        let error = store.load(&key()).await.unwrap_err();
        assert!(error.to_string().contains("no answer within 2s"), "{error}");
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    }
    let quick = store.clone().deadline(Duration::from_millis(200));
    let began = Instant::now();
    quick.save(&key(), &entry(1), &mut turn).await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    redis.resume();
    store.save(&key(), &entry(2), &mut turn).await.unwrap();
    assert_eq!(store.load(&key()).await.unwrap(), Some(entry(2)));
}

/// A token call was under way meanwhile, and has brought the only refresh token that is good.
#[tokio::test]
async fn a_turn_outlives_the_server() {
    let Some(mut redis) = Redis::start() else { return };
    let store = redis.store();
    let mut turn = store.lock(&key()).await.unwrap();
    store.save(&key(), &entry(1), &mut turn).await.unwrap();
    redis.kill();
    store.save(&key(), &entry(2), &mut turn).await.unwrap_err();
    redis.start_again();
    store.save(&key(), &entry(2), &mut turn).await.unwrap();
    assert_eq!(store.load(&key()).await.unwrap(), Some(entry(2)));
}

/// The server forgot whose turn it is; whoever has it reminds it.
#[tokio::test]
async fn a_lease_is_taken_up_again() {
    let Some(mut redis) = Redis::start() else { return };
    let store = redis.store().lease(Duration::from_millis(1500));
    let mut turn = store.lock(&key()).await.unwrap();
    redis.kill();
    redis.start_again();
    sleep(Duration::from_millis(1500)).await;
    tokio::time::timeout(Duration::from_secs(2), redis.store().lock(&key())).await.expect_err("it is taken");
    store.save(&key(), &entry(1), &mut turn).await.unwrap();
}

/// An error would have two processes renew one token.
#[tokio::test]
async fn a_connection_that_was_cut_is_not_noticed() {
    let Some(redis) = Redis::start() else { return };
    let store = redis.store();
    for _ in 0..3 {
        let turn = store.lock(&key()).await.unwrap();
        drop(turn);
        store.load(&key()).await.unwrap();
        let () = redis.ask("CLIENT KILL TYPE normal");
        sleep(Duration::from_millis(50)).await;
        comes(store.lock(&key())).await.unwrap();
    }
}

#[test]
fn it_survives_its_runtime_and_works_in_no_other_place() {
    let Some(redis) = Redis::start() else { return };
    let store = redis.store();
    for _ in 0..2 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(store.load(&key())).unwrap();
    }
    let key = key();
    let mut loading = tokio_test::task::spawn(store.load(&key));
    let Poll::Ready(Err(error)) = loading.poll() else { panic!("there is no runtime to wait in") };
    assert!(error.to_string().contains("tokio runtime"), "{error}");
    assert!(store.changes(&key).is_none());
}

/// As when a cable was pulled or a firewall forgot: no error comes, and no answer ever.
#[tokio::test]
async fn a_connection_that_went_silent_is_left() {
    let Some(redis) = Redis::start() else { return };
    let proxy = Proxy::start(&redis).await;
    let store = RedisStore::new(proxy.url()).unwrap().deadline(Duration::from_millis(500));
    store.load(&key()).await.unwrap();
    proxy.go_silent();
    store.load(&key()).await.unwrap_err();
    store.load(&key()).await.unwrap();
}
