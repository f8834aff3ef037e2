//! Encryption, and output without secrets.

use tower_oauth2::store::{RedisStore, TokenStore};

use crate::server::{PASSWORD, Redis};
use crate::{entry, key, soon};

const OLD: [u8; 32] = [1; 32];
const NEW: [u8; 32] = [2; 32];

#[tokio::test]
async fn an_encrypted_token_is_unreadable_on_the_server() {
    let Some(redis) = Redis::start() else { return };
    let plain = redis.store().prefix("plain:");
    save(&plain, 1).await;
    assert!(redis.dump().contains("access-1"), "an unencrypted token is found this way");
    plain.clear(&key(), 1).await.unwrap();

    let store = redis.store().encrypted(NEW);
    let mut changes = store.changes(&key()).unwrap();
    save(&store, 1).await;
    let dump = redis.dump();
    assert!(dump.contains("entry") && !dump.contains("access") && !dump.contains("refresh"), "{dump}");
    assert_eq!(store.load(&key()).await.unwrap(), Some(entry(1)));
    soon(changes.wait_for(|shown| *shown == Some(entry(1)))).await.unwrap();
}

#[tokio::test]
async fn a_wrong_key_is_an_error_and_the_entry_stays() {
    let Some(redis) = Redis::start() else { return };
    save(&redis.store().encrypted(OLD), 1).await;
    for store in [redis.store().encrypted(NEW), redis.store()] {
        let error = store.load(&key()).await.unwrap_err();
        assert!(error.to_string().contains("a key that this store was not given"), "{error}");
    }
    let mut lock = redis.store().lock(&key()).await.unwrap();
    assert!(redis.store().encrypted(NEW).save(&key(), &entry(1), &mut lock).await.is_err());
    drop(lock);
    assert_eq!(redis.store().encrypted(OLD).load(&key()).await.unwrap(), Some(entry(1)));
    redis.store().encrypted(NEW).clear(&key(), u64::MAX).await.unwrap();
    assert_eq!(redis.store().encrypted(NEW).load(&key()).await.unwrap(), None);
}

#[tokio::test]
async fn keys_can_be_rotated_at_run_time() {
    let Some(redis) = Redis::start() else { return };
    let before = redis.store().encrypted(OLD).decrypt_with(NEW);
    let after = redis.store().encrypted(NEW).decrypt_with(OLD);
    save(&before, 1).await;
    assert_eq!(after.load(&key()).await.unwrap(), Some(entry(1)));
    save(&after, 2).await;
    assert_eq!(before.load(&key()).await.unwrap(), Some(entry(2)));
    assert_eq!(redis.store().encrypted(NEW).load(&key()).await.unwrap(), Some(entry(2)));
    redis.store().encrypted(OLD).load(&key()).await.unwrap_err();
}

/// An attacker with write access copies entries.
#[tokio::test]
async fn an_entry_cannot_be_moved() {
    let Some(redis) = Redis::start() else { return };
    let store = redis.store().encrypted(OLD);
    save(&store, 1).await;
    let (mine, bob) = (format!("tower-oauth2:{{{}}}", key().id()), key().subject("bob"));
    let () = redis.ask(&format!("COPY {mine} tower-oauth2:{{{}}}", bob.id()));
    assert!(store.load(&bob).await.unwrap_err().to_string().contains("does not belong here"));
    let staging = redis.store().prefix("staging:").encrypted(OLD);
    let () = redis.ask(&format!("COPY {mine} staging:{{{}}}", key().id()));
    assert!(staging.load(&key()).await.unwrap_err().to_string().contains("does not belong here"));
    let () = redis.ask(&format!("HSET {mine} generation 99"));
    assert!(store.load(&key()).await.unwrap_err().to_string().contains("tampered"));
}

#[tokio::test]
async fn nothing_secret_is_printed() {
    let Some(redis) = Redis::start() else { return };
    let store = redis.store().encrypted([97; 32]);
    let lock = store.lock(&key()).await.unwrap();
    let printed = format!("{store:?} {lock:?}");
    assert!(printed.contains("127.0.0.1") && printed.contains("encrypted: true"), "{printed}");
    assert!(!printed.contains(PASSWORD) && !printed.contains("97, 97") && !printed.contains("aaaa"), "{printed}");

    let wrong = redis.url().replace(PASSWORD, "swordfish");
    let error = RedisStore::new(wrong).unwrap().load(&key()).await.unwrap_err();
    let printed = format!("{error} {error:?}");
    assert!(!printed.contains("swordfish") && printed.to_lowercase().contains("auth"), "{printed}");
}

/// The server repeats the arguments of an unknown command, and some hosts disable commands.
#[tokio::test]
async fn an_error_of_the_server_does_not_repeat_arguments() {
    let Some(redis) = Redis::start_with(|| "--rename-command EVAL nothing".to_owned()) else { return };
    let error = redis.store().clear(&key(), 1).await.unwrap_err();
    let printed = format!("{error} {error:?}");
    assert!(printed.contains("unknown command 'EVAL'") && !printed.contains("redis.call"), "{printed}");
}

async fn save(store: &RedisStore, generation: u64) {
    let mut lock = store.lock(&key()).await.unwrap();
    store.save(&key(), &entry(generation), &mut lock).await.unwrap();
}
