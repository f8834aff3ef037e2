//! After the first token, requests do not start a login, with a store and without one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tower_oauth2::ErrorKind;
use tower_oauth2::client::Client;
use tower_oauth2::grant::{BoxGrant, DeviceCode, Grant, Persisted};
use tower_oauth2::store::{MemoryStore, TokenStore};

use super::{HOURS, answer, failure, key, put, refresh, refreshed, send, served, token, with};
use crate::support::{Server, Service, TOKEN_URL, pass};

const DEVICE_URL: &str = "https://auth.example.com/device";

fn device(prompts: &Arc<AtomicUsize>) -> DeviceCode {
    let prompts = prompts.clone();
    DeviceCode::new(DEVICE_URL, TOKEN_URL, Client::public("id"), move |_| _ = prompts.fetch_add(1, Ordering::SeqCst))
        .unwrap()
}

/// The refresh token is dead: requests fail, and no login starts.
async fn dies(service: &Service<BoxGrant>, server: &mut Server, status: u16, code: &str, is_resent: bool) {
    let sent = send(service);
    assert_eq!(refresh(server, status, json!({"error": code})).await, "r1");
    assert_eq!(failure(sent).await.kind(), ErrorKind::LoginRequired, "{code}");
    for _ in 0..3 {
        pass(HOURS).await;
        let sent = send(service);
        if is_resent {
            assert_eq!(refresh(server, status, json!({"error": code})).await, "r1");
        }
        assert_eq!(failure(sent).await.kind(), ErrorKind::LoginRequired, "{code}");
    }
    server.assert_no_request().await;
}

#[tokio::test(start_paused = true)]
async fn after_a_dead_refresh_token() {
    let prompts = Arc::new(AtomicUsize::new(0));
    // Without a store, with one that has nothing, and with one that has the token.
    for kind in 0..3 {
        for expires_in in [0, 3600] {
            let (device, store) = (device(&prompts), MemoryStore::new());
            let initial = token("a", "r1", expires_in);
            let grant = match kind {
                0 => device.token(initial).boxed(),
                1 => device.token(initial).persisted(store.clone()).boxed(),
                _ => {
                    put(&store, initial, 1).await;
                    device.persisted(store.clone()).boxed()
                }
            };
            let (service, mut server) = with(grant);
            if expires_in > 0 {
                served(&service, &mut server, "a").await;
                pass(HOURS).await;
            }
            dies(&service, &mut server, 400, "invalid_grant", false).await;
            assert_eq!(store.load(&key()).await.unwrap(), None);
        }
    }
    assert_eq!(prompts.load(Ordering::SeqCst), 0);
}

/// A proactive refresh finds that the refresh token is dead, while the access token is still valid.
#[tokio::test(start_paused = true)]
async fn after_a_proactive_refresh_with_a_dead_refresh_token() {
    let prompts = Arc::new(AtomicUsize::new(0));
    for is_stored in [false, true] {
        let (device, store) = (device(&prompts), MemoryStore::new());
        let grant = match is_stored {
            false => device.token(token("a", "r1", 3600)).boxed(),
            true => {
                put(&store, token("a", "r1", 3600), 1).await;
                device.persisted(store).boxed()
            }
        };
        let (service, mut server) = with(grant);
        served(&service, &mut server, "a").await;
        pass(Duration::from_secs(3400)).await;
        served(&service, &mut server, "a").await;
        assert_eq!(refresh(&mut server, 400, json!({"error": "invalid_grant"})).await, "r1");
        pass(Duration::from_secs(1)).await;
        served(&service, &mut server, "a").await;
        for _ in 0..3 {
            pass(HOURS).await;
            assert_eq!(failure(send(&service)).await.kind(), ErrorKind::LoginRequired);
        }
        server.assert_no_request().await;
    }
    assert_eq!(prompts.load(Ordering::SeqCst), 0);
}

/// The first login holds the lock until it expires.
#[tokio::test(start_paused = true)]
async fn a_forgotten_login_does_not_block_the_next_one() {
    let prompts = Arc::new(AtomicUsize::new(0));
    let store = MemoryStore::new();
    let (service, mut server) = with(device(&prompts).persisted(store.clone()));
    let forgotten = send(&service);
    log_in_by_device(&mut server).await;
    service.tokens().forget();
    forgotten.abort();
    let tokens = service.tokens();
    let refreshing = tokio::spawn(async move { tokens.refresh().await });
    let start = tokio::time::Instant::now();
    log_in_by_device(&mut server).await;
    assert_eq!(start.elapsed(), Duration::ZERO);
    // Only the second login polls.
    let (form, respond) = server.token_request().await;
    assert!(form.contains(&("device_code".to_owned(), "d".to_owned())));
    respond.send_response(crate::support::answer(200, answer("b", "r2")));
    assert_eq!(refreshing.await.unwrap().unwrap().access_token(), "b");
    pass(Duration::from_secs(60)).await;
    server.assert_no_request().await;
    assert_eq!(prompts.load(Ordering::SeqCst), 2);
    served(&service, &mut server, "b").await;
}

/// Answers a device authorization request.
async fn log_in_by_device(server: &mut Server) {
    let (request, respond) = server.next().await;
    assert_eq!(request.uri(), DEVICE_URL);
    let authorization =
        json!({"device_code": "d", "user_code": "u", "verification_uri": "https://example.com/", "expires_in": 1800});
    respond.send_response(crate::support::answer(200, authorization));
}

/// After a logout in another process, the next token is not the first one.
#[tokio::test(start_paused = true)]
async fn after_a_logout_in_another_process() {
    let prompts = Arc::new(AtomicUsize::new(0));
    let store = MemoryStore::new();
    put(&store, token("a", "r1", 60), 1).await;
    let (service, mut server) = with(device(&prompts).persisted(store.clone()));
    served(&service, &mut server, "a").await;
    Persisted::new(device(&prompts), store, key()).clear().await.unwrap();
    for _ in 0..3 {
        pass(HOURS).await;
        assert_eq!(failure(send(&service)).await.kind(), ErrorKind::LoginRequired);
    }
    server.assert_no_request().await;
    assert_eq!(prompts.load(Ordering::SeqCst), 0);
    // The application can start one.
    let tokens = service.tokens();
    let refreshing = tokio::spawn(async move { tokens.refresh().await });
    let (request, respond) = server.next().await;
    assert_eq!(request.uri(), DEVICE_URL);
    respond.send_response(crate::support::answer(
        200,
        json!({"device_code": "d", "user_code": "u", "verification_uri": "https://example.com/", "expires_in": 60}),
    ));
    let (_, respond) = server.token_request().await;
    respond.send_response(crate::support::answer(200, answer("b", "r2")));
    refreshing.await.unwrap().unwrap();
    assert_eq!(prompts.load(Ordering::SeqCst), 1);
    pass(HOURS).await;
    refreshed(&service, &mut server, "r2", "c", "r3").await;
}
