//! The Redis store against a real `redis-server`, one for each test.
//!
//! Without that program the tests are skipped, and say so; with `TOWER_OAUTH2_SERVERS=required` they fail.
#![cfg(all(unix, feature = "redis-store"))]

mod child;
mod entries;
mod layers;
mod lease;
mod news;
mod outages;
mod proxy;
mod secrets;
mod server;
mod tls;

#[allow(dead_code, reason = "of what starts the authorization servers, only the skipping is used")]
#[path = "../servers/harness.rs"]
mod harness;
#[path = "../servers/keeper.rs"]
mod keeper;
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

/// Whether it comes about within ten seconds: a bound for a sick machine, no measure.
pub(crate) async fn comes<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(10), future).await.expect("it takes too long")
}

/// Waits until it is so.
pub(crate) async fn until(mut so: impl FnMut() -> bool) {
    comes(async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}
