//! The start of an MCP client: the API's first 401 names its metadata and a scope (M1, M11).

use serde_json::json;
use tower_oauth2::OAuth2Layer;

use super::{INSERTED, ISSUER, RESOURCE, World, challenge, query, resource};
use crate::support::answer;

const NAMED: &str = "https://mcp.example.com/metadata";

fn world(first: &'static str) -> World {
    let world = World::new();
    let mut document = resource(&[ISSUER]);
    document["scopes_supported"] = json!(["all", "supported"]);
    world.site.json(NAMED, document.clone());
    world.site.json(INSERTED, document);
    world.site.page_for(RESOURCE, move |received| match received.headers.get("authorization") {
        None => challenge(401, first),
        Some(token) if token == "Bearer a1" => {
            challenge(403, r#"Bearer error="insufficient_scope", scope="write", resource_metadata="x:/bad""#)
        }
        Some(_) => answer(200, ""),
    });
    world
}

#[tokio::test]
async fn m11_the_scope_of_the_challenge_comes_before_that_of_the_resource() {
    for (first, scope, address) in [
        (r#"Bearer scope="read", resource_metadata="https://mcp.example.com/metadata""#, "read", NAMED),
        (
            r#"Bearer error="invalid_token", resource_metadata="https://mcp.example.com/metadata""#,
            "all supported",
            NAMED,
        ),
        ("DPoP algs=ES256, scope=\"read\"", "read", INSERTED),
        ("Bearer", "all supported", INSERTED),
    ] {
        let world = world(first);
        let layer = OAuth2Layer::new(world.grant().register("My app")).origin(RESOURCE).unwrap().on_challenge();
        assert_eq!(world.call(&layer).await.status(), 403, "without `step_up` the second challenge passes");
        assert_eq!(world.logins().len(), 1);
        assert_eq!(query(&world.logins()[0], "scope").as_deref(), Some(scope), "{first}");
        assert_eq!(world.received(address).len(), 1, "{first}");
    }
}

/// The address in the second challenge cannot be used, and so its step-up fails with the reason.
#[tokio::test]
async fn m1_an_address_that_cannot_be_used_is_an_error() {
    let world = world(r#"Bearer scope="read", resource_metadata="https://mcp.example.com/metadata""#);
    let layer = OAuth2Layer::new(world.grant().register("My app")).origin(RESOURCE).unwrap().on_challenge().step_up();
    let error = crate::support::ours(world.try_call(&layer).await.unwrap_err());
    assert!(error.to_string().contains("the challenge names an address that cannot be used"), "{error}");
    assert_eq!(world.logins().len(), 1);
}

#[tokio::test]
async fn m14_a_first_token_and_more_scope_for_it_are_two_logins_for_one_request() {
    let world = world(r#"Bearer scope="read""#);
    world.site.page_for(RESOURCE, move |received| match received.headers.get("authorization") {
        None => challenge(401, r#"Bearer scope="read""#),
        Some(token) if token == "Bearer a1" => challenge(403, r#"Bearer error="insufficient_scope", scope="write""#),
        Some(_) => answer(200, ""),
    });
    let layer = OAuth2Layer::new(world.grant().register("My app")).origin(RESOURCE).unwrap().on_challenge().step_up();
    assert_eq!(world.call(&layer).await.status(), 200);
    let scopes: Vec<_> = world.logins().iter().map(|login| query(login, "scope").unwrap()).collect();
    assert_eq!(scopes, ["read", "read write"]);
    assert_eq!(world.call(&layer).await.status(), 200);
    assert_eq!(world.logins().len(), 2);
}

#[tokio::test]
async fn a_public_resource_starts_no_login() {
    let world = World::new();
    world.site.page(RESOURCE, || answer(200, ""));
    let layer = OAuth2Layer::new(world.grant().register("My app")).origin(RESOURCE).unwrap().on_challenge();
    assert_eq!(world.call(&layer).await.status(), 200);
    assert_eq!(world.site.take_urls(), [RESOURCE]);
}
