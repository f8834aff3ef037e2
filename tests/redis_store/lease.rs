//! Whose turn it is.

use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};
use tower_oauth2::store::{RedisStore, TokenStore};

use crate::child::Holder;
use crate::proxy::Proxy;
use crate::server::Redis;
use crate::{comes, entry, key, until};

const SHORT: Duration = Duration::from_millis(600);
const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn one_at_a_time() {
    let Some(redis) = Redis::start() else { return };
    let (one, two) = (redis.store(), redis.store());
    let turn = one.lock(&key()).await.unwrap();
    let key = key();
    let mut waiting = pin!(two.lock(&key));
    timeout(Duration::from_secs(1), &mut waiting).await.expect_err("it is the other's turn");
    let _elsewhere = comes(two.lock(&crate::key().subject("alice"))).await.unwrap();
    drop(turn);
    comes(waiting).await.unwrap();
}

#[tokio::test]
async fn one_process_at_a_time() {
    let Some(redis) = Redis::start() else { return };
    let mut holder = Holder::start(&redis, LONG);
    let store = redis.store();
    let key = key();
    let mut waiting = pin!(store.lock(&key));
    timeout(Duration::from_secs(1), &mut waiting).await.expect_err("it is the other process's turn");
    assert_eq!(holder.save(1), "Ok(())");
    assert_eq!(store.load(&key).await.unwrap(), Some(entry(1)));
}

/// A person may take their time to log in.
#[tokio::test]
async fn who_has_the_turn_keeps_it() {
    let Some(redis) = Redis::start() else { return };
    let (one, two) = (redis.store().lease(SHORT), redis.store());
    let mut turn = one.lock(&key()).await.unwrap();
    timeout(SHORT * 4, two.lock(&key())).await.expect_err("it is prolonged");
    one.save(&key(), &entry(1), &mut turn).await.unwrap();
}

#[tokio::test]
async fn the_turn_of_a_process_that_died_ends() {
    let Some(redis) = Redis::start() else { return };
    let holder = Holder::start(&redis, Duration::from_secs(2));
    let store = redis.store();
    holder.signal("-KILL");
    let died = Instant::now();
    comes(store.lock(&key())).await.unwrap();
    assert!(died.elapsed() > Duration::from_secs(1), "it was not given back, and ended by itself");
}

/// Its machine slept, or it was paged out.
#[tokio::test]
async fn a_late_process_does_not_overwrite() {
    let Some(redis) = Redis::start() else { return };
    let mut late = Holder::start(&redis, SHORT);
    late.signal("-STOP");
    let store = redis.store();
    let mut turn = comes(store.lock(&key())).await.unwrap();
    late.signal("-CONT");
    let outcome = late.save(9);
    assert!(outcome.contains("another process has renewed the token"), "{outcome}");
    store.save(&key(), &entry(1), &mut turn).await.unwrap();
    assert_eq!(store.load(&key()).await.unwrap(), Some(entry(1)));
}

/// It may have the only refresh token that is good.
#[tokio::test]
async fn a_late_one_saves_if_nobody_came_since() {
    let Some(redis) = Redis::start() else { return };
    let mut late = Holder::start(&redis, SHORT);
    late.signal("-STOP");
    let lease = format!("EXISTS tower-oauth2:{{{}}}:lease", key().id());
    until(|| redis.ask::<u8>(&lease) == 0).await;
    late.signal("-CONT");
    assert_eq!(late.save(1), "Ok(())");
}

/// One who goes away while they wait, while they are asked for, or before they are answered.
#[tokio::test]
async fn a_dropped_wish_does_not_take_the_turn() {
    let Some(redis) = Redis::start() else { return };
    let store = redis.store();
    for patience in [0, 1, 2, 5, 10, 100] {
        let turn = store.lock(&key()).await.unwrap();
        let _ = timeout(Duration::from_millis(patience), store.lock(&key())).await.expect_err("it is taken");
        drop(turn);
        let _ = timeout(Duration::from_millis(patience), store.lock(&key())).await;
    }
    comes(store.lock(&key())).await.unwrap();
}

/// The wish is already with the server, which stands still, and comes to be read after it was given up.
#[tokio::test]
async fn a_wish_that_was_given_up_comes_to_nothing() {
    let Some(redis) = Redis::start() else { return };
    let store = redis.store().deadline(Duration::from_millis(300));
    store.load(&key()).await.unwrap();
    redis.pause();
    store.lock(&key()).await.unwrap_err();
    timeout(Duration::from_millis(100), store.lock(&key())).await.expect_err("it stands still");
    sleep(Duration::from_millis(500)).await;
    redis.resume();
    comes(redis.store().lock(&key())).await.unwrap();
}

/// The wish is under way for longer than the word that it was given up.
#[tokio::test]
async fn a_wish_that_is_overtaken_comes_to_nothing() {
    let Some(redis) = Redis::start() else { return };
    let proxy = Proxy::start(&redis).await;
    let store = RedisStore::new(proxy.url()).unwrap().deadline(Duration::from_millis(500));
    store.load(&key()).await.unwrap();
    proxy.go_silent();
    store.lock(&key()).await.unwrap_err();
    until(|| redis.dump().contains(":given-up:")).await;
    proxy.deliver();
    sleep(Duration::from_millis(200)).await;
    comes(redis.store().lock(&key())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_is_given_back_without_a_runtime_or_ends() {
    let Some(redis) = Redis::start() else { return };
    let (one, two) = (redis.store(), redis.store());
    let turn = one.lock(&key()).await.unwrap();
    std::thread::spawn(move || drop(turn)).join().unwrap();
    comes(two.lock(&key())).await.unwrap();

    let (key, short) = (key(), redis.store().lease(SHORT));
    let turn = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(short.lock(&key)).unwrap()
    });
    // Its runtime has ended: nobody prolongs it and nobody gives it back.
    let turn = turn.join().unwrap();
    drop(turn);
    comes(two.lock(&crate::key())).await.unwrap();
}
