//! M17: the registration and the issuer are stored with the token.

use tower_oauth2::client::Client;
use tower_oauth2::store::MemoryStore;

use super::{ISSUER, REGISTER, World, query};

#[tokio::test]
async fn m17_two_processes_register_and_log_in_once() {
    let (world, store) = (World::new(), MemoryStore::new());
    let tokens = || world.tokens(world.grant().register("My app").persisted(store.clone()));
    let (one, other) = (tokens(), tokens());
    let (one, other) = tokio::join!(one.get(), other.get());
    assert_eq!(one.unwrap().access_token(), other.unwrap().access_token());
    assert_eq!((world.logins().len(), world.received(REGISTER).len()), (1, 1));
}

#[tokio::test]
async fn m17_a_restarted_process_refreshes_with_the_registered_client_and_secret() {
    let world =
        World::new().server(serde_json::json!({"token_endpoint_auth_methods_supported": ["client_secret_post"]}));
    world.site.page(REGISTER, || {
        crate::support::answer(201, serde_json::json!({"client_id": "c1", "client_secret": "hunter2"}))
    });
    let store = MemoryStore::new();
    let tokens = || world.tokens(world.grant().register("My app").persisted(store.clone()));
    tokens().get().await.unwrap();
    tokens().refresh().await.unwrap();
    assert_eq!((world.logins().len(), world.received(REGISTER).len()), (1, 1));
    assert_eq!(world.sent("grant_type").as_deref(), Some("refresh_token"));
    assert_eq!(
        (world.sent("client_id").as_deref(), world.sent("client_secret").as_deref()),
        (Some("c1"), Some("hunter2"))
    );
    // The next login listens on the port that was registered.
    world.site.page_for(super::TOKEN, {
        let issue = super::issuing("b");
        move |received| match received.form[0].1.as_str() {
            "refresh_token" => crate::support::answer(400, r#"{"error":"invalid_grant"}"#),
            _ => issue(),
        }
    });
    tokens().refresh().await.unwrap();
    let redirects: Vec<_> = world.logins().iter().map(|login| query(login, "redirect_uri").unwrap()).collect();
    assert_eq!((redirects.len(), &redirects[0], world.received(REGISTER).len()), (2, &redirects[1], 1));
}

#[tokio::test]
async fn other_clients_and_resources_have_other_entries() {
    let (world, store) = (World::new(), MemoryStore::new());
    let grant = || world.grant().client(ISSUER, Client::public("one"));
    world.tokens(grant().persisted(store.clone())).get().await.unwrap();
    world.tokens(grant().persisted(store.clone())).get().await.unwrap();
    assert_eq!(world.logins().len(), 1);
    world.tokens(world.grant().client(ISSUER, Client::public("two")).persisted(store.clone())).get().await.unwrap();
    world
        .tokens(grant().client("https://x.example", Client::public("one")).persisted(store.clone()))
        .get()
        .await
        .unwrap();
    world.tokens(grant().scope("x").unwrap().persisted(store)).get().await.unwrap();
    assert_eq!(world.logins().len(), 4);
}

#[tokio::test]
async fn the_stored_secret_is_not_shown() {
    let world =
        World::new().server(serde_json::json!({"token_endpoint_auth_methods_supported": ["client_secret_post"]}));
    world.site.page(REGISTER, || {
        crate::support::answer(201, serde_json::json!({"client_id": "c1", "client_secret": "hunter2"}))
    });
    let token = world.tokens(world.grant().register("My app")).get().await.unwrap();
    assert!(!format!("{token:?}").contains("hunter2"));
    assert!(token.extra("tower_oauth2").is_none());
    assert!(serde_json::to_string(&token).unwrap().contains("hunter2"), "it is stored with the token");
}

/// The API has named the address in its first challenge. An expired token is not sent, so that it could not name it again.
#[tokio::test]
async fn a_restarted_process_finds_metadata_that_is_not_at_a_well_known_address() {
    let (world, store) = (World::new(), MemoryStore::new());
    let named = "https://mcp.example.com/metadata";
    world.site.status(super::INSERTED, 404);
    world.site.json(named, super::resource(&[ISSUER]));
    world.site.page_for(super::RESOURCE, |received| match received.headers.get("authorization") {
        None => super::challenge(401, r#"Bearer resource_metadata="https://mcp.example.com/metadata""#),
        Some(_) => crate::support::answer(200, ""),
    });
    let layer = || {
        let grant = world.grant().register("My app").persisted(store.clone());
        tower_oauth2::OAuth2Layer::new(grant).origin(super::RESOURCE).unwrap().on_challenge()
    };
    assert_eq!(world.call(&layer()).await.status(), 200);
    let tokens = world.tokens(world.grant().register("My app").persisted(store.clone()));
    tokens.refresh().await.unwrap();
    assert_eq!((world.sent("grant_type").as_deref(), world.logins().len()), (Some("refresh_token"), 1));
    // The refresh keeps the address.
    world.tokens(world.grant().register("My app").persisted(store)).refresh().await.unwrap();
    assert_eq!(world.received(named).len(), 3);
}
