//! M21: the resource moves to another authorization server, and nothing of the first one reaches the second.

use serde_json::json;
use tower_oauth2::client::Client;
use tower_oauth2::grant::{ClientCredentials, ProtectedResource};
use tower_oauth2::{ErrorKind, OAuth2Layer};

use super::{INSERTED, ISSUER, RESOURCE, World, challenge, issuing, query, registering, resource, server};
use crate::support::answer;

const SECOND: &str = "https://second.example.com";

/// The API accepts tokens of the second server only, and names it.
fn migrate(world: &World) {
    world.site.json(INSERTED, resource(&[SECOND]));
    world.site.json(&format!("{SECOND}/.well-known/oauth-authorization-server"), server(SECOND, json!({})));
    world.site.page(&format!("{SECOND}/token"), issuing("second"));
    world.site.page(&format!("{SECOND}/register"), {
        let register = registering();
        move || {
            let mut response = register();
            *response.body_mut() = json!({"client_id": "of-second"}).to_string().into();
            response
        }
    });
    world.site.page_for(RESOURCE, |received| {
        match received.headers.get("authorization").is_some_and(|sent| sent.to_str().unwrap().contains("second")) {
            true => answer(200, ""),
            false => challenge(401, "Bearer"),
        }
    });
    *world.redirect.lock().unwrap() = "code=c".to_owned();
}

fn assert_nothing_of_the_first_server(world: &World) {
    for received in world.site.received().iter().filter(|received| received.url.starts_with(SECOND)) {
        let text = format!("{received:?}");
        for of_first in ["ar1", "a1", "c1\"", "hunter2"] {
            assert!(!text.contains(of_first), "{of_first} in {text}");
        }
    }
}

#[tokio::test]
async fn the_next_login_is_at_the_second_server_with_a_client_of_its_own() {
    let world = World::new();
    let browser = world.clone();
    let grant = world.grant().register("My app").login(move |login| {
        let browser = browser.clone();
        login.relogin(true).browser(move |url| browser.log_in(url))
    });
    let layer = OAuth2Layer::new(grant).token_service(world.site.service());
    world.site.page(RESOURCE, || answer(200, ""));
    assert_eq!(world.call(&layer).await.status(), 200);
    migrate(&world);
    assert_eq!(world.call(&layer).await.status(), 200);
    let login = world.logins().pop().unwrap();
    assert!(login.as_str().starts_with(SECOND), "{login}");
    assert_eq!(query(&login, "client_id").as_deref(), Some("of-second"));
    assert_nothing_of_the_first_server(&world);
    // The refresh token of the second server is its own.
    layer.tokens().refresh().await.unwrap();
    let sent = world.received(&format!("{SECOND}/token")).pop().unwrap();
    assert!(sent.form.iter().any(|(name, value)| name == "refresh_token" && value == "secondr1"), "{sent:?}");
    assert_nothing_of_the_first_server(&world);
}

#[tokio::test]
async fn without_relogin_the_login_waits_for_a_call_of_the_user() {
    let world = World::new();
    let layer = OAuth2Layer::new(world.grant().register("My app")).token_service(world.site.service());
    world.site.page(RESOURCE, || answer(200, ""));
    world.call(&layer).await;
    migrate(&world);
    let error = crate::support::ours(world.try_call(&layer).await.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::LoginRequired);
    assert!(error.to_string().contains("authorization server"), "{error}");
    assert_eq!(world.logins().len(), 1);
    assert_nothing_of_the_first_server(&world);
    layer.tokens().refresh().await.unwrap();
    assert!(world.logins()[1].as_str().starts_with(SECOND));
    assert_nothing_of_the_first_server(&world);
}

#[tokio::test(start_paused = true)]
async fn a_machine_has_other_credentials_for_the_second_server() {
    let world = World::new();
    let grant = ProtectedResource::new(RESOURCE).unwrap().with_grant(|found| {
        let secret = if found.issuer().as_str() == ISSUER { "hunter2" } else { "other" };
        ClientCredentials::from_issuer(found.issuer(), Client::post("id", secret))
    });
    let layer = OAuth2Layer::new(grant);
    world.site.page(RESOURCE, || answer(200, ""));
    world.call(&layer).await;
    migrate(&world);
    assert_eq!(world.call(&layer).await.status(), 200);
    assert_nothing_of_the_first_server(&world);
    let sent = world.received(&format!("{SECOND}/token")).pop().unwrap();
    assert!(sent.form.iter().any(|(name, value)| name == "client_secret" && value == "other"), "{sent:?}");
}

#[tokio::test]
async fn a_token_of_an_unknown_server_has_no_refresh_token_for_this_one() {
    let world = World::new();
    let kept = tower_oauth2::Token::bearer("kept").unwrap().with_refresh_token("hunter2");
    let tokens = world.tokens(world.grant().register("My app").token(kept));
    tokens.refresh().await.unwrap();
    assert_eq!(world.logins().len(), 1);
    assert!(!format!("{:?}", world.site.received()).contains("hunter2"));
}
