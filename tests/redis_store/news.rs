//! What others save is heard of.

use tower_oauth2::store::{RedisStore, TokenStore};

use crate::server::Redis;
use crate::{comes, entry, key, until};

#[tokio::test]
async fn what_one_saves_the_other_hears() {
    let Some(redis) = Redis::start() else { return };
    let (store, other) = (redis.store(), redis.store());
    save(&store, 1).await;
    let (mut one, mut two) = (other.changes(&key()).unwrap(), other.clone().changes(&key()).unwrap());
    comes(one.wait_for(|shown| *shown == Some(entry(1)))).await.unwrap();
    save(&store, 2).await;
    comes(one.wait_for(|shown| *shown == Some(entry(2)))).await.unwrap();
    comes(two.wait_for(|shown| *shown == Some(entry(2)))).await.unwrap();
    store.clear(&key(), 2).await.unwrap();
    comes(one.wait_for(|shown| shown.is_none())).await.unwrap();
}

/// The second is asked for when the first is already heard.
#[tokio::test]
async fn each_key_is_heard_on_one_connection() {
    let Some(redis) = Redis::start() else { return };
    let store = redis.store();
    let mut one = store.changes(&key()).unwrap();
    until(|| listeners(&redis) == 1).await;
    save(&store, 1).await;
    comes(one.wait_for(Option::is_some)).await.unwrap();
    let alice = key().subject("alice");
    let mut two = store.changes(&alice).unwrap();
    let mut turn = store.lock(&alice).await.unwrap();
    store.save(&alice, &entry(7), &mut turn).await.unwrap();
    comes(two.wait_for(|shown| *shown == Some(entry(7)))).await.unwrap();
    assert_eq!(*one.borrow(), Some(entry(1)));
    assert_eq!(listeners(&redis), 1);
}

#[tokio::test]
async fn it_is_heard_after_the_server_was_started_again() {
    let Some(mut redis) = Redis::start() else { return };
    let store = redis.store();
    let mut changes = redis.store().changes(&key()).unwrap();
    save(&store, 1).await;
    comes(changes.wait_for(|shown| *shown == Some(entry(1)))).await.unwrap();
    redis.kill();
    redis.start_again();
    // Perhaps before it is listened to again: then it is looked at.
    save(&store, 2).await;
    comes(changes.wait_for(|shown| *shown == Some(entry(2)))).await.unwrap();
    until(|| listeners(&redis) == 1).await;
    save(&store, 3).await;
    comes(changes.wait_for(|shown| *shown == Some(entry(3)))).await.unwrap();
}

#[tokio::test]
async fn what_was_saved_while_nobody_could_listen_is_looked_at() {
    let Some(redis) = Redis::start() else { return };
    let mut changes = redis.store().changes(&key()).unwrap();
    until(|| listeners(&redis) == 1).await;
    save(&redis.store(), 1).await;
    comes(changes.wait_for(|shown| *shown == Some(entry(1)))).await.unwrap();
    // Written past the store: nothing is published.
    let name = format!("tower-oauth2:{{{}}}", key().id());
    let json = serde_json::to_string(&entry(2)).unwrap();
    let () = redis.ask(&format!("HSET {name} generation 2 entry {json}"));
    let () = redis.ask("CLIENT KILL TYPE pubsub");
    comes(changes.wait_for(|shown| *shown == Some(entry(2)))).await.unwrap();
}

#[tokio::test]
async fn with_the_last_receiver_all_of_it_ends() {
    let Some(redis) = Redis::start() else { return };
    let store = redis.store();
    let before = tasks();
    let alice = key().subject("alice");
    let (one, mut two) = (store.changes(&key()).unwrap(), store.changes(&alice).unwrap());
    until(|| listeners(&redis) == 1).await;
    drop(one);
    let mut turn = store.lock(&alice).await.unwrap();
    store.save(&alice, &entry(1), &mut turn).await.unwrap();
    comes(two.wait_for(Option::is_some)).await.expect("somebody listens still");
    drop((two, turn));
    until(|| listeners(&redis) == 0).await;
    // What the connection for the commands needs stays with the store.
    drop(store);
    until(|| tasks() == before).await;
}

#[tokio::test]
async fn it_begins_anew_after_the_last_one_left() {
    let Some(redis) = Redis::start() else { return };
    let store = redis.store();
    for generation in 1..4 {
        let mut changes = store.changes(&key()).unwrap();
        save(&store, generation).await;
        comes(changes.wait_for(|shown| *shown == Some(entry(generation)))).await.unwrap();
        drop(changes);
        until(|| listeners(&redis) == 0).await;
    }
}

async fn save(store: &RedisStore, generation: u64) {
    let mut turn = store.lock(&key()).await.unwrap();
    store.save(&key(), &entry(generation), &mut turn).await.unwrap();
}

fn listeners(redis: &Redis) -> u64 {
    redis.ask::<(String, u64)>("PUBSUB NUMSUB tower-oauth2:changes").1
}

fn tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}
