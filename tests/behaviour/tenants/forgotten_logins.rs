//! K7: what `forget` does to requests that wait.

use std::time::Duration;

use serde_json::json;
use tower_oauth2::Token;
use tower_oauth2::client::Client;
use tower_oauth2::grant::RefreshToken;
use tower_oauth2::store::MemoryStore;

use super::support::{Tenant, mock_service, request, spawn, tenants};
use crate::support::{TOKEN_URL, answer};

/// A changed configuration is no logout, also if a request waits for a token of the removed cell.
#[tokio::test(start_paused = true)]
async fn k7_forget_keeps_the_stored_login_if_a_request_waits() {
    let store = MemoryStore::new();
    let stored = move |tenant: &Tenant| {
        let grant = RefreshToken::stored(TOKEN_URL, Client::public("app"))?;
        Ok(grant.persisted(store.clone()).subject(tenant.0))
    };
    let login = stored(&Tenant("one")).unwrap();
    let expired = Token::bearer("a0").unwrap().with_refresh_token("r0").with_expires_in(Duration::ZERO);
    login.save(expired).await.unwrap();

    let layer = tenants(stored);
    let (service, mut server) = mock_service(&layer);
    let waiting = spawn(&service, request("one"));
    let (_, respond) = server.token_request().await;
    layer.forget(&Tenant("one"));
    let refreshed = json!({"access_token": "a1", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "r1"});
    respond.send_response(answer(200, refreshed));
    assert_eq!(server.next_authorization().await.unwrap(), "Bearer a1");
    assert_eq!(waiting.await.unwrap().unwrap(), 200);
    let kept = login.load().await.unwrap().expect("`forget` has removed the stored login");
    assert_eq!(kept.refresh_token(), Some("r1"));
}
