//! Grants and stores whose type is erased, or that are behind a pointer.

use std::sync::Arc;
use std::time::Duration;

use tower::BoxError;
use tower_oauth2::client::Client;
use tower_oauth2::grant::{BoxGrant, Context, Grant, Persisted, RefreshToken};
use tower_oauth2::store::{BoxStore, Entry, Key, MemoryStore, TokenStore};
use tower_oauth2::transport::Transport;
use tower_oauth2::{OAuth2Layer, Token};

use crate::support::{TOKEN_URL, grant, token_endpoint};

fn initial() -> Token {
    Token::bearer("initial").unwrap()
}

/// Checks that all methods are forwarded to the inner grant.
async fn forwards(wrapped: impl Grant) {
    let (service, mut forms) = token_endpoint(vec![]);
    assert_eq!(wrapped.name(), "client_credentials");
    assert_eq!(wrapped.initial_token(), Some(initial()));
    let cx = Context::new(Transport::new(service)).with_previous(initial().with_refresh_token("r1"));
    assert_eq!(wrapped.obtain(cx).await.unwrap().access_token(), "a");
    assert_eq!(forms.recv().await.unwrap()[1].1, "r1");
    let boxed = wrapped.boxed();
    assert_eq!((boxed.name(), boxed.initial_token()), ("client_credentials", Some(initial())));
}

#[tokio::test(start_paused = true)]
async fn grants_behind_a_pointer_forward_all_methods() {
    let grant = || grant().token(initial());
    forwards(grant()).await;
    forwards(Arc::new(grant())).await;
    forwards(Box::new(grant())).await;
    forwards(grant().boxed()).await;
    forwards(grant().boxed().boxed()).await;
    forwards(Arc::new(Box::new(grant().boxed()))).await;
}

#[test]
fn a_boxed_grant_prints_its_name_and_no_secret() {
    let grant = RefreshToken::new(TOKEN_URL, Client::post("id", "hunter2"), "hunter2-r").unwrap().boxed();
    let text = format!("{:?}", grant.clone());
    assert!(text.contains("refresh_token") && !text.contains("hunter2"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn clones_of_a_boxed_grant_share_the_grant() {
    let (service, mut forms) = token_endpoint(vec![]);
    let grant = RefreshToken::new(TOKEN_URL, Client::public("id"), "r1").unwrap().boxed();
    let cx = Context::new(Transport::new(service));
    grant.obtain(cx.clone()).await.unwrap();
    forms.recv().await.unwrap();
    // Only one clone can send it.
    grant.clone().obtain(cx).await.unwrap_err();
    assert!(forms.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn one_type_for_any_grant() {
    let (service, _forms) = token_endpoint(vec![]);
    let refresh_token = RefreshToken::new(TOKEN_URL, Client::public("id"), "r1").unwrap();
    for grant in [grant().boxed(), refresh_token.boxed()] {
        let layer: OAuth2Layer<BoxGrant> = OAuth2Layer::new(grant);
        assert_eq!(layer.token_service(service.clone()).tokens().get().await.unwrap().access_token(), "a");
    }
}

#[tokio::test(start_paused = true)]
async fn a_boxed_layer_shares_the_token() {
    let (service, mut forms) = token_endpoint(vec![]);
    let layer = OAuth2Layer::new(grant()).token_service(service);
    let boxed: OAuth2Layer<BoxGrant, _> = layer.clone().boxed();
    assert_eq!(boxed.tokens().get().await.unwrap(), layer.tokens().get().await.unwrap());
    forms.recv().await.unwrap();
    assert!(forms.try_recv().is_err(), "there was one token request");
    layer.tokens().forget();
    assert_eq!(boxed.tokens().peek(), None);
}

/// Checks that all methods are forwarded to the inner store.
async fn keeps(store: impl TokenStore + Clone, inside: &MemoryStore) {
    let key = Key::new(TOKEN_URL, "id");
    let (entry, former) = (Entry::new(initial(), 7), inside.load(&key).await.unwrap());
    assert!(former.is_none());
    let mut changes = store.changes(&key).expect("a memory store reports changes");
    let mut lock = store.lock(&key).await.unwrap();
    let blocked = tokio::time::timeout(Duration::from_secs(1), inside.lock(&key)).await;
    assert!(blocked.is_err(), "the lock is that of the inner store");
    store.save(&key, &entry, &mut lock).await.unwrap();
    drop(lock);
    inside.lock(&key).await.unwrap();
    changes.changed().await.unwrap();
    assert_eq!(inside.load(&key).await.unwrap().unwrap().generation, 7);
    assert_eq!(store.clone().load(&key).await.unwrap().unwrap().token, initial());
    store.clear(&key, 6).await.unwrap();
    assert!(inside.load(&key).await.unwrap().is_some(), "the stored entry is newer than the one to clear");
    store.clear(&key, 7).await.unwrap();
    assert!(inside.load(&key).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn stores_behind_a_pointer_forward_all_methods() {
    let memory = MemoryStore::new();
    keeps(Arc::new(memory.clone()), &memory).await;
    keeps(memory.clone().boxed(), &memory).await;
    keeps(memory.clone().boxed().boxed(), &memory).await;
    keeps(Arc::new(memory.clone().boxed()), &memory).await;
    let text = format!("{:?}", memory.boxed());
    assert!(text.contains("BoxStore") && text.contains("MemoryStore"), "{text}");
}

/// A store that keeps nothing, with a lock of another type.
struct Nothing;

impl TokenStore for Nothing {
    type Lock = ();

    async fn lock(&self, _: &Key) -> Result<(), BoxError> {
        Ok(())
    }

    async fn load(&self, _: &Key) -> Result<Option<Entry>, BoxError> {
        Ok(None)
    }

    async fn save(&self, _: &Key, _: &Entry, (): &mut ()) -> Result<(), BoxError> {
        Ok(())
    }

    async fn clear(&self, _: &Key, _: u64) -> Result<(), BoxError> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn the_lock_of_another_store_is_an_error() {
    let (one, other) = (MemoryStore::new().boxed(), Nothing.boxed());
    let key = Key::new(TOKEN_URL, "id");
    let mut lock = other.lock(&key).await.unwrap();
    let error = one.save(&key, &Entry::new(initial(), 1), &mut lock).await.unwrap_err();
    assert!(error.to_string().contains("another type"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_grant_is_persisted_in_a_boxed_store() {
    let (service, mut forms) = token_endpoint(vec![]);
    let store: BoxStore = MemoryStore::new().boxed();
    let grants: [Persisted<_, BoxStore>; 2] = [grant().persisted(store.clone()), grant().persisted(store)];
    for grant in grants {
        let tokens = OAuth2Layer::new(grant.boxed()).token_service(service.clone()).tokens();
        assert_eq!(tokens.get().await.unwrap().access_token(), "a");
    }
    forms.recv().await.unwrap();
    assert!(forms.try_recv().is_err(), "the second layer loads it from the store");
}
