//! M16, M20, G6: the registration of a client (RFC 7591).

use serde_json::{Value, json};
use tower_oauth2::client::Client;
#[cfg(feature = "jwt")]
use tower_oauth2::dpop::Dpop;
use tower_oauth2::endpoint::Registration;
use tower_oauth2::grant::ProtectedResource;
#[cfg(feature = "jwt")]
use tower_oauth2::jwt::Key;
use tower_oauth2::source::source_fn;
use tower_oauth2::{Error, ErrorKind};

use super::{REGISTER, TOKEN, World, query};
use crate::support::answer;

fn sent(world: &World) -> Value {
    serde_json::from_slice(&world.received(REGISTER).pop().unwrap().body).unwrap()
}

#[tokio::test]
async fn m16_a_registration_has_what_a_native_client_needs() {
    let world = World::new();
    let registration = Registration::new("My app").member("client_uri", "https://app.example.com");
    world.tokens(world.grant().register(registration)).get().await.unwrap();
    let redirect_uri = query(&world.logins()[0], "redirect_uri").unwrap();
    assert_eq!(
        sent(&world),
        json!({
            "client_name": "My app",
            "client_uri": "https://app.example.com",
            "redirect_uris": [redirect_uri],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "application_type": "native",
            "token_endpoint_auth_method": "none",
        })
    );
    let received = world.received(REGISTER).remove(0);
    assert_eq!(
        (received.method.as_str(), &received.headers["content-type"]),
        ("POST", &"application/json".parse().unwrap())
    );
    assert!(!received.headers.contains_key("authorization"));
}

#[cfg(feature = "jwt")]
#[tokio::test]
async fn m16_a_key_is_announced() {
    let world = World::new();
    world.site.page(TOKEN, || answer(200, json!({"access_token": "a", "token_type": "DPoP", "expires_in": 3600})));
    let grant = world.grant().register("My app").dpop(Dpop::new(Key::generate().unwrap()));
    world.tokens(grant).get().await.unwrap();
    assert_eq!(sent(&world)["dpop_bound_access_tokens"], true);
    assert!(world.received(TOKEN)[0].headers.contains_key("dpop"));
    assert!(query(&world.logins()[0], "dpop_jkt").is_some());
}

#[tokio::test]
async fn m16_the_response_decides_how_the_client_authenticates() {
    let all = json!(["private_key_jwt", "client_secret_post", "client_secret_basic"]);
    for (listed, answered, requested, header, secret) in [
        (json!(["none"]), json!({}), "none", false, None),
        (json!(["none"]), json!({"client_secret": "hunter2"}), "none", false, None),
        (all.clone(), json!({"client_secret": "hunter2"}), "client_secret_basic", true, None),
        (
            all,
            json!({"client_secret": "hunter2", "token_endpoint_auth_method": "client_secret_post"}),
            "client_secret_basic",
            false,
            Some("hunter2"),
        ),
    ] {
        let world = World::new().server(json!({"token_endpoint_auth_methods_supported": listed}));
        world.site.page(REGISTER, move || {
            let mut answered = answered.clone();
            answered["client_id"] = "c1".into();
            answer(201, answered)
        });
        let tokens = world.tokens(world.grant().register("My app"));
        tokens.get().await.unwrap();
        assert_eq!(sent(&world)["token_endpoint_auth_method"], requested);
        // The refresh authenticates in the same way.
        tokens.refresh().await.unwrap();
        for request in world.received(TOKEN) {
            assert_eq!(request.headers.contains_key("authorization"), header);
            let found = request.form.iter().find(|(name, _)| name == "client_secret").map(|(_, value)| value.as_str());
            assert_eq!(found, secret);
        }
    }
}

#[tokio::test]
async fn an_initial_access_token_is_sent_to_the_registration_only() {
    let world = World::new();
    let registration = Registration::new("My app").initial_access_token(source_fn(async |_| Ok("hunter2".to_owned())));
    world.tokens(world.grant().register(registration)).get().await.unwrap();
    assert_eq!(world.received(REGISTER)[0].headers["authorization"], "Bearer hunter2");
    assert!(!world.received(TOKEN)[0].headers.contains_key("authorization"));
}

#[tokio::test]
async fn the_error_of_a_server_that_demands_a_token_says_so() {
    for (status, body) in [(401, ""), (401, r#"{"error":"invalid_token"}"#), (403, r#"{"error":"access_denied"}"#)] {
        let world = World::new();
        world.site.page(REGISTER, move || answer(status, body));
        let error = world.tokens(world.grant().register("My app")).get().await.unwrap_err();
        assert!(error.to_string().contains("initial_access_token"), "{error}");
        assert!(world.logins().is_empty());
    }
}

#[tokio::test]
async fn m20_no_error_repeats_a_secret_of_the_registration() {
    let secrets = json!({"client_id": "c1", "client_secret": "hunter2", "registration_access_token": "hunter3"});
    let mut malformed = secrets.clone();
    malformed["token_endpoint_auth_method"] = "hunter2".into();
    let mut failed = secrets.clone();
    failed["error"] = "invalid_client_metadata".into();
    failed["error_description"] = "not with hunter4".into();
    for (status, body) in [(201, malformed), (400, failed), (201, json!(["hunter2"])), (302, secrets)] {
        let world = World::new();
        world.site.page(REGISTER, move || answer(status, &body));
        let registration =
            Registration::new("My app").initial_access_token(source_fn(async |_| Ok("hunter4".to_owned())));
        let grant = world.grant().register(registration);
        let shown = format!("{grant:?}");
        let error = world.tokens(grant).get().await.unwrap_err();
        let texts = format!("{shown} {error} {error:?}");
        assert!(!texts.contains("hunter"), "{texts}");
        assert!(world.logins().is_empty());
    }
}

#[tokio::test]
async fn a_response_without_what_the_client_needs_is_an_error_before_the_browser_opens() {
    for (body, named) in [
        (json!({"client_secret": "s"}), "client_id"),
        (json!({"client_id": "c", "token_endpoint_auth_method": "private_key_jwt"}), "token_endpoint_auth_method"),
        (json!({"client_id": "c", "token_endpoint_auth_method": "client_secret_basic"}), "client_secret"),
    ] {
        let world = World::new();
        world.site.page(REGISTER, move || answer(201, &body));
        let error = world.tokens(world.grant().register("My app")).get().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
        assert!(error.to_string().contains(named), "{error}");
        assert!(world.logins().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn g6_a_failed_registration_is_not_repeated_while_its_back_off_lasts() {
    let world = World::new();
    world.site.status(REGISTER, 503);
    let layer = tower_oauth2::OAuth2Layer::new(world.grant().register("My app"));
    let tokens = layer.tokens();
    let service = tower::Layer::layer(&layer, world.site.service());
    for _ in 0..5 {
        let error =
            tower::ServiceExt::oneshot(service.clone(), crate::support::get(super::RESOURCE)).await.unwrap_err();
        assert_eq!(error.downcast::<Error>().unwrap().kind(), ErrorKind::Overloaded);
    }
    assert_eq!(world.received(REGISTER).len(), 1);
    drop(tokens);
}

#[test]
fn a_registration_shows_no_values() {
    let registration = Registration::from("My app").member("software_statement", "hunter2");
    let grant = ProtectedResource::new(super::RESOURCE)
        .unwrap()
        .register(registration)
        .client("i", Client::post("c", "hunter2"));
    assert!(!format!("{grant:?}").contains("hunter2"), "{grant:?}");
}
