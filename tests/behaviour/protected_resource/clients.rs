//! M9, M10, M15: which client is used with which authorization server.

use serde_json::json;
use tower_oauth2::ErrorKind;
use tower_oauth2::client::Client;

use super::{INSERTED, ISSUER, REGISTER, TOKEN, World, query, resource};

const DOCUMENT: &str = "https://app.example.com/client.json";
const SUPPORTED: &str = "client_id_metadata_document_supported";

async fn client_id(world: &World, grant: tower_oauth2::grant::ProtectedResource) -> Option<String> {
    world.tokens(grant).get().await.unwrap();
    query(&world.logins()[0], "client_id")
}

#[tokio::test]
async fn m10_the_order_is_registered_before_then_document_then_registration() {
    for (has_client, supports_document, expected) in
        [(true, true, "before"), (true, false, "before"), (false, true, DOCUMENT), (false, false, "c1")]
    {
        let world = World::new().server(json!({SUPPORTED: supports_document}));
        let grant = world.grant().register("My app").client_metadata(Client::public(DOCUMENT)).unwrap();
        let grant = if has_client { grant.client(ISSUER, Client::public("before")) } else { grant };
        assert_eq!(client_id(&world, grant).await.as_deref(), Some(expected));
        assert_eq!(world.sent("client_id").as_deref(), Some(expected));
        assert_eq!(world.received(REGISTER).len(), usize::from(expected == "c1"));
    }
}

#[tokio::test]
async fn m10_a_document_is_not_used_if_the_server_does_not_list_its_authentication_method() {
    for (methods, expected) in
        [(json!(["none"]), DOCUMENT), (json!(null), DOCUMENT), (json!(["client_secret_post"]), "c1"), (json!([]), "c1")]
    {
        let members = json!({SUPPORTED: true, "token_endpoint_auth_methods_supported": methods});
        let world = World::new().server(members);
        let registration =
            tower_oauth2::endpoint::Registration::new("My app").member("token_endpoint_auth_method", "none");
        let grant = world.grant().register(registration).client_metadata(Client::public(DOCUMENT)).unwrap();
        assert_eq!(client_id(&world, grant).await.as_deref(), Some(expected), "{methods}");
    }
}

#[tokio::test]
async fn m9_a_client_is_used_with_its_issuer_only() {
    // The second server that the resource lists has a client.
    let world = World::new();
    world.site.json(INSERTED, resource(&["https://first.example.com", ISSUER]));
    let grant = world.grant().client(ISSUER, Client::post("before", "hunter2"));
    assert_eq!(client_id(&world, grant).await.as_deref(), Some("before"));
    assert_eq!(world.sent("client_secret").as_deref(), Some("hunter2"));
    assert!(world.site.received().iter().all(|received| !received.url.contains("first.example.com")));

    for issuer in ["https://auth.example.com/", "https://AUTH.example.com", "https://auth.example.com:443"] {
        let world = World::new();
        let grant = world.grant().client(issuer, Client::post("before", "hunter2"));
        let error = world.tokens(grant).get().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        let text = error.to_string();
        assert!(text.contains(ISSUER) && text.contains("`ProtectedResource::client`"), "{text}");
        assert!(world.received(TOKEN).is_empty() && world.logins().is_empty());
    }
}

#[tokio::test]
async fn without_a_client_the_error_says_what_the_server_supports() {
    for (members, has_document, registers, named, absent) in [
        (json!({SUPPORTED: true}), false, false, &["client_metadata`, which", "register`, which"][..], &[][..]),
        (json!({"registration_endpoint": null}), false, false, &["ProtectedResource::client`"], &["register`"]),
        (
            json!({"registration_endpoint": null}),
            true,
            true,
            &["does not support client ID metadata documents", "does not support registration"],
            &[],
        ),
        (
            json!({"registration_endpoint": null, SUPPORTED: true, "token_endpoint_auth_methods_supported": ["x"]}),
            true,
            false,
            &["does not support the authentication method"],
            &["register`"],
        ),
    ] {
        let world = World::new().server(members);
        let mut grant = world.grant();
        if has_document {
            grant = grant.client_metadata(Client::public(DOCUMENT)).unwrap();
        }
        if registers {
            grant = grant.register("My app");
        }
        let error = world.tokens(grant).get().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        let text = error.to_string();
        assert!(named.iter().all(|named| text.contains(named)), "{text}");
        assert!(!absent.iter().any(|absent| text.contains(absent)), "{text}");
        assert!(world.logins().is_empty(), "no browser opens");
    }
}

#[test]
fn m15_the_id_of_a_document_is_its_url() {
    for (id, is_accepted) in [(DOCUMENT, true), ("https://app.example.com", false), ("http://app.example.com/a", false)]
    {
        let grant = World::new().grant().client_metadata(Client::public(id));
        assert_eq!(grant.is_ok(), is_accepted, "{id}");
    }
    let error = World::new().grant().client_metadata(Client::basic(DOCUMENT, "hunter2")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(!error.to_string().contains("hunter2"));
}
