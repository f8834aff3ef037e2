//! A permanent error of the store is returned at once.

use std::error::Error as _;
use std::time::Duration;

use tokio::time::Instant;
use tower_oauth2::ErrorKind;

use super::scripted::{Fault, Operation, Scripted, StoreErrors};
use super::{HOURS, cautious, failure, is, persisted, put, refreshed, send, served, stored, token, with};
use crate::support::pass;

#[tokio::test(start_paused = true)]
async fn requests_do_not_wait_for_it() {
    for operation in [Operation::Lock, Operation::Load] {
        let (store, reported) = (Scripted::default(), StoreErrors::default());
        put(&store.memory, token("a", "r1", 0), 1).await;
        store.script(operation, Fault::Denied);
        let (service, mut server) = with(cautious(store.clone()).on_store_error(reported.callback()));
        let start = Instant::now();
        let error = failure(send(&service)).await;
        assert_eq!(start.elapsed(), Duration::ZERO, "{operation:?}");
        assert_eq!((error.kind(), error.is_transient()), (ErrorKind::Store, false), "{error}");
        let mut cause = error.source().unwrap();
        while let Some(below) = cause.source() {
            cause = below;
        }
        assert!(cause.to_string().contains("denied"), "{error:?}");
        assert!(!reported.take().is_empty());
        server.assert_no_request().await;

        // The store is repaired, and the next attempt after the back-off succeeds.
        store.heal();
        pass(Duration::from_secs(2)).await;
        refreshed(&service, &mut server, "r1", "b", "r2").await;
    }
}

/// A valid token stays in use.
#[tokio::test(start_paused = true)]
async fn the_token_is_used_until_it_expires() {
    let store = Scripted::default();
    put(&store, token("a", "r1", 3600), 1).await;
    let (service, mut server) = with(cautious(store.clone()));
    served(&service, &mut server, "a").await;
    store.script(Operation::Lock, Fault::Denied);
    pass(Duration::from_secs(3400)).await;
    for _ in 0..3 {
        served(&service, &mut server, "a").await;
        pass(Duration::from_secs(60)).await;
    }
    server.assert_no_request().await;
    assert_eq!(stored(&store.memory).await, is(1, "a", "r1"));
}

/// A grant that can do without the store does not fail.
#[tokio::test(start_paused = true)]
async fn it_does_not_fail_requests_that_need_no_store() {
    let store = Scripted::default();
    for operation in [Operation::Lock, Operation::Load, Operation::Save, Operation::Clear] {
        store.script(operation, Fault::Denied);
    }
    let (service, mut server) = with(persisted(store));
    refreshed(&service, &mut server, "r0", "a", "r1").await;
    pass(HOURS).await;
    refreshed(&service, &mut server, "r1", "b", "r2").await;
}
