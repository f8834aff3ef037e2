//! A stored refresh token is sent once, and not after `Tokens::forget`.

use std::time::Duration;

use tower_oauth2::OAuth2Layer;
use tower_oauth2::client::Client;
use tower_oauth2::grant::{Grant, RefreshToken};
use tower_oauth2::store::MemoryStore;

use crate::support::{TOKEN_URL, answer, pass, token_endpoint};

const SECOND: Duration = Duration::from_secs(1);

/// Two layers use the same stored grant. The second layer does not send the refresh token that the first one has spent.
#[tokio::test(start_paused = true)]
async fn two_layers_of_one_stored_grant_send_each_refresh_token_once() {
    let responses = (1..5).map(|n| {
        answer(200, serde_json::json!({
            "access_token": format!("a{n}"), "token_type": "Bearer", "expires_in": 100, "refresh_token": format!("r{n}")
        }))
    });
    let (service, mut forms) = token_endpoint(responses.collect());
    let grant = RefreshToken::new(TOKEN_URL, Client::public("id"), "r0").unwrap().persisted(MemoryStore::new()).boxed();
    let one = OAuth2Layer::new(grant.clone()).token_service(service.clone()).tokens();
    let other = OAuth2Layer::new(grant).token_service(service).tokens();
    assert_eq!(one.get().await.unwrap().access_token(), "a1");
    assert_eq!(other.get().await.unwrap().access_token(), "a1");
    for _ in 0..2 {
        pass(100 * SECOND).await;
        one.get().await.unwrap();
        other.get().await.unwrap();
    }
    let mut sent = Vec::new();
    while let Ok(form) = forms.try_recv() {
        sent.extend(form.into_iter().filter(|(name, _)| name == "refresh_token").map(|(_, value)| value));
    }
    assert_eq!(sent, ["r0", "r1", "r2"]);
}

/// After `forget`, the refresh token of the grant is sent instead of the stored one.
#[tokio::test(start_paused = true)]
async fn a_stored_token_that_is_forgotten_before_the_first_request_is_not_used() {
    let store = MemoryStore::new();
    let grant = || RefreshToken::new(TOKEN_URL, Client::public("id"), "r0").unwrap().persisted(store.clone());
    let (service, mut forms) = token_endpoint(vec![]);
    let first = OAuth2Layer::new(grant()).token_service(service.clone()).tokens();
    first.get().await.unwrap();
    forms.try_recv().unwrap();
    let later = OAuth2Layer::new(grant()).token_service(service.clone()).tokens();
    later.forget();
    later.get().await.unwrap();
    let sent = forms.try_recv().expect("no token request was sent");
    assert!(sent.contains(&("refresh_token".to_owned(), "r0".to_owned())));
}
