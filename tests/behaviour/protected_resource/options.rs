//! The options of all grants: which requests they reach.

use serde_json::json;
use tower_oauth2::ErrorKind;
use tower_oauth2::client::Client;
use tower_oauth2::grant::{AuthorizationCode, ClientCredentials, ProtectedResource};

use super::{INSERTED, ISSUER, OAUTH_DOCUMENT, REGISTER, RESOURCE, TOKEN, World, query, resource};
use crate::support::answer;

fn configured(grant: ProtectedResource) -> ProtectedResource {
    grant
        .param("audience", "x")
        .resource("https://other.example.com")
        .unwrap()
        .authorization_details(json!([{"type": "t"}]))
        .unwrap()
        .header("x-api-key", "k1")
        .unwrap()
        .map_request(|mut request| {
            request.headers_mut().insert("x-mapped", "yes".parse().unwrap());
            request
        })
}

#[tokio::test]
async fn the_options_reach_the_requests_of_a_login() {
    let world = World::new();
    let tokens = world.tokens(configured(world.grant().register("My app")));
    tokens.get().await.unwrap();
    let login = world.logins().remove(0);
    assert_eq!(query(&login, "audience").as_deref(), Some("x"));
    assert!(query(&login, "authorization_details").is_some());
    let resources: Vec<_> =
        login.query_pairs().filter(|(name, _)| name == "resource").map(|(_, value)| value.into_owned()).collect();
    assert_eq!(resources, ["https://other.example.com", RESOURCE]);
    for url in [TOKEN, REGISTER] {
        let received = world.received(url).remove(0);
        assert_eq!(received.headers["x-api-key"], "k1", "{url}");
        assert_eq!(received.headers["x-mapped"], "yes", "{url}");
    }
    for url in [INSERTED, OAUTH_DOCUMENT] {
        let received = world.received(url).remove(0);
        assert!(!received.headers.contains_key("x-api-key") && !received.headers.contains_key("x-mapped"), "{url}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_options_reach_the_requests_of_another_grant() {
    let world = World::new();
    world.site.page(TOKEN, || answer(200, json!({"access_token": "a", "token_type": "custom", "expires_in": 0})));
    let grant =
        configured(ProtectedResource::new(RESOURCE).unwrap()).bearer_type("custom").ignore_zero_lifetime().with_grant(
            |found| ClientCredentials::from_issuer(found.issuer(), Client::post("id", "s"))?.header("x-own", "o"),
        );
    let token = world.tokens(grant).get().await.unwrap();
    assert_eq!(token.expires_at(), None);
    let received = world.received(TOKEN).remove(0);
    for (name, value) in [
        ("audience", "x"),
        ("authorization_details", r#"[{"type":"t"}]"#),
        ("resource", "https://other.example.com"),
        ("resource", RESOURCE),
    ] {
        assert!(received.form.contains(&(name.to_owned(), value.to_owned())), "{name}: {received:?}");
    }
    for (name, value) in [("x-api-key", "k1"), ("x-mapped", "yes"), ("x-own", "o")] {
        assert_eq!(received.headers.get(name).map(|value| value.to_str().unwrap()), Some(value), "{name}");
    }
}

#[tokio::test]
async fn the_last_client_of_an_issuer_is_used() {
    let world = World::new();
    let grant = world.grant().client(ISSUER, Client::public("first")).client(ISSUER, Client::public("second"));
    world.tokens(grant).get().await.unwrap();
    assert_eq!(query(&world.logins()[0], "client_id").as_deref(), Some("second"));
}

#[tokio::test]
async fn a_client_without_an_id_is_an_error_before_the_browser_opens() {
    let world = World::new();
    let error = world.tokens(world.grant().client(ISSUER, Client::none())).get().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(world.logins().is_empty());
}

/// MCP demands PKCE. The client of the login is another one than that of the refresh.
#[tokio::test]
async fn pkce_cannot_be_switched_off() {
    let world = World::new();
    let browser = world.clone();
    let grant = world.grant().client(ISSUER, Client::post("c", "hunter2")).login(move |login| {
        let browser = browser.clone();
        login.dangerous_without_pkce().unwrap().browser(move |url| browser.log_in(url))
    });
    world.tokens(grant).get().await.unwrap();
    assert_eq!(query(&world.logins()[0], "code_challenge_method").as_deref(), Some("S256"));
}

/// Its refresh would send the refresh token of one server to another.
#[tokio::test]
async fn a_function_that_returns_the_login_of_another_server_is_an_error() {
    let world = World::new();
    world.tokens(world.grant().register("My app")).get().await.unwrap();
    let stored = super::kept_logins::stored(
        json!({"client_id": "c9", "token_endpoint_auth_method": "none", "redirect_uri": "http://127.0.0.1:1/x"}),
    );
    let other = |_| {
        AuthorizationCode::new(
            "https://other.example.com/authorize",
            "https://other.example.com/token",
            Client::public("o"),
        )
        .unwrap()
    };
    let grant = ProtectedResource::new(RESOURCE).unwrap().register("My app").login(other).token(stored);
    let error = world.tokens(grant).refresh().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    assert!(error.to_string().contains("login"), "{error}");
    assert!(world.site.received().iter().all(|received| !received.url.contains("other.example.com")));
}

#[tokio::test]
async fn a_login_sets_options_of_its_own_and_a_panic_ends_nothing() {
    let world = World::new();
    let browser = world.clone();
    let panics = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let switch = panics.clone();
    let grant = world.grant().register("My app").login(move |login| {
        assert!(!switch.load(std::sync::atomic::Ordering::SeqCst), "hunter2");
        let browser = browser.clone();
        login
            .scope("own")
            .unwrap()
            .resource("https://more.example.com")
            .unwrap()
            .browser(move |url| browser.log_in(url))
    });
    let tokens = world.tokens(grant);
    assert_eq!(tokens.refresh().await.unwrap_err().kind(), ErrorKind::Panicked);
    panics.store(false, std::sync::atomic::Ordering::SeqCst);
    tokens.refresh().await.unwrap();
    assert_eq!(query(&world.logins()[0], "scope").as_deref(), Some("own"));
    assert_eq!(world.received(TOKEN)[0].form.iter().filter(|(name, _)| name == "resource").count(), 2);
}

#[tokio::test]
async fn a_server_that_cannot_be_used_is_skipped() {
    let world = World::new();
    world.site.json(INSERTED, resource(&["http://localhost:9000", "https://10.0.0.1", ISSUER, ISSUER]));
    world.tokens(world.grant().register("My app")).get().await.unwrap();
    assert!(world.logins()[0].as_str().starts_with(ISSUER));
}

#[tokio::test]
async fn the_query_of_the_resource_is_not_shown() {
    let url = "https://mcp.example.com/mcp?api_key=hunter2";
    let inserted = format!("{INSERTED}?api_key=hunter2");
    for (servers, accepts) in [(json!([]), true), (json!([ISSUER]), false), (json!(["http://x.example"]), true)] {
        let world = World::new();
        world.site.json(&inserted, json!({"resource": url, "authorization_servers": servers}));
        let grant = ProtectedResource::new(url).unwrap().register("My app").accept_issuer(move |_| accepts);
        let shown = format!("{grant:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
        let error = world.tokens(grant).get().await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn m22_the_default_endpoints_are_at_the_origin() {
    for issuer in ["https://auth.example.com/", "https://auth.example.com/tenant", "https://auth.example.com"] {
        let world = World::new();
        world.site.json(INSERTED, resource(&[issuer]));
        world.site.status(OAUTH_DOCUMENT, 404);
        let redirect = format!("code=c&iss={issuer}");
        *world.redirect.lock().unwrap() = redirect;
        world.tokens(world.grant().register("My app").legacy_fallback()).get().await.unwrap();
        assert!(world.logins()[0].as_str().starts_with("https://auth.example.com/authorize?"), "{issuer}");
    }
}

#[tokio::test]
async fn m22_a_resource_whose_metadata_is_gone_for_a_moment_keeps_its_server() {
    let world = World::new();
    let tokens = world.tokens(world.grant().register("My app").legacy_fallback());
    tokens.get().await.unwrap();
    world.site.status(INSERTED, 404);
    tokens.refresh().await.unwrap();
    assert_eq!(world.sent("grant_type").as_deref(), Some("refresh_token"));
    assert_eq!(world.logins().len(), 1);
}

#[cfg(feature = "jwt")]
#[tokio::test(start_paused = true)]
async fn a_key_of_the_inner_grant_alone_is_an_error() {
    use tower_oauth2::dpop::Dpop;
    use tower_oauth2::jwt::Key;
    let world = World::new();
    let key = Dpop::new(Key::generate().unwrap());
    let grant = ProtectedResource::new(RESOURCE).unwrap().with_grant(move |found| {
        Ok(ClientCredentials::from_issuer(found.issuer(), Client::basic("id", "s"))?.dpop(key.clone()))
    });
    let error = world.tokens(grant).get().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("ProtectedResource::dpop"), "{error}");
    assert!(world.received(TOKEN).is_empty());
}
