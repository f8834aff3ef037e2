//! Eight processes with fifty tasks each share one login. The server revokes the login if a refresh token is used twice. The test kills
//! processes, and pauses and kills Redis. The login must survive that. There is one logout while all processes send requests, and later
//! another login is stored. The processes that have the old token in memory must not undo either.
//!
//!     cargo test --all-features --test processes file
//!     cargo test --all-features --test processes redis
//!
//! Each test takes a minute (`PROCESSES_SECONDS`, at least 20), kills at the same moments in each run (`PROCESSES_SEED` selects others),
//! and prints a table to standard error. If a server does not start, the test passes and prints why: see `../servers/README.md`.
#![cfg(all(test, unix, feature = "loopback", feature = "file-store", feature = "redis-store"))]

mod child;
mod course;
#[path = "../servers/exclusive.rs"]
mod exclusive;
mod fleet;
#[path = "../servers/harness.rs"]
mod harness;
mod ledger;
mod login;
mod logout;
#[path = "../servers/or_skip.rs"]
mod or_skip;
#[allow(dead_code)]
#[path = "../servers/plain.rs"]
mod plain;
mod plan;
#[path = "../servers/process.rs"]
mod process;
mod redis;
mod report;
mod server;
mod table;
#[allow(dead_code)]
#[path = "../servers/user.rs"]
mod user;
mod verdict;
mod watched;

use std::path::Path;

use self::course::Course;
use self::login::StoreLocation;
use self::or_skip::or_skip;
use self::redis::Redis;

#[tokio::test]
async fn file() {
    let Some(server) = server::exclusive_server().await else { return };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("processes-{}", std::process::id()));
    let store = tower_oauth2::store::FileStore::new(&folder);
    let course = Course::run(&server, store, StoreLocation::File(folder.clone()), None).await;
    let _ = std::fs::remove_dir_all(folder);
    course.check();
}

#[tokio::test]
async fn redis() {
    let Some(server) = server::exclusive_server().await else { return };
    let redis = Redis::start();
    if or_skip("redis-server", &redis).is_none() {
        return;
    }
    let redis = redis.unwrap();
    let (store, location) = (login::redis_store(&redis.url()), StoreLocation::Redis(redis.url()));
    Course::run(&server, store, location, Some(redis)).await.check();
}

/// Not a test, but the process that the tests start eight times.
#[test]
fn child() {
    child::run();
}
