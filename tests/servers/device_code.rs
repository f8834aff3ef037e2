//! The device code grant: the user enters the code on another device, or opens a URL that contains it.

use http::StatusCode;
use serde_json::json;
use tower::Layer;
use tower_oauth2::client::Client;
use tower_oauth2::grant::{DeviceCode, DevicePrompt};
use tower_oauth2::{ErrorKind, OAuth2Layer};

use crate::expiry::{expect_rotation, expect_same_refresh_token, use_past_expiry};
use crate::plain::{self, call, failed_call, get, send};
use crate::user::User;
use crate::{glewlwyd, oidc_provider};

/// All logins run at once, because this server requires five seconds between two polls.
#[tokio::test]
async fn oidc_provider_logs_a_user_in_or_not() {
    let Some(server) = oidc_provider::server().await else { return };
    let (yes, no) = (User::at_oidc_provider(), User::at_oidc_provider().denying());
    let device_confidential = Client::basic("device-confidential", "device-confidential-secret");
    let typed = at_oidc_provider(&server, Client::public("device-short"), enter_code(&yes));
    let scanned = at_oidc_provider(&server, device_confidential.clone(), open_complete_url(&yes));
    let bound = at_oidc_provider(&server, Client::public("device"), enter_code(&yes)).pkce();
    let denied = at_oidc_provider(&server, device_confidential, enter_code(&no));

    let api = server.get("API");
    let ([typed], scanned, bound, denied) =
        tokio::join!(use_past_expiry([(typed, api)]), call(scanned, api), call(bound, api), failed_call(denied, api));

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
async fn glewlwyd_logs_a_user_in() {
    let Some(server) = glewlwyd::server().await else { return };
    let (alice, api) = (User::at_glewlwyd(), server.api("OIDC_SHORT"));
    let confidential = Client::basic("device-confidential", "device-confidential-secret");
    let [public, confidential] = [Client::public("device"), confidential]
        .map(|client| at_glewlwyd(&server, "OIDC_SHORT", client, open_complete_url(&alice)));
    let rotating = at_glewlwyd(&server, "OIDC_SHORT", Client::public("native-rotate"), enter_code(&alice));

    let [public, confidential, rotating] = use_past_expiry([(public, api), (confidential, api), (rotating, api)]).await;
    expect_same_refresh_token(&public);
    expect_same_refresh_token(&confidential);
    expect_rotation(&rotating);
}

/// The first token has no scope and makes the API crash, so only the second is sent.
#[tokio::test]
async fn glewlwyds_older_plugin_logs_a_user_in() {
    let Some(server) = glewlwyd::server().await else { return };
    let (alice, api) = (User::at_glewlwyd(), server.api("OAUTH2"));
    let confidential = Client::basic("device-confidential", "device-confidential-secret");
    for client in [Client::public("device"), confidential] {
        let service = OAuth2Layer::new(at_glewlwyd(&server, "OAUTH2", client, enter_code(&alice)))
            .token_service(plain::client())
            .layer(plain::client());
        let first = service.tokens().get().await.unwrap();
        let second = service.tokens().refresh().await.unwrap();
        expect_same_refresh_token(&(first, second));
        let (status, user) = send(service, get(api)).await.unwrap();
        assert_eq!((status, &user["username"]), (StatusCode::OK, &json!("alice")), "{user}");
    }
}

// ===== the user, and the grant at each server =====

fn enter_code(user: &User) -> impl Fn(&DevicePrompt) + Send + Sync + 'static {
    let user = user.clone();
    move |prompt| user.enter_code(prompt.verification_uri(), prompt.user_code())
}

fn open_complete_url(user: &User) -> impl Fn(&DevicePrompt) + Send + Sync + 'static {
    let user = user.clone();
    move |prompt| user.open(prompt.verification_uri_complete().expect("both servers have it"))
}

fn at_oidc_provider(
    server: &oidc_provider::ExclusiveServer,
    client: Client,
    prompt: impl Fn(&DevicePrompt) + Send + Sync + 'static,
) -> DeviceCode {
    let grant = DeviceCode::new(server.get("DEVICE_AUTHORIZATION"), server.get("TOKEN"), client, prompt).unwrap();
    grant.scope("openid offline_access api:read").unwrap().param("prompt", "consent")
}

fn at_glewlwyd(
    server: &glewlwyd::ExclusiveServer,
    instance: &str,
    client: Client,
    prompt: impl Fn(&DevicePrompt) + Send + Sync + 'static,
) -> DeviceCode {
    let device_url = server.of(instance, "DEVICE_AUTHORIZATION");
    DeviceCode::new(device_url, server.token_url(instance), client, prompt).unwrap().scope("api:read").unwrap()
}
