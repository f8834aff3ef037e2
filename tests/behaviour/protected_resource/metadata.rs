//! M1, M2, M4, M22: which metadata of the resource is used, and when it is fetched.

use serde_json::json;
use tower_oauth2::endpoint::Registration;
use tower_oauth2::grant::ProtectedResource;
use tower_oauth2::{ErrorKind, OAuth2Layer};

use super::{INSERTED, ISSUER, RESOURCE, ROOT, World, challenge, query, resource};
use crate::support::answer;

const NAMED: &str = "https://mcp.example.com/metadata";

#[tokio::test]
async fn m4_a_rejection_leads_to_the_metadata_at_the_address_of_its_challenge() {
    let world = World::new();
    world.site.json(NAMED, resource(&[ISSUER]));
    world.site.page_for(RESOURCE, |received| match received.headers["authorization"].to_str().unwrap() {
        "Bearer a1" => challenge(401, &format!(r#"Bearer error="invalid_token", resource_metadata="{NAMED}""#)),
        _ => answer(200, ""),
    });
    let layer = OAuth2Layer::new(world.grant().register("My app"));
    assert_eq!(world.call(&layer).await.status(), 200);
    assert_eq!((world.received(INSERTED).len(), world.received(NAMED).len()), (1, 1));
    assert_eq!(world.sent("grant_type").as_deref(), Some("refresh_token"));
}

#[tokio::test(start_paused = true)]
async fn a_refresh_of_a_token_in_use_does_not_fetch_it_again() {
    let world = World::new();
    let clients = tower_oauth2::client::Client::basic("c", "s");
    let grant = ProtectedResource::new(RESOURCE)
        .unwrap()
        .with_grant(move |found| tower_oauth2::grant::ClientCredentials::from_issuer(found.issuer(), clients.clone()));
    let tokens = world.tokens(grant);
    tokens.get().await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(3590)).await;
    tokens.get().await.unwrap();
    tokens.invalidate();
    tokens.get().await.unwrap();
    assert_eq!(world.received(INSERTED).len(), 1);
    assert!(world.received(super::TOKEN).len() >= 2);
    tokens.refresh().await.unwrap();
    assert_eq!(world.received(INSERTED).len(), 2, "a call of the user fetches it");
}

#[tokio::test]
async fn an_outage_keeps_the_earlier_metadata() {
    let world = World::new();
    let tokens = world.tokens(world.grant().register("My app"));
    tokens.get().await.unwrap();
    for status in [503, 429, 500] {
        world.site.status(INSERTED, status);
        tokens.refresh().await.unwrap();
        assert_eq!(world.sent("grant_type").as_deref(), Some("refresh_token"));
    }
    world.site.try_page(INSERTED, || Err("no route to host".into()));
    tokens.refresh().await.unwrap();
    // Another document is no outage. The refresh token is kept.
    for document in [json!({"resource": "https://evil.example.com"}), json!({"resource": RESOURCE})] {
        world.site.json(INSERTED, document);
        assert_eq!(tokens.refresh().await.unwrap_err().kind(), ErrorKind::Malformed);
    }
    world.site.json(INSERTED, resource(&[ISSUER]));
    tokens.refresh().await.unwrap();
    assert_eq!((world.sent("grant_type").as_deref(), world.logins().len()), (Some("refresh_token"), 1));
}

#[tokio::test]
async fn m2_the_metadata_of_another_resource_is_not_used() {
    for other in ["https://mcp.example.com", "https://mcp.example.com/mcp/", "https://evil.example.com/mcp"] {
        let world = World::new();
        world.site.json(INSERTED, json!({"resource": other, "authorization_servers": [ISSUER]}));
        let error = world.tokens(world.grant().register("My app")).get().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
        assert!(error.to_string().contains(other), "{error}");
        assert_eq!(world.site.take_urls(), [INSERTED]);
    }
}

#[tokio::test]
async fn m2_a_parent_is_accepted_on_request_and_its_identifier_is_sent() {
    for (other, is_accepted) in [("https://mcp.example.com", true), ("https://evil.example.com", false)] {
        let world = World::new();
        world.site.json(INSERTED, json!({"resource": other, "authorization_servers": [ISSUER]}));
        let grant = world.grant().register("My app").dangerous_accept_parent_resource();
        assert_eq!(world.tokens(grant).get().await.is_ok(), is_accepted, "{other}");
        if is_accepted {
            assert_eq!(query(&world.logins()[0], "resource").as_deref(), Some(other));
        }
    }
}

#[tokio::test]
async fn a_url_that_is_no_resource_is_an_error() {
    for (resource, kind) in [
        ("mcp.example.com", ErrorKind::Configuration),
        ("https://mcp.example.com/#x", ErrorKind::Configuration),
        ("https://me@mcp.example.com", ErrorKind::Configuration),
        ("http://mcp.example.com", ErrorKind::Cleartext),
    ] {
        assert_eq!(ProtectedResource::new(resource).unwrap_err().kind(), kind, "{resource}");
    }
}

#[tokio::test]
async fn m22_a_resource_without_metadata_is_an_error_by_default() {
    let world = World::new();
    world.site.status(INSERTED, 404);
    let error = world.tokens(world.grant().register("My app")).get().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert!(error.to_string().contains(INSERTED) && error.to_string().contains(ROOT), "{error}");
}

#[tokio::test]
async fn m22_the_fallback_takes_the_origin_as_issuer_with_or_without_metadata() {
    let origin = "https://mcp.example.com";
    for (has_metadata, path) in [(true, ""), (true, "/oauth"), (false, "")] {
        let world = World::new();
        world.site.status(INSERTED, 404);
        if has_metadata {
            let mut document = super::server(origin, json!({"issuer": format!("{origin}{path}")}));
            document["token_endpoint"] = format!("{origin}/oauth/token").into();
            world.site.json(&format!("{origin}/.well-known/oauth-authorization-server"), document);
        }
        world.site.page(&format!("{origin}/register"), super::registering());
        let token = format!("{origin}{}", if has_metadata { "/oauth/token" } else { "/token" });
        world.site.page(&token, super::issuing("a"));
        *world.redirect.lock().unwrap() = format!("code=c&iss={origin}{path}");
        let tokens = world.tokens(world.grant().register(Registration::new("My app")).legacy_fallback());
        tokens.get().await.unwrap();
        let login = world.logins().remove(0);
        assert!(login.as_str().starts_with("https://mcp.example.com/authorize?"), "{login}");
        assert_eq!(query(&login, "code_challenge_method").as_deref(), Some("S256"));
        assert_eq!((world.received(&token).len(), query(&login, "resource").as_deref()), (1, Some(RESOURCE)));
        tokens.refresh().await.unwrap();
        assert_eq!(world.received(&token).pop().unwrap().form[0].1, "refresh_token");
    }
}

#[tokio::test]
async fn m22_the_issuer_in_the_metadata_must_be_of_the_origin() {
    for issuer in ["https://evil.example.com", "http://mcp.example.com", "https://mcp.example.com.evil.example", ""] {
        let world = World::new();
        world.site.status(INSERTED, 404);
        let document = super::server("https://mcp.example.com", json!({"issuer": issuer}));
        world.site.json("https://mcp.example.com/.well-known/oauth-authorization-server", document);
        let error = world.tokens(world.grant().register("My app").legacy_fallback()).get().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{issuer}");
        assert!(world.logins().is_empty());
    }
}

/// Only a 404 of each address means that there is no metadata.
#[tokio::test]
async fn m22_the_fallback_is_not_taken_because_of_another_response() {
    for status in [500, 403, 302, 200] {
        let world = World::new();
        world.site.status(INSERTED, status);
        let error = world.tokens(world.grant().register("My app").legacy_fallback()).get().await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Malformed | ErrorKind::Overloaded), "{error}");
        assert_eq!(world.site.take_urls(), [INSERTED]);
    }
}
