//! The Redis store with a real `redis-server`, one for each test.
//!
//! Without that program the tests print that they are skipped; with `TOWER_OAUTH2_SERVERS=required` they fail.
#![cfg(all(unix, feature = "redis-store"))]

mod child;
mod entries;
mod layers;
mod lease;
mod outages;
mod proxy;
mod secrets;
mod server;
mod subscriptions;
mod tls;

#[path = "../servers/or_skip.rs"]
mod or_skip;
#[path = "../servers/process.rs"]
mod process;
#[path = "../../examples/support/mod.rs"]
mod support;

use std::time::Duration;

use tower_oauth2::Token;
use tower_oauth2::store::{Entry, Key};

pub(crate) fn key() -> Key {
    Key::new("https://auth.example.com/token", "app")
}

pub(crate) fn entry(generation: u64) -> Entry {
    let token = Token::bearer(format!("access-{generation}")).unwrap();
    Entry::new(token.with_refresh_token(format!("refresh-{generation}")), generation)
}

/// Awaits a future with a timeout of ten seconds, which only matters on a very slow machine.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(10), future).await.expect("it takes too long")
}

/// Waits until the condition holds.
pub(crate) async fn until(mut condition: impl FnMut() -> bool) {
    soon(async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}
