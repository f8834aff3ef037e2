//! Notifications of entries that other processes save.

use tower_oauth2::store::{RedisStore, TokenStore};

use crate::server::Redis;
use crate::{entry, key, soon, until};

#[tokio::test]
async fn a_saved_entry_reaches_all_receivers() {
    let Some(redis) = Redis::start() else { return };
    let (store, other) = (redis.store(), redis.store());
    save(&store, 1).await;
    let (mut one, mut two) = (other.changes(&key()).unwrap(), other.clone().changes(&key()).unwrap());
    soon(one.wait_for(|shown| *shown == Some(entry(1)))).await.unwrap();
    save(&store, 2).await;
    soon(one.wait_for(|shown| *shown == Some(entry(2)))).await.unwrap();
    soon(two.wait_for(|shown| *shown == Some(entry(2)))).await.unwrap();
    store.clear(&key(), 2).await.unwrap();
    soon(one.wait_for(|shown| shown.is_none())).await.unwrap();
}

/// The second key is subscribed after the first one has received an entry.
#[tokio::test]
async fn all_keys_share_one_connection() {
    let Some(redis) = Redis::start() else { return };
    let store = redis.store();
    let mut one = store.changes(&key()).unwrap();
    until(|| listeners(&redis) == 1).await;
    save(&store, 1).await;
    soon(one.wait_for(Option::is_some)).await.unwrap();
    let alice = key().subject("alice");
    let mut two = store.changes(&alice).unwrap();
    let mut lock = store.lock(&alice).await.unwrap();
    store.save(&alice, &entry(7), &mut lock).await.unwrap();
    soon(two.wait_for(|shown| *shown == Some(entry(7)))).await.unwrap();
    assert_eq!(*one.borrow(), Some(entry(1)));
    assert_eq!(listeners(&redis), 1);
}

#[tokio::test]
async fn notifications_resume_after_a_restart_of_the_server() {
    let Some(mut redis) = Redis::start() else { return };
    let store = redis.store();
    let mut changes = redis.store().changes(&key()).unwrap();
    save(&store, 1).await;
    soon(changes.wait_for(|shown| *shown == Some(entry(1)))).await.unwrap();
    redis.kill();
    redis.restart();
    // If this happens before the store has subscribed again, it loads the entry after that.
    save(&store, 2).await;
    soon(changes.wait_for(|shown| *shown == Some(entry(2)))).await.unwrap();
    until(|| listeners(&redis) == 1).await;
    save(&store, 3).await;
    soon(changes.wait_for(|shown| *shown == Some(entry(3)))).await.unwrap();
}

#[tokio::test]
async fn an_entry_that_was_saved_during_a_disconnection_is_loaded() {
    let Some(redis) = Redis::start() else { return };
    let mut changes = redis.store().changes(&key()).unwrap();
    until(|| listeners(&redis) == 1).await;
    save(&redis.store(), 1).await;
    soon(changes.wait_for(|shown| *shown == Some(entry(1)))).await.unwrap();
    // Written without the store, so nothing is published.
    let name = format!("tower-oauth2:{{{}}}", key().id());
    let json = serde_json::to_string(&entry(2)).unwrap();
    let () = redis.ask(&format!("HSET {name} generation 2 entry {json}"));
    let () = redis.ask("CLIENT KILL TYPE pubsub");
    soon(changes.wait_for(|shown| *shown == Some(entry(2)))).await.unwrap();
}

#[tokio::test]
async fn tasks_and_connection_end_with_the_last_receiver() {
    let Some(redis) = Redis::start() else { return };
    let store = redis.store();
    let before = tasks();
    let alice = key().subject("alice");
    let (one, mut two) = (store.changes(&key()).unwrap(), store.changes(&alice).unwrap());
    until(|| listeners(&redis) == 1).await;
    drop(one);
    let mut lock = store.lock(&alice).await.unwrap();
    store.save(&alice, &entry(1), &mut lock).await.unwrap();
    soon(two.wait_for(Option::is_some)).await.expect("there is still a receiver");
    drop((two, lock));
    until(|| listeners(&redis) == 0).await;
    // The task of the connection for commands ends with the store.
    drop(store);
    until(|| tasks() == before).await;
}

#[tokio::test]
async fn a_new_receiver_starts_a_new_listener() {
    let Some(redis) = Redis::start() else { return };
    let store = redis.store();
    for generation in 1..4 {
        let mut changes = store.changes(&key()).unwrap();
        save(&store, generation).await;
        soon(changes.wait_for(|shown| *shown == Some(entry(generation)))).await.unwrap();
        drop(changes);
        until(|| listeners(&redis) == 0).await;
    }
}

async fn save(store: &RedisStore, generation: u64) {
    let mut lock = store.lock(&key()).await.unwrap();
    store.save(&key(), &entry(generation), &mut lock).await.unwrap();
}

fn listeners(redis: &Redis) -> u64 {
    redis.ask::<(String, u64)>("PUBSUB NUMSUB tower-oauth2:changes").1
}

fn tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}
