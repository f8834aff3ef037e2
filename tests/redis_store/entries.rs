//! Saving, loading and clearing entries.

use std::time::Duration;

use tower_oauth2::store::{Key, TokenStore};

use crate::server::Redis;
use crate::{entry, key};

#[tokio::test]
async fn another_store_loads_a_saved_entry() {
    let Some(redis) = Redis::start() else { return };
    let (store, other) = (redis.store(), redis.store());
    assert_eq!(other.load(&key()).await.unwrap(), None);
    let mut lock = store.lock(&key()).await.unwrap();
    store.save(&key(), &entry(1), &mut lock).await.unwrap();
    assert_eq!(other.load(&key()).await.unwrap(), Some(entry(1)));
    store.save(&key(), &entry(2), &mut lock).await.unwrap();
    assert_eq!(other.load(&key()).await.unwrap(), Some(entry(2)));
    assert_eq!(other.load(&key().subject("alice")).await.unwrap(), None);
    let ttl: i64 = redis.ask(&format!("TTL tower-oauth2:{{{}}}", key().id()));
    assert_eq!(ttl, -1, "it does not expire");
}

#[tokio::test]
async fn a_token_that_is_not_newer_is_rejected() {
    let Some(redis) = Redis::start() else { return };
    let store = redis.store();
    let mut lock = store.lock(&key()).await.unwrap();
    store.save(&key(), &entry(5), &mut lock).await.unwrap();
    let error = store.save(&key(), &entry(4), &mut lock).await.unwrap_err();
    assert!(error.to_string().contains("not older"), "{error}");
    drop(lock);
    let mut lock = store.lock(&key()).await.unwrap();
    assert!(store.save(&key(), &entry(5), &mut lock).await.is_err(), "another lease has saved this version");
    assert_eq!(store.load(&key()).await.unwrap(), Some(entry(5)));
}

/// A save is retried if its response was lost.
#[tokio::test]
async fn a_repeated_save_succeeds() {
    let Some(redis) = Redis::start() else { return };
    let store = redis.store();
    let mut lock = store.lock(&key()).await.unwrap();
    store.save(&key(), &entry(1), &mut lock).await.unwrap();
    store.save(&key(), &entry(1), &mut lock).await.unwrap();
}

#[tokio::test]
async fn a_newer_entry_is_not_cleared() {
    let Some(redis) = Redis::start() else { return };
    let store = redis.store();
    let mut lock = store.lock(&key()).await.unwrap();
    store.save(&key(), &entry(3), &mut lock).await.unwrap();
    store.clear(&key(), 2).await.unwrap();
    assert_eq!(store.load(&key()).await.unwrap(), Some(entry(3)));
    store.clear(&key(), 3).await.unwrap();
    assert_eq!(store.load(&key()).await.unwrap(), None);
    store.save(&key(), &entry(1), &mut lock).await.unwrap();
    store.clear(&key(), u64::MAX).await.unwrap();
    assert_eq!(store.load(&key()).await.unwrap(), None);
}

#[tokio::test]
async fn prefixes_and_keys_are_separate() {
    let Some(redis) = Redis::start() else { return };
    let (one, two) = (redis.store(), redis.store().prefix("staging:"));
    let mut lock = one.lock(&key()).await.unwrap();
    one.save(&key(), &entry(1), &mut lock).await.unwrap();
    assert_eq!(two.load(&key()).await.unwrap(), None);
    let mut other = two.lock(&key()).await.unwrap();
    two.save(&key(), &entry(1), &mut other).await.unwrap();
    let keys: Vec<String> = redis.ask("KEYS *");
    assert!(keys.iter().any(|key| key.starts_with("staging:{")), "{keys:?}");

    let error = one.save(&Key::new("i", "c"), &entry(1), &mut lock).await.unwrap_err();
    assert!(error.to_string().contains("another entry's"), "{error}");
}

#[tokio::test]
async fn a_value_of_another_program_is_an_error_and_stays() {
    let Some(redis) = Redis::start() else { return };
    let store = redis.store();
    let name = format!("tower-oauth2:{{{}}}", key().id());
    let () = redis.ask(&format!("SET {name} something"));
    assert!(store.load(&key()).await.is_err());
    let mut lock = store.lock(&key()).await.unwrap();
    assert!(store.save(&key(), &entry(1), &mut lock).await.is_err());
    assert_eq!(redis.ask::<String>(&format!("GET {name}")), "something");
    let () = redis.ask(&format!("DEL {name}"));
    let () = redis.ask(&format!("HSET {name} generation 1"));
    assert!(store.load(&key()).await.is_err());
}

/// Numbers are doubles in the scripts of the server, and these pairs are equal as doubles.
#[tokio::test]
async fn versions_are_compared_exactly() {
    let Some(redis) = Redis::start() else { return };
    let store = redis.store();
    let mut lock = store.lock(&key()).await.unwrap();
    for (older, newer) in [(1 << 53, (1 << 53) + 1), (u64::MAX - 1, u64::MAX), (9, 10), (0, 1)] {
        store.save(&key(), &entry(newer), &mut lock).await.unwrap();
        assert!(store.save(&key(), &entry(older), &mut lock).await.is_err(), "{older}");
        store.clear(&key(), older).await.unwrap();
        assert_eq!(store.load(&key()).await.unwrap(), Some(entry(newer)));
        store.clear(&key(), newer).await.unwrap();
        assert_eq!(store.load(&key()).await.unwrap(), None);
        store.save(&key(), &entry(older), &mut lock).await.unwrap();
        store.save(&key(), &entry(newer), &mut lock).await.unwrap();
        store.clear(&key(), u64::MAX).await.unwrap();
    }
}

