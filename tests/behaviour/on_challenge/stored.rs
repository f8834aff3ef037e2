//! With a store: it is read after the first 401.

use std::time::Duration;

use tower_oauth2::Token;
use tower_oauth2::client::Client;
use tower_oauth2::grant::{DeviceCode, Persisted};
use tower_oauth2::store::MemoryStore;

use super::{ended, is_sent_with, on_challenge, respond, send, status, unauthorized};
use crate::support::{TOKEN_URL, answer, ours, token};

const DEVICE_URL: &str = "https://auth.example.com/device";

fn grant(store: &MemoryStore) -> Persisted<DeviceCode, MemoryStore> {
    DeviceCode::new(DEVICE_URL, TOKEN_URL, Client::public("id"), |_| {}).unwrap().persisted(store.clone())
}

fn stored(lifetime: u64) -> Token {
    let token = Token::bearer("stored").unwrap().with_refresh_token("r1");
    token.with_expires_in(Duration::from_secs(lifetime))
}

#[tokio::test(start_paused = true)]
async fn the_first_request_is_sent_without_the_stored_token_and_its_401_leads_to_it() {
    let store = MemoryStore::new();
    grant(&store).save(stored(3600)).await.unwrap();
    let layer = on_challenge(grant(&store));
    is_sent_with(&layer, None).await;
    let (sent, mut server) = send(&layer);
    assert_eq!(respond(&mut server, unauthorized("Bearer")).await, None);
    assert_eq!(respond(&mut server, answer(200, "")).await.as_deref(), Some("Bearer stored"));
    assert_eq!(status(sent).await, 200);
    is_sent_with(&layer, Some("Bearer stored")).await;
}

/// Even if the server names the scope, the person need not log in again.
#[tokio::test(start_paused = true)]
async fn an_expired_stored_token_is_refreshed() {
    for challenge in ["Bearer", "Bearer scope=\"write\""] {
        let store = MemoryStore::new();
        grant(&store).save(stored(0)).await.unwrap();
        let layer = on_challenge(grant(&store)).step_up();
        let (sent, mut server) = send(&layer);
        respond(&mut server, unauthorized(challenge)).await;
        let (form, respond_token) = server.token_request().await;
        assert!(form.contains(&("refresh_token".to_owned(), "r1".to_owned())), "{challenge}: {form:?}");
        respond_token.send_response(answer(200, token("a", 3600)));
        assert_eq!(respond(&mut server, answer(200, "")).await.as_deref(), Some("Bearer a"));
        assert_eq!(status(sent).await, 200);
    }
}

/// As without the option, another login starts only with `relogin`.
#[tokio::test(start_paused = true)]
async fn a_dead_stored_login_starts_no_other() {
    for challenge in ["Bearer", "Bearer scope=\"write\""] {
        let store = MemoryStore::new();
        grant(&store).save(stored(0)).await.unwrap();
        let layer = on_challenge(grant(&store));
        let (sent, mut server) = send(&layer);
        respond(&mut server, unauthorized(challenge)).await;
        let (_, respond_token) = server.token_request().await;
        respond_token.send_response(answer(400, serde_json::json!({"error": "invalid_grant"})));
        let error = ours(ended(sent).await.unwrap_err());
        assert_eq!(error.kind(), tower_oauth2::ErrorKind::LoginRequired, "{challenge}");
        server.assert_no_request().await;
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_logout_requests_are_sent_without_a_token() {
    let store = MemoryStore::new();
    grant(&store).save(stored(3600)).await.unwrap();
    let layer = on_challenge(grant(&store));
    let (sent, mut server) = send(&layer);
    respond(&mut server, unauthorized("Bearer")).await;
    respond(&mut server, answer(200, "")).await;
    assert_eq!(status(sent).await, 200);

    grant(&store).clear().await.unwrap();
    layer.tokens().forget();
    is_sent_with(&layer, None).await;
    let (sent, mut server) = send(&layer);
    assert_eq!(respond(&mut server, unauthorized("Bearer")).await, None);
    let (request, respond_device) = server.next().await;
    assert_eq!(request.uri(), DEVICE_URL, "a new login");
    respond_device.send_response(answer(503, ""));
    ended(sent).await.unwrap_err();
}
