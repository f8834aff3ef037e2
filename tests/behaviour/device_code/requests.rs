//! The requests to the server, and the prompt.

use std::time::Duration;

use serde_json::json;
use tower_oauth2::ErrorKind;
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::TokenEndpoint;
use tower_oauth2::grant::{DeviceCode, DevicePrompt};

use super::{DEVICE_URL, GRANT_TYPE, code, login, oauth_error};
use crate::support::{TOKEN_URL, answer, pairs, pass, token};

#[tokio::test(start_paused = true)]
async fn a_login_from_prompt_to_request() {
    let mut login = login(|grant| grant);
    let request = login.request();
    login.send_code(code()).await;
    let times = login.respond_to_polls([oauth_error("authorization_pending"), (200, token("a", 3600))]).await;
    assert_eq!(times, [5, 10], "it polls before the first interval has passed");
    assert_eq!(login.server.next_authorization().await.as_deref(), Some("Bearer a"));
    request.await.unwrap().unwrap();

    let shown = login.shown.lock().unwrap();
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0].user_code(), "WDJB-MJHT", "the code must be shown too");
    assert_eq!(shown[0].verification_uri(), "https://example.com/device");
    assert_eq!(shown[0].verification_uri_complete(), Some("https://example.com/device?user_code=WDJB-MJHT"));
    assert_eq!(shown[0].expires_in(), Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn both_requests_have_all_parameters() {
    let mut login = login(|grant| {
        let grant = grant.scope("read write").unwrap().param("audience", "https://api.example.com").param("a", "1");
        grant.resource("https://one.example").unwrap().resource("https://two.example").unwrap()
    });
    let _request = login.request();
    let more = [
        ("audience", "https://api.example.com"),
        ("a", "1"),
        ("resource", "https://one.example"),
        ("resource", "https://two.example"),
    ];
    assert_eq!(login.send_code(code()).await, pairs(&[&[("scope", "read write")], &more[..]].concat()));
    let (form, _respond) = login.server.token_request().await;
    let own = [("grant_type", GRANT_TYPE), ("device_code", "secret-device-code")];
    assert_eq!(form, pairs(&[&own, &more[..]].concat()));
}

#[tokio::test(start_paused = true)]
async fn with_pkce_each_login_has_its_own_verifier() {
    let mut login = login(DeviceCode::pkce);
    let mut verifiers = Vec::new();
    for nth in 0..2 {
        // After a denial, only `Tokens::refresh` starts a login.
        if nth == 0 {
            drop(login.request())
        } else {
            drop(login.refresh())
        }
        let request = login.send_code(code()).await;
        let get = |form: &[(String, String)], name: &str| {
            form.iter().find(|(it, _)| it == name).map(|(_, value)| value.clone()).unwrap()
        };
        assert_eq!(get(&request, "code_challenge_method"), "S256");
        assert!(!request.iter().any(|(name, _)| name == "code_verifier"));
        let (form, respond) = login.server.token_request().await;
        let verifier = get(&form, "code_verifier");
        assert_eq!((verifier.len(), get(&request, "code_challenge").len()), (43, 43));
        assert_ne!(verifier, get(&request, "code_challenge"));
        verifiers.push(verifier);
        respond.send_response(answer(400, json!({"error": "access_denied"})));
        pass(Duration::from_secs(1)).await;
    }
    assert_ne!(verifiers[0], verifiers[1]);
}

#[test]
fn invalid_urls_and_clients_are_rejected() {
    let new =
        |device: &str, token: &str, client| DeviceCode::new(device, token, client, |_: &DevicePrompt| {}).unwrap_err();
    let client = || Client::public("id");
    for (error, kind, names) in [
        (new("auth.example.com", TOKEN_URL, client()), ErrorKind::Configuration, "`device_authorization_url`"),
        (new("https://a.example/#", TOKEN_URL, client()), ErrorKind::Configuration, "`device_authorization_url`"),
        (new("http://a.example/", TOKEN_URL, client()), ErrorKind::Cleartext, "`device_authorization_url`"),
        (new(DEVICE_URL, "http://a.example/", client()), ErrorKind::Cleartext, "`token_url`"),
        (new(DEVICE_URL, TOKEN_URL, Client::none()), ErrorKind::Configuration, "`client`"),
    ] {
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(names), "{error}");
    }
}

#[test]
fn cleartext_must_be_allowed_explicitly() {
    let client = || Client::public("id");
    let safe = TokenEndpoint::new("http://localhost/token", client()).unwrap();
    let rejected = DeviceCode::from_endpoint("http://a.example/", safe, |_: &DevicePrompt| {}).unwrap_err();
    assert_eq!(rejected.kind(), ErrorKind::Cleartext);
    let cleartext = TokenEndpoint::dangerous_cleartext(TOKEN_URL, client()).unwrap();
    assert!(DeviceCode::from_endpoint("http://a.example/", cleartext, |_: &DevicePrompt| {}).is_ok());
}
