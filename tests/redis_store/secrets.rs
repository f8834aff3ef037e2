//! What can be read by those who should not.

use tower_oauth2::store::{RedisStore, TokenStore};

use crate::server::{PASSWORD, Redis};
use crate::{comes, entry, key};

const OLD: [u8; 32] = [1; 32];
const NEW: [u8; 32] = [2; 32];

#[tokio::test]
async fn nobody_reads_it_in_the_server() {
    let Some(redis) = Redis::start() else { return };
    let plain = redis.store().prefix("plain:");
    save(&plain, 1).await;
    assert!(redis.dump().contains("access-1"), "this is how it would be found");
    plain.clear(&key(), 1).await.unwrap();

    let store = redis.store().encrypted(NEW);
    let mut changes = store.changes(&key()).unwrap();
    save(&store, 1).await;
    let dump = redis.dump();
    assert!(dump.contains("entry") && !dump.contains("access") && !dump.contains("refresh"), "{dump}");
    assert_eq!(store.load(&key()).await.unwrap(), Some(entry(1)));
    comes(changes.wait_for(|shown| *shown == Some(entry(1)))).await.unwrap();
}

#[tokio::test]
async fn with_a_wrong_key_it_is_an_error_and_stays() {
    let Some(redis) = Redis::start() else { return };
    save(&redis.store().encrypted(OLD), 1).await;
    for store in [redis.store().encrypted(NEW), redis.store()] {
        let error = store.load(&key()).await.unwrap_err();
        assert!(error.to_string().contains("a key that this store was not given"), "{error}");
    }
    let mut turn = redis.store().lock(&key()).await.unwrap();
    assert!(redis.store().encrypted(NEW).save(&key(), &entry(1), &mut turn).await.is_err());
    drop(turn);
    assert_eq!(redis.store().encrypted(OLD).load(&key()).await.unwrap(), Some(entry(1)));
    redis.store().encrypted(NEW).clear(&key(), u64::MAX).await.unwrap();
    assert_eq!(redis.store().encrypted(NEW).load(&key()).await.unwrap(), None);
}

#[tokio::test]
async fn keys_change_while_the_fleet_runs() {
    let Some(redis) = Redis::start() else { return };
    let before = redis.store().encrypted(OLD).encrypted_before(NEW);
    let after = redis.store().encrypted(NEW).encrypted_before(OLD);
    save(&before, 1).await;
    assert_eq!(after.load(&key()).await.unwrap(), Some(entry(1)));
    save(&after, 2).await;
    assert_eq!(before.load(&key()).await.unwrap(), Some(entry(2)));
    assert_eq!(redis.store().encrypted(NEW).load(&key()).await.unwrap(), Some(entry(2)));
    redis.store().encrypted(OLD).load(&key()).await.unwrap_err();
}

/// By somebody who can write to the server.
#[tokio::test]
async fn an_entry_cannot_be_moved() {
    let Some(redis) = Redis::start() else { return };
    let store = redis.store().encrypted(OLD);
    save(&store, 1).await;
    let (mine, bob) = (format!("tower-oauth2:{{{}}}", key().id()), key().subject("bob"));
    let () = redis.ask(&format!("COPY {mine} tower-oauth2:{{{}}}", bob.id()));
    assert!(store.load(&bob).await.unwrap_err().to_string().contains("does not belong here"));
    let () = redis.ask(&format!("HSET {mine} generation 99"));
    assert!(store.load(&key()).await.unwrap_err().to_string().contains("tampered"));
}

#[tokio::test]
async fn nothing_secret_is_printed() {
    let Some(redis) = Redis::start() else { return };
    let store = redis.store().encrypted([97; 32]);
    let turn = store.lock(&key()).await.unwrap();
    let printed = format!("{store:?} {turn:?}");
    assert!(printed.contains("127.0.0.1") && printed.contains("encrypted: true"), "{printed}");
    assert!(!printed.contains(PASSWORD) && !printed.contains("97, 97") && !printed.contains("aaaa"), "{printed}");

    let wrong = redis.url().replace(PASSWORD, "swordfish");
    let error = RedisStore::new(wrong).unwrap().load(&key()).await.unwrap_err();
    let printed = format!("{error} {error:?}");
    assert!(!printed.contains("swordfish") && printed.to_lowercase().contains("auth"), "{printed}");
}

/// Some hosts leave out commands, and the server repeats the arguments of one that it does not know.
#[tokio::test]
async fn an_error_of_the_server_repeats_no_argument() {
    let Some(redis) = Redis::start_with(|| "--rename-command EVAL nothing".to_owned()) else { return };
    let error = redis.store().clear(&key(), 1).await.unwrap_err();
    let printed = format!("{error} {error:?}");
    assert!(printed.contains("unknown command 'EVAL'") && !printed.contains("redis.call"), "{printed}");
}

async fn save(store: &RedisStore, generation: u64) {
    let mut turn = store.lock(&key()).await.unwrap();
    store.save(&key(), &entry(generation), &mut turn).await.unwrap();
}
