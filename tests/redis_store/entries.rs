//! What is saved, loaded and cleared.

use tower_oauth2::store::{Key, TokenStore};

use crate::server::Redis;
use crate::{entry, key};

#[tokio::test]
async fn what_is_saved_can_be_loaded_by_another() {
    let Some(redis) = Redis::start() else { return };
    let (store, other) = (redis.store(), redis.store());
    assert_eq!(other.load(&key()).await.unwrap(), None);
    let mut turn = store.lock(&key()).await.unwrap();
    store.save(&key(), &entry(1), &mut turn).await.unwrap();
    assert_eq!(other.load(&key()).await.unwrap(), Some(entry(1)));
    store.save(&key(), &entry(2), &mut turn).await.unwrap();
    assert_eq!(other.load(&key()).await.unwrap(), Some(entry(2)));
    assert_eq!(other.load(&key().subject("alice")).await.unwrap(), None);
    let ttl: i64 = redis.ask(&format!("TTL tower-oauth2:{{{}}}", key().id()));
    assert_eq!(ttl, -1, "it does not end by itself");
}

#[tokio::test]
async fn a_token_that_is_not_newer_is_refused() {
    let Some(redis) = Redis::start() else { return };
    let store = redis.store();
    let mut turn = store.lock(&key()).await.unwrap();
    store.save(&key(), &entry(5), &mut turn).await.unwrap();
    let error = store.save(&key(), &entry(4), &mut turn).await.unwrap_err();
    assert!(error.to_string().contains("not older"), "{error}");
    drop(turn);
    let mut turn = store.lock(&key()).await.unwrap();
    assert!(store.save(&key(), &entry(5), &mut turn).await.is_err(), "another's of the same number");
    assert_eq!(store.load(&key()).await.unwrap(), Some(entry(5)));
}

/// The first answer may have been lost on its way.
#[tokio::test]
async fn saved_twice_is_saved() {
    let Some(redis) = Redis::start() else { return };
    let store = redis.store();
    let mut turn = store.lock(&key()).await.unwrap();
    store.save(&key(), &entry(1), &mut turn).await.unwrap();
    store.save(&key(), &entry(1), &mut turn).await.unwrap();
}

#[tokio::test]
async fn what_is_newer_is_not_cleared() {
    let Some(redis) = Redis::start() else { return };
    let store = redis.store();
    let mut turn = store.lock(&key()).await.unwrap();
    store.save(&key(), &entry(3), &mut turn).await.unwrap();
    store.clear(&key(), 2).await.unwrap();
    assert_eq!(store.load(&key()).await.unwrap(), Some(entry(3)));
    store.clear(&key(), 3).await.unwrap();
    assert_eq!(store.load(&key()).await.unwrap(), None);
    store.save(&key(), &entry(1), &mut turn).await.unwrap();
    store.clear(&key(), u64::MAX).await.unwrap();
    assert_eq!(store.load(&key()).await.unwrap(), None);
}

#[tokio::test]
async fn prefixes_and_keys_are_apart() {
    let Some(redis) = Redis::start() else { return };
    let (one, two) = (redis.store(), redis.store().prefix("staging:"));
    let mut turn = one.lock(&key()).await.unwrap();
    one.save(&key(), &entry(1), &mut turn).await.unwrap();
    assert_eq!(two.load(&key()).await.unwrap(), None);
    let mut other = two.lock(&key()).await.unwrap();
    two.save(&key(), &entry(1), &mut other).await.unwrap();
    let keys: Vec<String> = redis.ask("KEYS *");
    assert!(keys.iter().any(|key| key.starts_with("staging:{")), "{keys:?}");

    let error = one.save(&Key::new("i", "c"), &entry(1), &mut turn).await.unwrap_err();
    assert!(error.to_string().contains("another entry's"), "{error}");
}

#[tokio::test]
async fn what_is_somebody_elses_is_an_error_and_stays() {
    let Some(redis) = Redis::start() else { return };
    let store = redis.store();
    let name = format!("tower-oauth2:{{{}}}", key().id());
    let () = redis.ask(&format!("SET {name} something"));
    assert!(store.load(&key()).await.is_err());
    let mut turn = store.lock(&key()).await.unwrap();
    assert!(store.save(&key(), &entry(1), &mut turn).await.is_err());
    assert_eq!(redis.ask::<String>(&format!("GET {name}")), "something");
    let () = redis.ask(&format!("DEL {name}"));
    let () = redis.ask(&format!("HSET {name} generation 1"));
    assert!(store.load(&key()).await.is_err());
}
