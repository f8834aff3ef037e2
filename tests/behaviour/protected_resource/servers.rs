//! Which of the listed authorization servers is used, and what is rejected.

use serde_json::json;
use tower_oauth2::ErrorKind;

use super::{INSERTED, ISSUER, World, query, resource};

#[tokio::test]
async fn the_first_server_that_is_accepted_is_used() {
    let world = World::new();
    world.site.json(INSERTED, resource(&["https://first.example.com", ISSUER]));
    let grant = world.grant().register("My app").accept_issuer(|issuer| issuer == ISSUER);
    world.tokens(grant).get().await.unwrap();
    assert!(world.logins()[0].as_str().starts_with(ISSUER));
}

#[tokio::test]
async fn a_resource_whose_servers_are_not_accepted_is_an_error() {
    let world = World::new();
    world.site.json(INSERTED, resource(&["https://first.example.com", "https://second.example.com/\u{202e}x"]));
    let error = world.tokens(world.grant().register("My app").accept_issuer(|_| false)).get().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let text = error.to_string();
    assert!(text.contains("accept_issuer") && text.contains("`https://first.example.com`"), "{text}");
    assert!(!text.contains('\u{202e}'), "{text}");
    assert_eq!(world.site.take_urls(), [INSERTED], "no request is sent to them");
}

#[tokio::test]
async fn a_list_without_a_usable_server_is_an_error() {
    for (servers, named) in [
        (json!([]), "no authorization server"),
        (json!(null), "no authorization server"),
        (json!("https://auth.example.com"), "no authorization server"),
        (json!([7]), "no authorization server"),
        (json!(["http://auth.example.com"]), "cleartext"),
        (json!(["https://10.0.0.1"]), "private"),
        (json!(["https://169.254.169.254/latest"]), "private"),
        (json!(["http://localhost:8080"]), "private"),
        (json!(["auth.example.com"]), "absolute"),
    ] {
        let world = World::new();
        let mut document = resource(&[]);
        document["authorization_servers"] = servers.clone();
        world.site.json(INSERTED, document);
        let error = world.tokens(world.grant().register("My app")).get().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{servers}");
        assert!(error.to_string().contains(named), "{servers}: {error}");
        assert_eq!(world.site.take_urls(), [INSERTED], "{servers}: no request is sent there");
    }
}

#[tokio::test]
async fn endpoints_at_private_addresses_are_an_error() {
    for member in ["authorization_endpoint", "registration_endpoint", "token_endpoint"] {
        let world = World::new().server(json!({member: "https://192.168.0.1/x"}));
        let error = world.tokens(world.grant().register("My app")).get().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{member}");
        assert!(error.to_string().contains(member) && error.to_string().contains("private"), "{error}");
        assert!(world.site.received().iter().all(|received| !received.url.contains("192.168")));
    }
}

#[tokio::test]
async fn a_server_in_use_stays_in_use_while_it_is_listed() {
    let world = World::new();
    let tokens = world.tokens(world.grant().register("My app"));
    tokens.get().await.unwrap();
    world.site.json(INSERTED, resource(&["https://first.example.com", ISSUER]));
    tokens.refresh().await.unwrap();
    assert_eq!(world.sent("grant_type").as_deref(), Some("refresh_token"));
    assert_eq!(query(&world.logins()[0], "client_id").as_deref(), Some("c1"));
    assert_eq!(world.logins().len(), 1);
}
