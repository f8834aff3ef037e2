//! The device code grant: the person types the code on another device, or scans an address that has it in itself.

use http::StatusCode;
use serde_json::json;
use tower::Layer;
use tower_oauth2::client::Client;
use tower_oauth2::grant::{DeviceCode, DevicePrompt};
use tower_oauth2::{ErrorKind, OAuth2Layer};

use crate::expiry::{expect_rotation, expect_the_same, outlive};
use crate::person::Person;
use crate::plain::{self, call, get, refusal, send};
use crate::{glewlwyd, oidc_provider};

/// All at once, for this server wants five seconds between two questions.
#[tokio::test]
async fn oidc_provider_logs_a_person_in_or_not() {
    let Some(server) = oidc_provider::server().await else { return };
    let (yes, no) = (Person::at_oidc_provider(), Person::at_oidc_provider().denies());
    let device_confidential = Client::basic("device-confidential", "device-confidential-secret");
    let typed = at_oidc_provider(&server, Client::public("device-short"), types(&yes));
    let scanned = at_oidc_provider(&server, device_confidential.clone(), scans(&yes));
    let bound = at_oidc_provider(&server, Client::public("device"), types(&yes)).pkce();
    let denied = at_oidc_provider(&server, device_confidential, types(&no));

    let api = server.get("API");
    let ([typed], scanned, bound, denied) =
        tokio::join!(outlive([(typed, api)]), call(scanned, api), call(bound, api), refusal(denied, api));

    expect_rotation(&typed);
    for ((status, echo), id) in [(scanned, "device-confidential"), (bound, "device")] {
        assert_eq!(status, StatusCode::OK, "{echo}");
        assert_eq!((&echo["client_id"], &echo["sub"]), (&json!(id), &json!("alice")));
        assert_eq!(echo["scope"], "openid offline_access api:read");
    }
    assert_eq!((denied.kind(), denied.oauth().unwrap().error()), (ErrorKind::Denied, "access_denied"));
    assert!(!denied.is_transient());
    let device_code = "urn:ietf:params:oauth:grant-type:device_code";
    server.expect_stats(json!({device_code: 3, "refresh_token": 1}), json!({"200": 4, "401": 1})).await;
}

#[tokio::test]
async fn glewlwyd_logs_a_person_in() {
    let Some(server) = glewlwyd::server().await else { return };
    let (alice, api) = (Person::at_glewlwyd(), server.api("OIDC_SHORT"));
    let confidential = Client::basic("device-confidential", "device-confidential-secret");
    let [public, confidential] = [Client::public("device"), confidential]
        .map(|client| at_glewlwyd(&server, "OIDC_SHORT", client, scans(&alice)));
    let rotating = at_glewlwyd(&server, "OIDC_SHORT", Client::public("native-rotate"), types(&alice));

    let [public, confidential, rotating] = outlive([(public, api), (confidential, api), (rotating, api)]).await;
    expect_the_same(&public);
    expect_the_same(&confidential);
    expect_rotation(&rotating);
}

/// Its first token has no scope, and makes the API crash.
#[tokio::test]
async fn glewlwyds_older_plugin_logs_a_person_in() {
    let Some(server) = glewlwyd::server().await else { return };
    let (alice, api) = (Person::at_glewlwyd(), server.api("OAUTH2"));
    let confidential = Client::basic("device-confidential", "device-confidential-secret");
    for client in [Client::public("device"), confidential] {
        let service = OAuth2Layer::new(at_glewlwyd(&server, "OAUTH2", client, types(&alice)))
            .token_service(plain::client())
            .layer(plain::client());
        let first = service.tokens().get().await.unwrap();
        let second = service.tokens().refresh().await.unwrap();
        expect_the_same(&(first, second));
        let (status, who) = send(service, get(api)).await.unwrap();
        assert_eq!((status, &who["username"]), (StatusCode::OK, &json!("alice")), "{who}");
    }
}

// ===== the person, and the grant at each server =====

fn types(person: &Person) -> impl Fn(&DevicePrompt) + Send + Sync + 'static {
    let person = person.clone();
    move |prompt| person.types(prompt.verification_uri(), prompt.user_code())
}

fn scans(person: &Person) -> impl Fn(&DevicePrompt) + Send + Sync + 'static {
    let person = person.clone();
    move |prompt| person.opens(prompt.verification_uri_complete().expect("both servers have it"))
}

fn at_oidc_provider(
    server: &oidc_provider::Turn,
    client: Client,
    prompt: impl Fn(&DevicePrompt) + Send + Sync + 'static,
) -> DeviceCode {
    let grant = DeviceCode::new(server.get("DEVICE_AUTHORIZATION"), server.get("TOKEN"), client, prompt).unwrap();
    grant.scope("openid offline_access api:read").unwrap().param("prompt", "consent")
}

fn at_glewlwyd(
    server: &glewlwyd::Turn,
    instance: &str,
    client: Client,
    prompt: impl Fn(&DevicePrompt) + Send + Sync + 'static,
) -> DeviceCode {
    let device_url = server.of(instance, "DEVICE_AUTHORIZATION");
    DeviceCode::new(device_url, server.token_url(instance), client, prompt).unwrap().scope("api:read").unwrap()
}
