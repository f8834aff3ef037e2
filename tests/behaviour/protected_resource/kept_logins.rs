//! What must not end a login: a person who ignores a prompt, a proxy, a server that is gone, and a record that cannot be used.

use std::time::Duration;

use serde_json::{Value, json};
use tower_oauth2::client::Client;
use tower_oauth2::grant::{ClientCredentials, ProtectedResource};
use tower_oauth2::store::MemoryStore;
use tower_oauth2::{ErrorKind, OAuth2Layer, Token};

use super::{INSERTED, ISSUER, OAUTH_DOCUMENT, REGISTER, RESOURCE, TOKEN, World};
use super::{challenge, issuing, query, resource, server};
use crate::support::answer;

const DOCUMENT: &str = "https://app.example.com/client.json";

/// A token that an earlier process has stored, with the client that was registered for it.
pub(super) fn stored(registration: Value) -> Token {
    let record = json!({"issuer": ISSUER, "registration": registration});
    let token = json!({"access_token": "a0", "token_type": "Bearer", "refresh_token": "r0", "tower_oauth2": record});
    serde_json::from_value(token).unwrap()
}

fn is_refresh(world: &World, refresh_token: &str) -> bool {
    world.sent("refresh_token").as_deref() == Some(refresh_token)
}

#[tokio::test]
async fn a_step_up_that_no_person_completes_does_not_end_the_login() {
    let world = World::new();
    world.site.page_for(RESOURCE, |received| match received.headers["authorization"].to_str().unwrap() {
        "Bearer a1" => challenge(403, r#"Bearer error="insufficient_scope", scope="write""#),
        _ => answer(200, ""),
    });
    let browser = world.clone();
    let grant = world.grant().register("My app").login(move |login| {
        let browser = browser.clone();
        login.timeout(Duration::from_millis(300)).browser(move |url| match browser.logins().len() {
            0 => browser.log_in(url),
            _ => browser.logins.lock().unwrap().push(url.clone()),
        })
    });
    let layer = OAuth2Layer::new(grant).token_service(world.site.service()).step_up();
    let error = crate::support::ours(world.try_call(&layer).await.unwrap_err());
    assert_eq!((error.kind(), world.logins().len()), (ErrorKind::LoginExpired, 2));
    layer.tokens().refresh().await.unwrap();
    assert!(is_refresh(&world, "ar1"), "{:?}", world.received(TOKEN));
    assert_eq!((world.sent("client_id").as_deref(), world.logins().len()), (Some("c1"), 2));
}

#[tokio::test]
async fn a_proxy_that_demands_authentication_does_not_drop_a_registered_client() {
    let world = World::new().server(json!({"token_endpoint_auth_methods_supported": ["client_secret_post"]}));
    world.site.page(REGISTER, || answer(201, json!({"client_id": "c1", "client_secret": "hunter2"})));
    let tokens = world.tokens(world.grant().register("My app"));
    tokens.get().await.unwrap();
    for body in ["", "<html>log in to the proxy</html>"] {
        world.site.page(TOKEN, move || answer(401, body));
        tokens.invalidate();
        assert_ne!(tokens.get().await.unwrap_err().kind(), ErrorKind::LoginRequired);
    }
    world.site.page(TOKEN, issuing("b"));
    tokens.refresh().await.unwrap();
    assert!(is_refresh(&world, "ar1"));
    assert_eq!((world.logins().len(), world.received(REGISTER).len()), (1, 1));
}

/// Nothing is sent to the resource without a token, so no rejection says that the server has changed.
#[tokio::test(start_paused = true)]
async fn a_server_that_is_gone_when_the_token_has_expired_is_replaced() {
    const SECOND: &str = "https://second.example.com";
    let world = World::new();
    let grant = ProtectedResource::new(RESOURCE)
        .unwrap()
        .with_grant(|found| ClientCredentials::from_issuer(found.issuer(), Client::basic("id", "s")));
    let tokens = world.tokens(grant);
    tokens.get().await.unwrap();
    world.site.json(INSERTED, resource(&[SECOND]));
    world.site.json(&format!("{SECOND}/.well-known/oauth-authorization-server"), server(SECOND, json!({})));
    world.site.page(&format!("{SECOND}/token"), issuing("second"));
    world.site.try_page(TOKEN, || Err("no such host".into()));
    world.site.try_page(OAUTH_DOCUMENT, || Err("no such host".into()));
    tokens.invalidate();
    assert_eq!(tokens.get().await.unwrap_err().kind(), ErrorKind::Transport);
    tokio::time::sleep(Duration::from_secs(200)).await;
    assert_eq!(tokens.get().await.unwrap().access_token(), "second1");
}

#[tokio::test]
async fn a_server_that_no_longer_announces_documents_still_refreshes_their_tokens() {
    const SUPPORTED: &str = "client_id_metadata_document_supported";
    let (world, store) = (World::new().server(json!({SUPPORTED: true})), MemoryStore::new());
    let grant = || world.grant().client_metadata(Client::public(DOCUMENT)).unwrap().register("My app");
    world.tokens(grant().persisted(store.clone())).get().await.unwrap();
    world.site.json(OAUTH_DOCUMENT, server(ISSUER, json!({})));
    world.tokens(grant().persisted(store)).refresh().await.unwrap();
    assert!(is_refresh(&world, "ar1"));
    assert_eq!((world.sent("client_id").as_deref(), world.logins().len()), (Some(DOCUMENT), 1));
}

#[tokio::test]
async fn a_stored_client_that_cannot_be_used_is_replaced() {
    for registration in [
        json!({"client_id": "c9", "token_endpoint_auth_method": "client_secret_basic", "redirect_uri": "http://127.0.0.1:1/callback"}),
        json!({"client_id": "", "token_endpoint_auth_method": "none", "redirect_uri": "http://127.0.0.1:1/callback"}),
        json!({"client_id": "a\nb", "token_endpoint_auth_method": "none", "redirect_uri": "http://127.0.0.1:1/callback"}),
        json!({"client_id": "c9", "token_endpoint_auth_method": "tls_client_auth", "redirect_uri": "x"}),
        json!({"client_id": "c9"}),
        json!(["c9"]),
    ] {
        let world = World::new();
        let tokens = world.tokens(world.grant().register("My app").token(stored(registration.clone())));
        tokens.refresh().await.unwrap_or_else(|error| panic!("{registration}: {error}"));
        assert_eq!(query(&world.logins()[0], "client_id").as_deref(), Some("c1"), "{registration}");
        assert!(!format!("{:?}", world.site.received()).contains("r0"), "{registration}");
    }
}

#[tokio::test]
async fn an_odd_redirect_uri_of_a_stored_client_leads_to_another_client() {
    for redirect_uri in [
        "",
        "x",
        "http://127.0.0.1/callback",
        "http://127.0.0.1:0/callback",
        "http://127.0.0.1:99999/",
        "http://[::1]:9/x",
    ] {
        let world = World::new();
        let registration =
            json!({"client_id": "c9", "token_endpoint_auth_method": "none", "redirect_uri": redirect_uri});
        let issue = issuing("b");
        world.site.page_for(TOKEN, move |received| match received.form[0].1.as_str() {
            "refresh_token" => answer(400, r#"{"error":"invalid_grant"}"#),
            _ => issue(),
        });
        let tokens = world.tokens(world.grant().register("My app").token(stored(registration)));
        tokens.refresh().await.unwrap_or_else(|error| panic!("{redirect_uri}: {error}"));
        assert_eq!(query(&world.logins()[0], "client_id").as_deref(), Some("c1"), "{redirect_uri}");
        assert!(world.received(TOKEN)[0].form.contains(&("refresh_token".to_owned(), "r0".to_owned())));
    }
}

/// A server that rejects the registration says nothing about the login of the person.
#[tokio::test]
async fn a_rejected_registration_is_no_denied_login() {
    for code in ["access_denied", "invalid_grant", "expired_token", "login_required", "invalid_client"] {
        let world = World::new();
        let registration = json!({"client_id": "c9", "token_endpoint_auth_method": "none", "redirect_uri": "http://127.0.0.1:1/other"});
        world.site.page_for(RESOURCE, |received| match received.headers["authorization"].to_str().unwrap() {
            "Bearer a0" => challenge(403, r#"Bearer error="insufficient_scope", scope="write""#),
            _ => answer(200, ""),
        });
        world.site.page(REGISTER, move || answer(400, json!({"error": code})));
        let grant = world.grant().register("My app").token(stored(registration));
        let layer = OAuth2Layer::new(grant).token_service(world.site.service()).step_up();
        let error = crate::support::ours(world.try_call(&layer).await.unwrap_err());
        assert!(matches!(error.kind(), ErrorKind::RequestRejected | ErrorKind::ClientRejected), "{code}: {error}");
        assert!(error.to_string().contains("registered"), "{error}");
        layer.tokens().refresh().await.unwrap();
        assert!(is_refresh(&world, "r0"), "{code}");
        assert!(world.logins().is_empty());
    }
}

/// The second client of one attempt is unknown too.
#[tokio::test]
async fn a_client_that_is_unknown_at_once_is_not_used_again() {
    let world = World::new();
    let tokens = world.tokens(world.grant().register("My app"));
    tokens.get().await.unwrap();
    world.site.page(TOKEN, || answer(401, r#"{"error":"invalid_client"}"#));
    assert_eq!(tokens.refresh().await.unwrap_err().kind(), ErrorKind::ClientRejected);
    world.site.page(TOKEN, issuing("b"));
    tokens.refresh().await.unwrap();
    let clients: Vec<_> = world.logins().iter().map(|login| query(login, "client_id").unwrap()).collect();
    assert_eq!(clients, ["c1", "c2", "c3"]);
}

#[tokio::test]
async fn the_error_says_why_the_refresh_token_was_not_used() {
    for (registration, named) in [
        (
            json!({"client_id": "c9", "client_secret": "hunter2", "client_secret_expires_at": 1,
                "token_endpoint_auth_method": "client_secret_post", "redirect_uri": "http://127.0.0.1:1/callback"}),
            "expired",
        ),
        (
            json!({"client_id": "c9", "token_endpoint_auth_method": "none", "redirect_uri": "http://127.0.0.1:1/callback"}),
            "does not know",
        ),
    ] {
        let world = World::new();
        world.site.page(TOKEN, || answer(401, r#"{"error":"invalid_client"}"#));
        let layer = OAuth2Layer::new(world.grant().register("My app").token(stored(registration)))
            .token_service(world.site.service());
        layer.tokens().invalidate();
        let error = layer.tokens().get().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LoginRequired);
        assert!(error.to_string().contains(named), "{error}");
        assert!(!error.to_string().contains("hunter2") && world.logins().is_empty());
    }
}

/// A challenge named the address once, and the server has moved the document since.
#[tokio::test]
async fn the_address_of_an_earlier_challenge_is_not_needed_for_ever() {
    const NAMED: &str = "https://mcp.example.com/metadata";
    let world = World::new();
    world.site.json(NAMED, resource(&[ISSUER]));
    world.site.page_for(RESOURCE, |received| match received.headers["authorization"].to_str().unwrap() {
        "Bearer a1" => challenge(401, &format!(r#"Bearer error="invalid_token", resource_metadata="{NAMED}""#)),
        _ => answer(200, ""),
    });
    let layer = OAuth2Layer::new(world.grant().register("My app")).token_service(world.site.service());
    assert_eq!(world.call(&layer).await.status(), 200);
    for status in [403, 200, 302] {
        world.site.status(NAMED, status);
        layer.tokens().refresh().await.unwrap();
        assert_eq!(world.sent("grant_type").as_deref(), Some("refresh_token"));
        world.site.json(NAMED, resource(&[ISSUER]));
    }
}