#[tokio::test]
async fn a_logout_removes_an_unreadable_entry() {
    let Some(redis) = Redis::start() else { return };
    let store = redis.store();
    let name = format!("tower-oauth2:{{{}}}", key().id());
    for command in ["SET NAME hunter2", "HSET NAME generation hunter2 entry x", "HSET NAME entry x"] {
        let () = redis.ask(&command.replace("NAME", &name));
        let error = store.load(&key()).await.unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
        let _ = store.clear(&key(), 7).await;
        assert!(redis.ask::<bool>(&format!("EXISTS {name}")), "{command}");
        store.clear(&key(), u64::MAX).await.unwrap();
        assert_eq!(store.load(&key()).await.unwrap(), None, "{command}");
    }
}

/// A missing entry was either cleared or lost by the server.
#[tokio::test]
async fn a_lost_entry_does_not_count_as_cleared() {
    let Some(redis) = Redis::start() else { return };
    let store = redis.store();
    assert!(!store.was_cleared(&key()).await.unwrap());
    let mut lock = store.lock(&key()).await.unwrap();
    store.save(&key(), &entry(1), &mut lock).await.unwrap();
    store.clear(&key(), 1).await.unwrap();
    assert!(store.was_cleared(&key()).await.unwrap());
    store.clear(&key(), u64::MAX).await.unwrap();
    assert!(store.was_cleared(&key()).await.unwrap());
    store.save(&key(), &entry(2), &mut lock).await.unwrap();
    let () = redis.ask("FLUSHALL");
    assert!(!store.was_cleared(&key()).await.unwrap());
}

#[tokio::test]
async fn entries_expire_after_their_time_to_live() {
    let Some(redis) = Redis::start() else { return };
    let day = Duration::from_secs(24 * 60 * 60);
    let ask = |name: &str| redis.ask::<i64>(&format!("PTTL tower-oauth2:{{{}}}{name}", key().id()));
    let (mut generation, day_millis) = (0, 24 * 60 * 60 * 1000);
    for (time_to_live, expected) in [
        (day, 1..=day_millis),
        (Duration::ZERO, -1..=-1),
        (day, 1..=day_millis),
        (Duration::MAX, day_millis..=i64::MAX),
    ] {
        let store = redis.store().time_to_live(time_to_live);
        let mut lock = store.lock(&key()).await.unwrap();
        generation += 1;
        store.save(&key(), &entry(generation), &mut lock).await.unwrap();
        assert!(expected.contains(&ask("")), "{time_to_live:?}: {}", ask(""));
    }
    assert!(ask(":fence") > day_millis, "the fencing token is kept longer");
    // Restarted by each save, and then the entry expires.
    let store = redis.store().time_to_live(Duration::from_nanos(1));
    let mut lock = store.lock(&key()).await.unwrap();
    store.save(&key(), &entry(generation + 1), &mut lock).await.unwrap();
    crate::until(|| !redis.ask::<bool>(&format!("EXISTS tower-oauth2:{{{}}}", key().id()))).await;
    assert_eq!(store.load(&key()).await.unwrap(), None);
    assert!(!store.was_cleared(&key()).await.unwrap());
}

/// The server has lost the entry, and then the user logs out: a process that has the token in memory must not save it again.
#[tokio::test]
async fn a_logout_is_recorded_even_if_the_entry_was_lost() {
    let Some(redis) = Redis::start() else { return };
    let store = redis.store();
    let mut lease = store.lock(&key()).await.unwrap();
    store.save(&key(), &entry(1), &mut lease).await.unwrap();
    let () = redis.ask("FLUSHALL");
    store.clear(&key(), 1).await.unwrap();
    assert!(!store.was_cleared(&key()).await.unwrap(), "a newer entry may have been lost");
    store.clear(&key(), u64::MAX).await.unwrap();
    assert!(store.was_cleared(&key()).await.unwrap());
    store.save(&key(), &entry(2), &mut lease).await.unwrap();
    assert!(!store.was_cleared(&key()).await.unwrap());
}

/// The version is stored twice, in the hash and in the entry, and one of them was changed.
#[tokio::test]
async fn an_entry_with_two_versions_is_an_error() {
    let Some(redis) = Redis::start() else { return };
    let store = redis.store();
    let mut lease = store.lock(&key()).await.unwrap();
    store.save(&key(), &entry(1), &mut lease).await.unwrap();
    let () = redis.ask(&format!("HSET tower-oauth2:{{{}}} generation 9", key().id()));
    store.load(&key()).await.unwrap_err();
    store.clear(&key(), u64::MAX).await.unwrap();
    assert_eq!(store.load(&key()).await.unwrap(), None);
}
