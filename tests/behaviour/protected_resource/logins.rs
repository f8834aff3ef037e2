//! M5–M8, M13: what a login of a user sends and demands.

use serde_json::json;
use tower_oauth2::ErrorKind;

use super::{ISSUER, REGISTER, RESOURCE, TOKEN, World, query};

#[tokio::test]
async fn the_url_is_enough() {
    let world = World::new();
    let layer = tower_oauth2::OAuth2Layer::new(world.grant().register("My app"));
    world.site.page_for(RESOURCE, |received| {
        let authorization = received.headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(received.url, RESOURCE, "M13: no token in the query");
        crate::support::answer(if authorization.as_deref() == Some("Bearer a1") { 200 } else { 401 }, "")
    });
    assert_eq!(world.call(&layer).await.status(), 200);
    assert_eq!((world.logins().len(), world.received(REGISTER).len()), (1, 1));
}

#[tokio::test]
async fn m5_the_resource_is_in_both_requests_as_it_is_written_in_the_metadata() {
    let world = World::new();
    let tokens = world.tokens(world.grant().register("My app"));
    tokens.get().await.unwrap();
    let login = world.logins().remove(0);
    assert_eq!(query(&login, "resource").as_deref(), Some(RESOURCE));
    assert_eq!(world.sent("resource").as_deref(), Some(RESOURCE));
    assert_eq!(query(&login, "code_challenge_method").as_deref(), Some("S256"));
    assert_eq!((query(&login, "client_id").as_deref(), world.sent("client_id").as_deref()), (Some("c1"), Some("c1")));
    // The refresh has it too, once.
    tokens.refresh().await.unwrap();
    let refresh = world.received(TOKEN).pop().unwrap();
    let resources: Vec<_> = refresh.form.iter().filter(|(name, _)| name == "resource").collect();
    assert_eq!(resources.len(), 1, "{resources:?}");
    assert_eq!(world.sent("grant_type").as_deref(), Some("refresh_token"));
    assert_eq!((world.sent("refresh_token").as_deref(), world.sent("client_id").as_deref()), (Some("ar1"), Some("c1")));
}

#[tokio::test]
async fn m5_no_slash_is_added() {
    let world = World::new();
    let origin = "https://mcp.example.com";
    world.site.json(super::ROOT, json!({"resource": origin, "authorization_servers": [ISSUER]}));
    world.site.status(super::INSERTED, 404);
    let tokens = world.tokens(world.grant().register("My app"));
    tokens.get().await.unwrap();
    assert_eq!(query(&world.logins()[0], "resource").as_deref(), Some(origin));
    assert_eq!(world.sent("resource").as_deref(), Some(origin));
}

#[tokio::test]
async fn m6_a_server_that_does_not_announce_pkce_is_an_error_before_the_browser_opens() {
    for methods in [json!(null), json!([]), json!(["plain"]), json!("S256")] {
        let world = World::new().server(json!({"code_challenge_methods_supported": methods}));
        let error = world.tokens(world.grant().register("My app")).get().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
        assert!(error.to_string().contains("S256"), "{error}");
        assert!(world.logins().is_empty() && world.received(REGISTER).is_empty(), "{methods}");
    }
}

#[tokio::test]
async fn m7_m8_the_iss_of_the_response_must_be_the_issuer() {
    let supported = "authorization_response_iss_parameter_supported";
    for (announced, iss, is_accepted) in [
        (true, Some(ISSUER), true),
        (true, None, false),
        (false, None, true),
        (false, Some(ISSUER), true),
        (false, Some("https://evil.example.com"), false),
        (true, Some("https://auth.example.com/"), false),
        (true, Some("HTTPS://auth.example.com"), false),
    ] {
        let world = World::new().server(json!({supported: announced}));
        *world.redirect.lock().unwrap() = iss.map_or_else(|| "code=c".to_owned(), |iss| format!("code=c&iss={iss}"));
        let browser = world.clone();
        let grant = world.grant().register("My app").login(move |login| {
            let browser = browser.clone();
            login.timeout(std::time::Duration::from_millis(300)).browser(move |url| browser.log_in(url))
        });
        let outcome = world.tokens(grant).get().await;
        assert_eq!(outcome.is_ok(), is_accepted, "{announced} {iss:?}: {outcome:?}");
        assert_eq!(world.received(TOKEN).is_empty(), !is_accepted, "the code goes to no token endpoint");
        if let Err(error) = outcome {
            assert_eq!(error.kind(), ErrorKind::LoginExpired);
            assert!(error.to_string().contains(ISSUER), "{error}");
        }
    }
}
