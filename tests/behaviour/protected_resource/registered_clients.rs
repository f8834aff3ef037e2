//! M18, M19: the later life of a registered client.

use std::time::{Duration, SystemTime};

use serde_json::json;
use tower_oauth2::ErrorKind;
use tower_oauth2::client::Client;

use super::{ISSUER, REGISTER, TOKEN, World, issuing, query};
use crate::support::answer;

fn port(world: &World, login: usize) -> u16 {
    query(&world.logins()[login], "redirect_uri").unwrap().parse::<url::Url>().unwrap().port().unwrap()
}

/// Makes the next login necessary.
fn reject_refresh_tokens(world: &World) {
    let issue = issuing("b");
    world.site.page_for(TOKEN, move |received| {
        let is_refresh = received.form.iter().any(|(_, value)| value == "refresh_token");
        if is_refresh { answer(400, r#"{"error":"invalid_grant"}"#) } else { issue() }
    });
}

#[tokio::test]
async fn m18_the_next_login_has_the_same_client_and_listens_on_its_port() {
    let world = World::new();
    let tokens = world.tokens(world.grant().register("My app"));
    tokens.get().await.unwrap();
    reject_refresh_tokens(&world);
    tokens.refresh().await.unwrap();
    assert_eq!((world.logins().len(), world.received(REGISTER).len()), (2, 1));
    assert_eq!(port(&world, 0), port(&world, 1));
    assert_eq!(query(&world.logins()[1], "client_id").as_deref(), Some("c1"));
}

#[tokio::test]
async fn m18_another_client_is_registered_if_the_port_is_taken() {
    let world = World::new();
    let tokens = world.tokens(world.grant().register("My app"));
    tokens.get().await.unwrap();
    reject_refresh_tokens(&world);
    let taken = loop {
        // The port of a login stays open for a moment after it.
        match std::net::TcpListener::bind(("127.0.0.1", port(&world, 0))) {
            Ok(taken) => break taken,
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    tokens.refresh().await.unwrap();
    drop(taken);
    assert_eq!((world.logins().len(), world.received(REGISTER).len()), (2, 2));
    assert_ne!(port(&world, 0), port(&world, 1));
    assert_eq!(query(&world.logins()[1], "client_id").as_deref(), Some("c2"));
    // The next refresh is one of the second client.
    world.site.page(TOKEN, issuing("d"));
    tokens.refresh().await.unwrap();
    assert_eq!(world.sent("client_id").as_deref(), Some("c2"));
}

#[tokio::test]
async fn m18_another_client_is_registered_if_the_secret_has_expired() {
    let world = World::new().server(json!({"token_endpoint_auth_methods_supported": ["client_secret_post"]}));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    for (expires_at, is_expired) in [(now - 10, true), (0, false), (now + 3600, false)] {
        let number = std::sync::atomic::AtomicUsize::new(1);
        world.site.page(REGISTER, move || {
            let number = number.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let client = json!({"client_id": format!("c{number}"), "client_secret": format!("s{number}"),
                "client_secret_expires_at": if number == 1 { expires_at } else { 0 }});
            answer(201, client)
        });
        let tokens = world.tokens(world.grant().register("My app"));
        tokens.get().await.unwrap();
        let (logins, sent) = (world.logins().len(), world.received(TOKEN).len());
        tokens.refresh().await.unwrap();
        // The refresh token belongs to the client whose secret has expired, so that it cannot be used.
        assert_eq!(world.logins().len(), logins + usize::from(is_expired), "{expires_at}");
        assert_eq!(world.received(TOKEN).len(), sent + 1);
        let secret = if is_expired { "s2" } else { "s1" };
        assert_eq!(world.sent("client_secret").as_deref(), Some(secret));
    }
}

/// The server has lost the client.
fn forget_client(world: &World, id: &'static str) {
    let issue = issuing("b");
    world.site.page_for(TOKEN, move |received| {
        let is_forgotten = received.form.iter().any(|(name, value)| name == "client_id" && value == id);
        if is_forgotten { answer(401, r#"{"error":"invalid_client"}"#) } else { issue() }
    });
}

#[tokio::test]
async fn m19_a_client_that_the_server_does_not_know_any_more_is_replaced() {
    let world = World::new();
    let tokens = world.tokens(world.grant().register("My app"));
    tokens.get().await.unwrap();
    forget_client(&world, "c1");
    tokens.refresh().await.unwrap();
    assert_eq!((world.logins().len(), world.received(REGISTER).len()), (2, 2));
    assert_eq!(query(&world.logins()[1], "client_id").as_deref(), Some("c2"));
    assert!(world.received(TOKEN).iter().all(|sent| {
        let has = |pair: (&str, &str)| sent.form.iter().any(|(name, value)| (name.as_str(), value.as_str()) == pair);
        !(has(("client_id", "c2")) && has(("refresh_token", "ar1")))
    }));
    tokens.refresh().await.unwrap();
    assert_eq!(
        (world.sent("grant_type").as_deref(), world.sent("client_id").as_deref()),
        (Some("refresh_token"), Some("c2"))
    );
}

#[tokio::test]
async fn m19_without_a_login_the_error_says_that_one_is_needed() {
    let world = World::new();
    let layer = tower_oauth2::OAuth2Layer::new(world.grant().register("My app")).token_service(world.site.service());
    layer.tokens().get().await.unwrap();
    forget_client(&world, "c1");
    layer.tokens().invalidate();
    let error = layer.tokens().get().await.unwrap_err();
    assert_eq!((error.kind(), world.logins().len()), (ErrorKind::LoginRequired, 1));
}

#[tokio::test]
async fn m19_a_login_whose_client_is_unknown_drops_it_too() {
    let world = World::new();
    forget_client(&world, "c1");
    let tokens = world.tokens(world.grant().register("My app"));
    assert_eq!(tokens.get().await.unwrap_err().kind(), ErrorKind::ClientRejected);
    tokens.refresh().await.unwrap();
    assert_eq!(query(&world.logins()[1], "client_id").as_deref(), Some("c2"));
}

#[tokio::test]
async fn m19_a_configured_client_is_never_dropped() {
    let world = World::new();
    forget_client(&world, "before");
    let tokens = world.tokens(world.grant().register("My app").client(ISSUER, Client::public("before")));
    for _ in 0..2 {
        assert_eq!(tokens.refresh().await.unwrap_err().kind(), ErrorKind::ClientRejected);
    }
    assert!(world.received(REGISTER).is_empty());
}

/// A server that does not know the client shows an error page to the user, who closes it.
#[tokio::test]
async fn a_login_that_expires_with_an_earlier_client_registers_another_one() {
    let world = World::new();
    let browser = world.clone();
    let grant = world.grant().register("My app").login(move |login| {
        let browser = browser.clone();
        login.timeout(Duration::from_millis(200)).browser(move |url| {
            let number = browser.logins().len();
            if number == 1 { browser.logins.lock().unwrap().push(url.clone()) } else { browser.log_in(url) }
        })
    });
    let tokens = world.tokens(grant);
    tokens.get().await.unwrap();
    reject_refresh_tokens(&world);
    assert_eq!(tokens.refresh().await.unwrap_err().kind(), ErrorKind::LoginExpired);
    tokens.refresh().await.unwrap();
    let clients: Vec<_> = world.logins().iter().map(|login| query(login, "client_id").unwrap()).collect();
    assert_eq!(clients, ["c1", "c1", "c2"]);
}
