//! The query of the resource may have a key. The servers receive it, and can repeat it.
//!
//! Errors print identifiers and addresses in a document without their queries. The `resource` of a document, and an authorization server
//! that is not used, are not printed if the key is in another part of them. Nor is an `error_description` with the key. The other parts of
//! the identifier and of the addresses of an authorization server that is used, and of the issuer in its metadata, are always printed,
//! because a person needs them to find the fault, and they often have the name of a tenant that is in the query too.

use http::HeaderMap;
use serde_json::{Value, json};
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::{Issuer, ResourceMetadata};
use tower_oauth2::grant::{ClientCredentials, JwtBearer, ProtectedResource};
use tower_oauth2::source::source_fn;
use tower_oauth2::{Challenge, Error, ErrorKind};

use super::{INSERTED, ISSUER, OAUTH_DOCUMENT, ROOT, TOKEN, World, server};
use crate::support::answer;

const NAMED: &str = "https://mcp.example.com/metadata";
const KEYED: &str = "https://mcp.example.com/mcp?key=hunter2-key";

/// A grant for the resource with the key.
fn grant() -> ProtectedResource {
    ProtectedResource::new(KEYED).unwrap().register("My app")
}

async fn error_of(world: &World, accepts: bool) -> Error {
    world.tokens(grant().accept_issuer(move |_| accepts)).get().await.unwrap_err()
}

fn check(error: &Error, shown: &str) {
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    assert!(error.to_string().contains(shown), "{error}");
}

#[tokio::test]
async fn a_document_of_another_resource_at_an_address_without_the_key() {
    // Only a part of the key would be within the maximum length.
    let long = format!("https://mcp.example.com/{}hunter2-key", "a".repeat(94));
    for (resource, shown) in [
        (KEYED, "`https://mcp.example.com/mcp?[secret]`"),
        (&long, "`(one that cannot be printed)`"),
        ("https://mcp.example.com/mcp/?key=hunter2-key&x=y", "`https://mcp.example.com/mcp/?[secret]`"),
        ("https://mcp.example.com/hunter2-key", "`(one that cannot be printed)`"),
        ("hunter2\u{200b}-key", "`(one that cannot be printed)`"),
        ("https://other.example.com", "`https://other.example.com`"),
    ] {
        let world = World::new();
        world.site.json(ROOT, json!({"resource": resource, "authorization_servers": [ISSUER]}));
        let error = error_of(&world, true).await;
        assert_eq!(error.kind(), ErrorKind::Malformed);
        check(&error, shown);
    }
}

#[tokio::test]
async fn a_document_at_the_address_in_a_challenge() {
    let world = World::new();
    world.site.json(NAMED, json!({"resource": "https://mcp.example.com/mcp?key=hunter2-key&x"}));
    let mut headers = HeaderMap::new();
    headers.insert("www-authenticate", format!("Bearer resource_metadata=\"{NAMED}\"").parse().unwrap());
    let challenge = Challenge::parse(&headers).remove(0);
    let outcome = ResourceMetadata::discover(&world.site.transport(), KEYED, Some(&challenge)).await;
    check(&outcome.unwrap_err(), "`https://mcp.example.com/mcp?[secret]`");
}

#[tokio::test]
async fn an_authorization_server_that_is_not_accepted_or_cannot_be_used() {
    for (issuer, shown) in [
        (KEYED, "`https://mcp.example.com/mcp?[secret]`"),
        ("http://x.example/hunter2-key", "`(one that cannot be printed)`"),
    ] {
        for accepts in [false, true] {
            let world = World::new();
            world.site.json(&format!("{INSERTED}?key=hunter2-key"), listing(issuer));
            check(&error_of(&world, accepts).await, shown);
        }
    }
}

#[tokio::test]
async fn the_metadata_of_an_authorization_server_that_names_the_resource_as_its_issuer() {
    let world = World::new();
    world.site.json(&format!("{INSERTED}?key=hunter2-key"), listing(ISSUER));
    world.site.json(OAUTH_DOCUMENT, json!({"issuer": KEYED}));
    check(&error_of(&world, true).await, "`https://mcp.example.com/mcp?[secret]`");
}

/// A resource without metadata, whose origin is the authorization server.
#[tokio::test]
async fn the_metadata_of_the_origin_that_names_the_resource_as_its_issuer() {
    const ORIGIN: &str = "https://mcp.example.com";
    for (document, shown) in [
        (json!({"issuer": KEYED}), "the metadata of the issuer `https://mcp.example.com/mcp?[secret]`"),
        (
            server(ORIGIN, json!({"issuer": KEYED, "registration_endpoint": null})),
            "there is no client for the authorization server `https://mcp.example.com/mcp?[secret]`;",
        ),
    ] {
        let world = World::new();
        world.site.json("https://mcp.example.com/.well-known/oauth-authorization-server", document);
        check(&world.tokens(grant().legacy_fallback()).get().await.unwrap_err(), shown);
    }
}

#[tokio::test]
async fn a_response_of_a_token_endpoint_that_repeats_the_resource() {
    let description = format!("there is no resource {KEYED}");
    let world = World::new();
    world.site.json(&format!("{INSERTED}?key=hunter2-key"), listing(ISSUER));
    world.site.page(TOKEN, move || answer(400, json!({"error": "invalid_target", "error_description": description})));
    let credentials = ProtectedResource::new(KEYED)
        .unwrap()
        .with_grant(|found| ClientCredentials::from_issuer(found.issuer(), Client::basic("id", "secret")));
    check(&world.tokens(credentials).get().await.unwrap_err(), "invalid_target");
}

#[tokio::test]
async fn an_authorization_response_that_repeats_the_resource() {
    let world = World::new();
    world.site.json(&format!("{INSERTED}?key=hunter2-key"), listing(ISSUER));
    *world.redirect.lock().unwrap() = format!("error=invalid_target&error_description=no+hunter2-key&iss={ISSUER}");
    let browser = world.clone();
    let login = grant().login(move |login| {
        let browser = browser.clone();
        login.browser(move |url| browser.log_in(url))
    });
    check(&world.tokens(login).get().await.unwrap_err(), "invalid_target");
}

#[tokio::test]
async fn metadata_of_an_authorization_server_that_is_printed() {
    let world = World::new().server(json!({"issuer": KEYED}));
    let issuer = Issuer::new(ISSUER).unwrap().dangerous_accept_issuer(|issuer| issuer == KEYED);
    let metadata = issuer.metadata(&world.site.transport()).await.unwrap();
    assert_eq!(metadata.issuer(), KEYED);
    assert!(!format!("{metadata:?}").contains("hunter2"), "{metadata:?}");

    let assertion = source_fn(async |cx| Ok(format!("{cx:?}")));
    world.tokens(JwtBearer::from_issuer(&issuer, Client::public("id"), assertion).unwrap()).get().await.unwrap();
    let printed = world.sent("assertion").unwrap();
    assert!(printed.contains("https://mcp.example.com/mcp?[secret]") && !printed.contains("hunter2"), "{printed}");
}

#[tokio::test]
async fn metadata_of_a_resource_that_is_printed() {
    let world = World::new();
    world.site.json(&format!("{INSERTED}?key=hunter2-key"), listing(KEYED));
    let metadata = ResourceMetadata::discover(&world.site.transport(), KEYED, None).await.unwrap();
    assert_eq!(metadata.authorization_servers(), [KEYED]);
    assert!(!format!("{metadata:?}").contains("hunter2"), "{metadata:?}");
}

fn listing(issuer: &str) -> Value {
    json!({"resource": KEYED, "authorization_servers": [issuer]})
}
