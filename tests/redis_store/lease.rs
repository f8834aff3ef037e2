//! The lock: a lease with a fencing token.

use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};
use tower_oauth2::store::{RedisStore, TokenStore};

use crate::child::Holder;
use crate::proxy::Proxy;
use crate::server::Redis;
use crate::{entry, key, soon, until};

const SHORT: Duration = Duration::from_millis(600);
const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn one_store_at_a_time_holds_the_lock() {
    let Some(redis) = Redis::start() else { return };
    let (one, two) = (redis.store(), redis.store());
    let lock = one.lock(&key()).await.unwrap();
    let key = key();
    let mut waiting = pin!(two.lock(&key));
    timeout(Duration::from_secs(1), &mut waiting).await.expect_err("the other store holds the lock");
    let _elsewhere = soon(two.lock(&crate::key().subject("alice"))).await.unwrap();
    drop(lock);
    soon(waiting).await.unwrap();
}

#[tokio::test]
async fn one_process_at_a_time_holds_the_lock() {
    let Some(redis) = Redis::start() else { return };
    let mut holder = Holder::start(&redis, LONG);
    let store = redis.store();
    let key = key();
    let mut waiting = pin!(store.lock(&key));
    timeout(Duration::from_secs(1), &mut waiting).await.expect_err("the other process holds the lock");
    assert_eq!(holder.save(1), "Ok(())");
    assert_eq!(store.load(&key).await.unwrap(), Some(entry(1)));
}

/// A login can take minutes.
#[tokio::test]
async fn a_held_lease_is_extended() {
    let Some(redis) = Redis::start() else { return };
    let (one, two) = (redis.store().lease(SHORT), redis.store());
    let mut lock = one.lock(&key()).await.unwrap();
    timeout(SHORT * 4, two.lock(&key())).await.expect_err("the lease is extended");
    one.save(&key(), &entry(1), &mut lock).await.unwrap();
}

#[tokio::test]
async fn the_lease_of_a_killed_process_expires() {
    let Some(redis) = Redis::start() else { return };
    let holder = Holder::start(&redis, Duration::from_secs(2));
    let store = redis.store();
    holder.signal("-KILL");
    let died = Instant::now();
    soon(store.lock(&key())).await.unwrap();
    assert!(died.elapsed() > Duration::from_secs(1), "the lease was not released, and expired");
}

/// A process can be stopped, for example because its machine sleeps.
#[tokio::test]
async fn a_late_process_does_not_overwrite_a_newer_token() {
    let Some(redis) = Redis::start() else { return };
    let mut late = Holder::start(&redis, SHORT);
    late.signal("-STOP");
    let store = redis.store();
    let mut lock = soon(store.lock(&key())).await.unwrap();
    late.signal("-CONT");
    let outcome = late.save(9);
    assert!(outcome.contains("another process has refreshed the token"), "{outcome}");
    store.save(&key(), &entry(1), &mut lock).await.unwrap();
    assert_eq!(store.load(&key()).await.unwrap(), Some(entry(1)));
}

/// The late process may have the only valid refresh token.
#[tokio::test]
async fn a_late_process_saves_if_no_other_process_had_the_lease() {
    let Some(redis) = Redis::start() else { return };
    let mut late = Holder::start(&redis, SHORT);
    late.signal("-STOP");
    let lease = format!("EXISTS tower-oauth2:{{{}}}:lease", key().id());
    until(|| redis.ask::<u8>(&lease) == 0).await;
    late.signal("-CONT");
    assert_eq!(late.save(1), "Ok(())");
}

/// A future is dropped while it waits, while the command is sent, or before the response arrives.
#[tokio::test]
async fn a_dropped_lock_future_does_not_take_the_lock() {
    let Some(redis) = Redis::start() else { return };
    let store = redis.store();
    for millis in [0, 1, 2, 5, 10, 100] {
        let lock = store.lock(&key()).await.unwrap();
        let _ = timeout(Duration::from_millis(millis), store.lock(&key())).await.expect_err("the lock is held");
        drop(lock);
        let _ = timeout(Duration::from_millis(millis), store.lock(&key())).await;
    }
    soon(store.lock(&key())).await.unwrap();
}

/// The paused server reads the request for the lock after its future was dropped.
#[tokio::test]
async fn an_abandoned_claim_has_no_effect() {
    let Some(redis) = Redis::start() else { return };
    let store = redis.store().command_timeout(Duration::from_millis(300));
    store.load(&key()).await.unwrap();
    redis.pause();
    store.lock(&key()).await.unwrap_err();
    timeout(Duration::from_millis(100), store.lock(&key())).await.expect_err("the server is paused");
    sleep(Duration::from_millis(500)).await;
    redis.resume();
    soon(redis.store().lock(&key())).await.unwrap();
}

/// The request for the lock arrives after the command that abandons it.
#[tokio::test]
async fn a_claim_that_arrives_late_has_no_effect() {
    let Some(redis) = Redis::start() else { return };
    let proxy = Proxy::start(&redis).await;
    let store = RedisStore::new(proxy.url()).unwrap().command_timeout(Duration::from_millis(500));
    store.load(&key()).await.unwrap();
    proxy.go_silent();
    store.lock(&key()).await.unwrap_err();
    until(|| redis.dump().contains(":given-up:")).await;
    proxy.deliver();
    sleep(Duration::from_millis(200)).await;
    soon(redis.store().lock(&key())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_is_released_without_a_runtime_or_expires() {
    let Some(redis) = Redis::start() else { return };
    let (one, two) = (redis.store(), redis.store());
    let lock = one.lock(&key()).await.unwrap();
    std::thread::spawn(move || drop(lock)).join().unwrap();
    soon(two.lock(&key())).await.unwrap();

    let (key, short) = (key(), redis.store().lease(SHORT));
    let locking = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(short.lock(&key)).unwrap()
    });
    // Its runtime has shut down, so the lease is neither extended nor released.
    let lock = locking.join().unwrap();
    drop(lock);
    soon(two.lock(&crate::key())).await.unwrap();
}

/// `try_lock` takes a free lock, and does not wait for a held one.
#[tokio::test]
async fn try_lock_does_not_wait() {
    let Some(redis) = Redis::start() else { return };
    let store = redis.store();
    let lock = store.try_lock(&key()).await.unwrap().expect("the lock is free");
    assert!(redis.store().try_lock(&key()).await.unwrap().is_none());
    drop(lock);
    soon(store.lock(&key())).await.unwrap();
}

#[tokio::test]
async fn the_longest_lease_is_a_lease() {
    let Some(redis) = Redis::start() else { return };
    let store = redis.store().lease(Duration::MAX).command_timeout(Duration::MAX);
    let mut lease = soon(store.lock(&key())).await.unwrap();
    store.save(&key(), &entry(1), &mut lease).await.unwrap();
    assert!(redis.store().try_lock(&key()).await.unwrap().is_none());
    drop(lease);
    soon(redis.store().lock(&key())).await.unwrap();
}
