//! A key in the query of the resource is in no error, whatever its server repeats in a document.

use http::HeaderMap;
use serde_json::{Value, json};
use tower_oauth2::endpoint::ResourceMetadata;
use tower_oauth2::grant::ProtectedResource;
use tower_oauth2::{Challenge, Error, ErrorKind};

use super::{INSERTED, ISSUER, OAUTH_DOCUMENT, ROOT, World};

const NAMED: &str = "https://mcp.example.com/metadata";
const KEYED: &str = "https://mcp.example.com/mcp?key=hunter2-key";

/// Returns the error of a grant for the resource with the key.
async fn error_of(world: &World, accepts: bool) -> Error {
    let grant = ProtectedResource::new(KEYED).unwrap().register("My app").accept_issuer(move |_| accepts);
    world.tokens(grant).get().await.unwrap_err()
}

fn check(error: &Error, shown: &str) {
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    assert!(error.to_string().contains(shown), "{error}");
}

#[tokio::test]
async fn a_document_of_another_resource_at_an_address_without_the_key() {
    for (resource, shown) in [
        (KEYED, "`https://mcp.example.com/mcp?[secret]`"),
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

#[tokio::test]
async fn metadata_that_is_printed() {
    let world = World::new();
    world.site.json(&format!("{INSERTED}?key=hunter2-key"), listing(KEYED));
    let metadata = ResourceMetadata::discover(&world.site.transport(), KEYED, None).await.unwrap();
    assert_eq!(metadata.authorization_servers(), [KEYED]);
    assert!(!format!("{metadata:?}").contains("hunter2"), "{metadata:?}");
}

fn listing(issuer: &str) -> Value {
    json!({"resource": KEYED, "authorization_servers": [issuer]})
}
