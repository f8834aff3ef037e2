//! M11, M12, M14: the scope of a login.

use serde_json::json;
use tower_oauth2::OAuth2Layer;
use tower_oauth2::client::Client;

use super::{INSERTED, ISSUER, RESOURCE, World, challenge, query, resource};
use crate::support::answer;

fn supporting(world: &World, scopes: serde_json::Value) {
    let mut document = resource(&[ISSUER]);
    document["scopes_supported"] = scopes;
    world.site.json(INSERTED, document);
}

#[tokio::test]
async fn m11_without_a_scope_all_that_the_resource_supports_is_requested() {
    for (configured, supported, expected) in [
        (None, json!(["read", "write"]), Some("read write")),
        (None, json!(["read", "a\"b", 7, ""]), Some("read")),
        (None, json!([]), None),
        (None, json!(null), None),
        (Some("mine"), json!(["read"]), Some("mine")),
    ] {
        let world = World::new();
        supporting(&world, supported.clone());
        let grant = world.grant().register("My app");
        let grant = configured.map_or(grant.clone(), |scope| grant.scope(scope).unwrap());
        world.tokens(grant).get().await.unwrap();
        assert_eq!(query(&world.logins()[0], "scope").as_deref(), expected, "{configured:?} {supported}");
    }
}

#[tokio::test]
async fn m14_a_step_up_requests_the_union_by_a_new_login() {
    let world = World::new();
    supporting(&world, json!(["read"]));
    world.site.page_for(RESOURCE, |received| match received.headers["authorization"].to_str().unwrap() {
        "Bearer a1" => challenge(403, r#"Bearer error="insufficient_scope", scope="write""#),
        _ => answer(200, ""),
    });
    let layer = OAuth2Layer::new(world.grant().register("My app")).step_up();
    assert_eq!(world.call(&layer).await.status(), 200);
    let scopes: Vec<_> = world.logins().iter().map(|login| query(login, "scope").unwrap()).collect();
    assert_eq!(scopes, ["read", "read write"]);
    let grants: Vec<_> = world.received(super::TOKEN).iter().map(|sent| sent.form[0].1.clone()).collect();
    assert_eq!(grants, ["authorization_code", "authorization_code"], "never by refresh token");
    assert_eq!(world.received(super::REGISTER).len(), 1);
}

#[tokio::test]
async fn m12_offline_access_is_requested_if_the_server_lists_it() {
    for (listed, configured, prompt, scope, sent) in [
        (json!(["read", "offline_access"]), Some("read"), None, Some("read offline_access"), Some("consent")),
        (json!(["read", "offline_access"]), Some("read"), Some("login"), Some("read offline_access"), Some("login")),
        (
            json!(["read", "offline_access"]),
            Some("read offline_access"),
            None,
            Some("read offline_access"),
            Some("consent"),
        ),
        (json!(["read"]), Some("read"), None, Some("read"), None),
        (json!(null), Some("read"), None, Some("read"), None),
        // It would be the whole scope.
        (json!(["read", "offline_access"]), None, None, None, None),
    ] {
        let world = World::new().server(json!({"scopes_supported": listed}));
        let grant = world.grant().register("My app");
        let grant = configured.map_or(grant.clone(), |scope| grant.scope(scope).unwrap());
        let grant = prompt.map_or(grant.clone(), |prompt| grant.param("prompt", prompt));
        world.tokens(grant).get().await.unwrap();
        let login = world.logins().remove(0);
        assert_eq!((query(&login, "scope").as_deref(), query(&login, "prompt").as_deref()), (scope, sent));
        assert_eq!(login.query_pairs().filter(|(name, _)| name == "prompt").count(), usize::from(sent.is_some()));
    }
}

#[tokio::test]
async fn m12_a_resource_does_not_decide_about_offline_access() {
    let world = World::new();
    supporting(&world, json!(["read"]));
    world.tokens(world.grant().client(ISSUER, Client::public("c"))).get().await.unwrap();
    assert_eq!(query(&world.logins()[0], "scope").as_deref(), Some("read"));
}
