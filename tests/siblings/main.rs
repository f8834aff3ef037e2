//! Eight processes, fifty tasks each, and one login whose refresh token can be spent once: the server revokes the login when it
//! sees one twice. Processes are killed all the while, and Redis is paused and killed too; nobody is ever logged out.
//!
//!     cargo test --all-features --test siblings file
//!     cargo test --all-features --test siblings redis
//!
//! Each takes a minute (`SIBLINGS_SECONDS`, at least 20), always kills at the same moments (`SIBLINGS_SEED` for others), and ends with a
//! table on standard error. Where a server does not start the test passes, and says so: see `../servers/README.md`.
#![cfg(all(test, unix, feature = "loopback", feature = "file-store", feature = "redis-store"))]

mod child;
mod course;
mod fleet;
#[allow(dead_code)]
#[path = "../servers/harness.rs"]
mod harness;
#[path = "../servers/keeper.rs"]
mod keeper;
mod ledger;
mod login;
#[allow(dead_code)]
#[path = "../servers/person.rs"]
mod person;
#[allow(dead_code)]
#[path = "../servers/plain.rs"]
mod plain;
mod plan;
mod redis;
mod report;
mod server;
mod table;
#[path = "../servers/turn.rs"]
mod turn;
mod verdict;
mod watched;

use std::path::Path;

use self::course::Course;
use self::harness::or_skip;
use self::login::Shelf;
use self::redis::Redis;

#[tokio::test]
async fn file() {
    let Some(server) = server::turn().await else { return };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("siblings-{}", std::process::id()));
    let store = tower_oauth2::store::FileStore::new(&folder);
    let course = Course::run(&server, store, Shelf::File(folder.clone()), None).await;
    let _ = std::fs::remove_dir_all(folder);
    course.ends();
}

#[tokio::test]
async fn redis() {
    let Some(server) = server::turn().await else { return };
    let redis = Redis::start();
    if or_skip("redis-server", &redis).is_none() {
        return;
    }
    let redis = redis.unwrap();
    let (store, shelf) = (login::redis_store(&redis.url()), Shelf::Redis(redis.url()));
    Course::run(&server, store, shelf, Some(redis)).await.ends();
}

/// No test: what the other two start eight times.
#[test]
fn child() {
    child::live();
}
