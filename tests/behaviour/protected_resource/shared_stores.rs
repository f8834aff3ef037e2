//! One store for several programs, APIs and kinds of grants.

use serde_json::json;
use tower_oauth2::client::Client;
use tower_oauth2::grant::{ClientCredentials, ProtectedResource};
use tower_oauth2::store::MemoryStore;
use tower_oauth2::{ErrorKind, Token};

use super::{ISSUER, RESOURCE, TOKEN, World};

#[tokio::test]
async fn a_program_does_not_take_the_token_of_a_person() {
    let (world, store) = (World::new(), MemoryStore::new());
    let person = world.grant().register("My app").persisted(store.clone());
    let program = ProtectedResource::new(RESOURCE)
        .unwrap()
        .with_grant(|found| ClientCredentials::from_issuer(found.issuer(), Client::basic("id", "s")))
        .persisted(store);
    assert_eq!(world.tokens(person).get().await.unwrap().access_token(), "a1");
    assert_eq!(world.tokens(program).get().await.unwrap().access_token(), "a2");
    assert_eq!(world.sent("grant_type").as_deref(), Some("client_credentials"));
}

/// Its entry would not have the resource in its key, so that another API would get the token.
#[tokio::test]
async fn the_grant_of_the_function_has_no_store_of_its_own() {
    let (world, store) = (World::new(), MemoryStore::new());
    let inner = store.clone();
    let grant = ProtectedResource::new(RESOURCE).unwrap().with_grant(move |found| {
        Ok(ClientCredentials::from_issuer(found.issuer(), Client::basic("id", "s"))?.persisted(inner.clone()))
    });
    let error = world.tokens(grant).get().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("persisted"), "{error}");
    assert!(world.received(TOKEN).is_empty());
}

/// A token without a record is that of an older program, or of another one.
#[tokio::test]
async fn a_stored_token_without_a_usable_record_has_no_refresh_token_for_this_server() {
    for record in [json!(null), json!({}), json!({"issuer": 7}), json!("x"), json!({"issuer": ISSUER, "max_age": "x"})]
    {
        let (world, store) = (World::new(), MemoryStore::new());
        let stored = json!({"access_token": "old", "refresh_token": "hunter2", "token_type": "Bearer", "expires_in": 60,
            "tower_oauth2": record});
        let stored: Token = serde_json::from_value(stored).unwrap();
        let grant = world.grant().register("My app").persisted(store);
        grant.save(stored).await.unwrap();
        let tokens = world.tokens(grant);
        assert_eq!(tokens.get().await.unwrap().access_token(), "old");
        tokens.refresh().await.unwrap();
        assert_eq!(world.logins().len(), 1, "{record}");
        assert!(!format!("{:?}", world.site.received()).contains("hunter2"), "{record}");
    }
}
