//! Another grant than a login: it gets the resource, the scope and the key of this grant.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tower_oauth2::client::Client;
#[cfg(feature = "jwt")]
use tower_oauth2::dpop::Dpop;
use tower_oauth2::grant::{ClientCredentials, JwtBearer, ProtectedResource, grant_fn};
#[cfg(feature = "jwt")]
use tower_oauth2::jwt::Key;
use tower_oauth2::source::source_fn;
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token};

use super::{INSERTED, ISSUER, RESOURCE, World, challenge, resource};
use crate::support::answer;

fn credentials() -> ProtectedResource {
    ProtectedResource::new(RESOURCE)
        .unwrap()
        .with_grant(|found| ClientCredentials::from_issuer(found.issuer(), Client::post("id", "hunter2")))
}

#[tokio::test(start_paused = true)]
async fn client_credentials_name_the_resource_and_its_scopes() {
    let world = World::new();
    let mut document = resource(&[ISSUER]);
    document["scopes_supported"] = json!(["read", "write"]);
    world.site.json(INSERTED, document);
    world.tokens(credentials()).get().await.unwrap();
    assert_eq!(
        (world.sent("resource").as_deref(), world.sent("scope").as_deref()),
        (Some(RESOURCE), Some("read write"))
    );
    // The scopes of the application win.
    world.tokens(credentials().scope("mine").unwrap()).get().await.unwrap();
    assert_eq!(world.sent("scope").as_deref(), Some("mine"));
    let inner = ProtectedResource::new(RESOURCE).unwrap().with_grant(|found| {
        ClientCredentials::from_issuer(found.issuer(), Client::post("id", "s"))?.scope("inner")?.resource(RESOURCE)
    });
    world.tokens(inner).get().await.unwrap();
    assert_eq!(world.sent("scope").as_deref(), Some("inner"));
    let sent = world.received(super::TOKEN).pop().unwrap();
    assert_eq!(sent.form.iter().filter(|(name, _)| name == "resource").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_machine_needs_no_pkce_and_no_authorization_endpoint() {
    let world = World::new().server(json!({"code_challenge_methods_supported": null, "authorization_endpoint": null}));
    world.tokens(credentials()).get().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_challenge_adds_its_scope() {
    let world = World::new();
    world.site.page_for(RESOURCE, |received| match received.headers["authorization"].to_str().unwrap() {
        "Bearer a1" => challenge(403, r#"Bearer error="insufficient_scope", scope="write""#),
        _ => answer(200, ""),
    });
    let layer = OAuth2Layer::new(credentials().scope("read").unwrap()).step_up();
    assert_eq!(world.call(&layer).await.status(), 200);
    assert_eq!(world.sent("scope").as_deref(), Some("read write"));
}

#[cfg(feature = "jwt")]
#[tokio::test(start_paused = true)]
async fn the_tokens_are_bound_to_the_key_of_this_grant() {
    let world = World::new();
    world.site.page(super::TOKEN, || answer(200, json!({"access_token": "a", "token_type": "DPoP", "expires_in": 60})));
    let layer = OAuth2Layer::new(credentials().dpop(Dpop::new(Key::generate().unwrap())));
    world.site.page_for(RESOURCE, |received| {
        assert!(received.headers.contains_key("dpop"));
        answer(200, "")
    });
    assert_eq!(world.call(&layer).await.status(), 200);
    assert!(world.received(super::TOKEN)[0].headers.contains_key("dpop"));
}

#[tokio::test(start_paused = true)]
async fn an_assertion_is_made_for_the_server_that_was_found() {
    let world = World::new();
    let grant = ProtectedResource::new(RESOURCE).unwrap().with_grant(|found| {
        let assertion = source_fn(async |cx| Ok(format!("for {}", cx.issuer().unwrap())));
        JwtBearer::from_issuer(found.issuer(), Client::public("id"), assertion)
    });
    world.tokens(grant).get().await.unwrap();
    assert_eq!(world.sent("assertion"), Some(format!("for {ISSUER}")));
    assert_eq!(world.sent("resource").as_deref(), Some(RESOURCE));
}

#[tokio::test(start_paused = true)]
async fn the_function_is_called_once_for_each_server() {
    let world = World::new();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let grant = ProtectedResource::new(RESOURCE).unwrap().scope("mine").unwrap().with_grant(move |found| {
        counted.fetch_add(1, Ordering::SeqCst);
        assert_eq!((found.resource(), found.issuer().as_str(), found.scope()), (RESOURCE, ISSUER, Some("mine")));
        assert_eq!(found.metadata().authorization_servers(), [ISSUER]);
        Ok(grant_fn(async |_| Token::bearer("a")))
    });
    let tokens = world.tokens(grant);
    for _ in 0..3 {
        tokens.refresh().await.unwrap();
    }
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn an_error_or_a_panic_of_the_function_is_the_error_of_the_request() {
    let world = World::new();
    let failing = || ProtectedResource::new(RESOURCE).unwrap();
    let failing_grant = failing().with_grant(|found| -> Result<ClientCredentials, Error> {
        Err(Error::caused_by(ErrorKind::Configuration, format!("no credentials for {}", found.issuer().as_str())))
    });
    let error = world.tokens(failing_grant).get().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let panicking = failing().with_grant(|_| -> Result<ClientCredentials, Error> { panic!("hunter2") });
    assert_eq!(world.tokens(panicking).get().await.unwrap_err().kind(), ErrorKind::Panicked);
    let panicking = credentials().accept_issuer(|_| panic!("hunter2"));
    let tokens = world.tokens(panicking);
    for _ in 0..2 {
        assert_eq!(tokens.refresh().await.unwrap_err().kind(), ErrorKind::Panicked);
    }
    assert!(world.received(super::TOKEN).is_empty());
}
