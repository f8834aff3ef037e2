//! K4: the function creates one cell for each key, without a lock.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, OnceLock, mpsc};

use futures_util::TryFutureExt as _;
use tokio::task::JoinSet;
use tower::ServiceExt;
use tower_oauth2::tenants::TenantsLayer;
use tower_oauth2::{ErrorKind, Token};

use super::support::{EchoServer, Number, header_in, numbered_grant, request_to, sent_with};
use crate::support::{API_URL, ours};

type SharedLayer = Arc<OnceLock<TenantsLayer<Number>>>;

/// Returns a layer whose function can use it.
fn with_itself(
    make: impl Fn(&TenantsLayer<Number>, &Number) -> Result<(), tower_oauth2::Error> + Send + Sync + 'static,
) -> TenantsLayer<Number> {
    let shared = SharedLayer::default();
    let itself = shared.clone();
    let layer = TenantsLayer::new(move |key: &Number| {
        make(itself.get().unwrap(), key)?;
        numbered_grant(key)
    });
    shared.set(layer.clone()).unwrap();
    layer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn k4_a_thousand_requests_of_one_key_cause_one_token_request() {
    let (layer, server) = (TenantsLayer::new(numbered_grant), EchoServer::default());
    let service = server.service(&layer);
    let mut all = JoinSet::new();
    for _ in 0..1000 {
        all.spawn(service.clone().oneshot(request_to(API_URL, Number(7))));
    }
    while let Some(sent) = all.join_next().await {
        assert_eq!(header_in(sent.unwrap().unwrap()).await, "Bearer 7-1");
    }
    assert_eq!((server.all_issued(), layer.len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn k4_a_thousand_keys_cause_a_thousand_token_requests() {
    let (layer, server) = (TenantsLayer::new(numbered_grant), EchoServer::default());
    let service = server.service(&layer);
    let mut all = JoinSet::new();
    for request in 0..4000 {
        let sent = service.clone().oneshot(request_to(API_URL, Number(request % 1000)));
        all.spawn(sent.map_ok(move |response| (request % 1000, response)));
    }
    while let Some(sent) = all.join_next().await {
        let (key, response) = sent.unwrap().unwrap();
        assert_eq!(header_in(response).await, format!("Bearer {key}-1"));
    }
    assert_eq!((server.all_issued(), layer.len()), (1000, 1000));
}

#[tokio::test(start_paused = true)]
async fn k4_the_function_is_not_called_for_a_key_that_has_a_cell() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    let layer = TenantsLayer::new(move |key: &Number| {
        counter.fetch_add(1, Ordering::SeqCst);
        numbered_grant(key)
    });
    let service = EchoServer::default().service(&layer);
    for _ in 0..3 {
        sent_with(&service, Number(1)).await.unwrap();
        layer.tokens(&Number(1)).unwrap();
    }
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

/// All threads run the function for one key at the same time. One cell stays, and all handles are its handles.
#[test]
fn k4_of_cells_that_are_created_at_the_same_time_one_stays() {
    let (barrier, calls) = (Arc::new(Barrier::new(4)), Arc::new(AtomicUsize::new(0)));
    let (in_function, counter) = (barrier.clone(), calls.clone());
    let layer = TenantsLayer::new(move |key: &Number| {
        if counter.fetch_add(1, Ordering::SeqCst) < 4 {
            in_function.wait();
        }
        numbered_grant(key)
    });
    let handles: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| layer.tokens(&Number(1)).unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(calls.load(Ordering::SeqCst) >= 4, "the function did not run at the same time");
    assert_eq!(layer.len(), 1);
    handles[0].set(Token::bearer("a").unwrap());
    for handle in handles.iter().chain([&layer.tokens(&Number(1)).unwrap()]) {
        assert_eq!(handle.peek().unwrap().access_token(), "a");
    }
}

/// The function of one key is slow. The layer creates, finds and drops the cells of other keys meanwhile.
#[test]
fn k4_no_lock_is_held_while_the_function_runs() {
    let (entered, has_entered) = mpsc::channel();
    let (leave, may_leave) = mpsc::channel::<()>();
    let may_leave = std::sync::Mutex::new(may_leave);
    let layer = TenantsLayer::new(move |key: &Number| {
        if key.0 == 0 {
            entered.send(()).unwrap();
            let _ = may_leave.lock().unwrap().recv();
        }
        numbered_grant(key)
    });
    let layer = layer.max_tenants(32).unwrap();
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| layer.tokens(&Number(0)).unwrap());
        has_entered.recv().unwrap();
        for key in 1..1000 {
            layer.tokens(&Number(key)).unwrap();
            layer.forget(&Number(key / 2));
            assert!(layer.len() <= 32);
        }
        // The function may run again, because keys were forgotten meanwhile.
        drop(leave);
        let handle = slow.join().unwrap();
        handle.set(Token::bearer("a").unwrap());
        assert_eq!(layer.tokens(&Number(0)).unwrap().peek().unwrap().access_token(), "a");
    });
}

/// A tenant whose tokens are exchanged for those of another one.
#[tokio::test(start_paused = true)]
async fn k4_the_function_may_use_the_layer_for_other_keys() {
    let layer = with_itself(|layer, key| match key.0.checked_sub(1) {
        Some(before) => layer.tokens(&Number(before)).map(drop),
        None => Ok(()),
    });
    let server = EchoServer::default();
    let service = server.service(&layer);
    assert_eq!(sent_with(&service, Number(20)).await.unwrap(), "Bearer 20-1");
    assert_eq!((layer.len(), server.all_issued()), (21, 1));
}

#[tokio::test(start_paused = true)]
async fn k4_the_function_must_not_use_the_layer_for_its_own_key() {
    // `0` directly, `1` and `2` for each other; `3` is no recursion.
    let layer = with_itself(|layer, key| match key.0 {
        0 => layer.tokens(&Number(0)).map(drop),
        1 => layer.tokens(&Number(2)).map(drop),
        2 => layer.tokens(&Number(1)).map(drop),
        _ => Ok(()),
    });
    let server = EchoServer::default();
    let service = server.service(&layer);
    for _ in 0..2 {
        for key in [0, 1, 2] {
            let error = ours(sent_with(&service, Number(key)).await.unwrap_err());
            assert_eq!(error.kind(), ErrorKind::Recursion);
            assert!(format!("{error:?}").contains("TenantsLayer::new"), "{error:?}");
            assert_eq!(layer.tokens(&Number(key)).unwrap_err().kind(), ErrorKind::Recursion);
        }
        assert_eq!(sent_with(&service, Number(3)).await.unwrap(), "Bearer 3-1");
    }
    assert_eq!(layer.len(), 1);
}

/// The key of another layer is another key, even if it is equal. And after a panic or an error the key is free again.
#[tokio::test(start_paused = true)]
async fn k4_only_a_call_within_a_call_is_a_recursion() {
    let inner = TenantsLayer::new(numbered_grant);
    let attempts = AtomicUsize::new(0);
    let outer = TenantsLayer::new(move |key: &Number| {
        inner.tokens(key)?;
        match attempts.fetch_add(1, Ordering::SeqCst) {
            0 => panic!("a bug"),
            1 => Err(tower_oauth2::Error::caused_by(ErrorKind::Denied, "not yet")),
            _ => numbered_grant(key),
        }
    });
    assert_eq!(outer.tokens(&Number(1)).unwrap_err().kind(), ErrorKind::Panicked);
    assert_eq!(outer.tokens(&Number(1)).unwrap_err().kind(), ErrorKind::Denied);
    outer.tokens(&Number(1)).unwrap();
    outer.forget(&Number(1));
    outer.tokens(&Number(1)).unwrap();
}
