//! No secret is printed: the tests format every public type and every error, and search the text for secrets.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use serde_json::json;
use tower::{Layer, Service as _, ServiceExt, service_fn};
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::TokenEndpoint;
use tower_oauth2::form::Form;
use tower_oauth2::grant::{
    AuthorizationCode, ClientCredentials, Context, DeviceCode, DevicePrompt, Password, RefreshToken, grant_fn,
};
use tower_oauth2::{Error, OAuth2Layer, Token};

use crate::support::{API_URL, Body, TOKEN_URL, answer, get};

/// Part of each secret in these tests.
const WORD: &str = "hunter2";

/// Appends both forms of `Debug`.
fn append(text: &mut String, value: &dyn Debug) {
    writeln!(text, "{value:?} {value:#?}").unwrap();
}

fn append_error(text: &mut String, error: &(dyn std::error::Error + 'static)) {
    let mut next = Some(error);
    while let Some(error) = next {
        writeln!(text, "{error} {error:?}").unwrap();
        next = error.source();
    }
}

#[tokio::test(start_paused = true)]
async fn public_types_print_no_secret() {
    let mut text = String::new();
    let clients = [
        Client::basic("id", "hunter2-basic"),
        Client::basic_raw("id", "hunter2-raw"),
        Client::post("id", "hunter2-post"),
        Client::public("id"),
        Client::none(),
    ];
    for client in &clients {
        append(&mut text, client);
        append(&mut text, &TokenEndpoint::new(TOKEN_URL, client.clone()).unwrap());
    }
    let grant = ClientCredentials::new(TOKEN_URL, clients[0].clone()).unwrap().param("api_key", "hunter2-param");
    append(&mut text, &grant);
    append(&mut text, &Form::new("password").param("password", "hunter2-form").param("custom", "hunter2-custom"));
    append(&mut text, &Password::new(TOKEN_URL, Client::none(), "alice", "hunter2-password").unwrap());
    append(&mut text, &RefreshToken::new(TOKEN_URL, Client::public("id"), "hunter2-refresh").unwrap());
    let code = AuthorizationCode::new("https://auth.example.com/a", TOKEN_URL, clients[2].clone()).unwrap();
    let login = code.authorization_url("https://app.example/").unwrap();
    let state = login.state().to_owned();
    append(&mut text, &login);
    append(&mut text, &code.callback(login, &format!("code=hunter2-code&state={state}")).unwrap());
    append(&mut text, &code.token(Token::bearer("hunter2-preset").unwrap()));
    let token: Token = serde_json::from_value(json!({
        "access_token": "hunter2-access", "refresh_token": "hunter2-refresh", "id_token": "hunter2-id",
        "nested": {"key": "hunter2-nested"}, "expires_in": 60,
    }))
    .unwrap();
    append(&mut text, &token);

    let layer = OAuth2Layer::new(grant);
    layer.tokens().set(token);
    #[derive(Clone, Debug)]
    struct Wrapped;
    append(&mut text, &layer);
    append(&mut text, &layer.tokens());
    append(&mut text, &layer.tokens().changes());
    append(&mut text, &layer.layer(Wrapped));
    append(&mut text, &layer.clone().token_body(|body| body));
    let inner = service_fn(async |_: http::Request<Body>| Ok::<_, std::io::Error>(answer(200, "")));
    append(&mut text, &layer.clone().token_service(inner));
    append(&mut text, &layer.clone().layer(inner).ready().await.unwrap().call(get(API_URL)));
    let mut request = get(API_URL);
    assert!(layer.tokens().authorize(&mut request).await.unwrap());
    append(&mut text, &request);
    let debug_context = OAuth2Layer::new(grant_fn(async |cx: Context| {
        Err(Error::caused_by(tower_oauth2::ErrorKind::Malformed, format!("{cx:?}")))
    }));
    append_error(&mut text, &*debug_context.layer(inner).oneshot(get(API_URL)).await.unwrap_err());

    for public in ["Basic", "BasicRaw", "api_key", "id_token", "Transport", "ResponseFuture", "OAuth2Layer"] {
        assert!(text.contains(public), "{public} was not printed: the test searches the wrong text");
    }
    assert!(!text.contains(WORD) && !text.contains(&state), "{text}");
}

/// The server repeats the secrets of the request in each member of its response, one of them or all.
#[tokio::test(start_paused = true)]
async fn an_error_prints_no_secret_that_the_server_repeats() {
    for alone in [None, Some("hunter2-post"), Some("hunter2-refresh"), Some("hunter2-param"), Some("hunter2-header")] {
        let inner = service_fn(move |request: http::Request<Body>| async move {
            let key = request.headers()["x-api-key"].to_str().unwrap().to_owned();
            let form = crate::support::form(request).await;
            let sent = form.into_iter().map(|(_, value)| value).chain([key]);
            let sent = sent.filter(|value| alone.is_none_or(|alone| value == alone)).collect::<Vec<_>>().join(" ");
            let body = json!({
                "error": sent, "error_description": sent, "error_uri": format!("https://e.example/?{sent}"),
                "access_token": sent, "extra": sent
            });
            Ok::<_, std::io::Error>(answer(400, body))
        });
        for stored in [None, Some(Token::bearer("a").unwrap().with_refresh_token("hunter2-refresh"))] {
            let grant = ClientCredentials::new(TOKEN_URL, Client::post("id", "hunter2-post")).unwrap();
            let grant = grant.param("api_key", "hunter2-param").header("x-api-key", "hunter2-header").unwrap();
            let layer = OAuth2Layer::new(grant);
            if let Some(token) = stored {
                layer.tokens().set(token.with_expires_in(std::time::Duration::ZERO));
            }
            let error = layer.layer(inner).oneshot(get(API_URL)).await.unwrap_err();
            let mut text = String::new();
            append_error(&mut text, &*error);
            assert!(!text.contains(WORD), "{alone:?}: {text}");
        }
    }
}

/// The device code and the PKCE verifier, in the prompt and in the error.
#[tokio::test(start_paused = true)]
async fn a_device_login_prints_no_secret() {
    let printed_prompt = Arc::new(Mutex::new(String::new()));
    let text = printed_prompt.clone();
    let show = move |prompt: &DevicePrompt| append(&mut text.lock().unwrap(), prompt);
    let grant = DeviceCode::new("https://auth.example.com/device", TOKEN_URL, Client::post("id", "hunter2-post"), show);
    let grant = grant.unwrap().pkce().param("api_key", "hunter2-param");
    let mut text = format!("{grant:?} {grant:#?}");

    let verifier = Arc::new(Mutex::new(String::new()));
    let sent_verifier = verifier.clone();
    let inner = service_fn(move |request: http::Request<Body>| {
        let sent_verifier = sent_verifier.clone();
        async move {
            let is_token_request = request.uri() == TOKEN_URL;
            let form = crate::support::form(request).await;
            if !is_token_request {
                let code = json!({
                    "device_code": "hunter2-device", "user_code": "WDJB-MJHT", "expires_in": 60,
                    "verification_uri": "https://example.com/device", "extra": "hunter2-extra"
                });
                return Ok::<_, std::io::Error>(answer(200, code));
            }
            let sent = form.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(" ");
            *sent_verifier.lock().unwrap() = form.into_iter().find(|(name, _)| name == "code_verifier").unwrap().1;
            Ok(answer(400, json!({"error": "access_denied", "error_description": sent})))
        }
    });
    let error = OAuth2Layer::new(grant).layer(inner).oneshot(get(API_URL)).await.unwrap_err();
    append_error(&mut text, &*error);
    text.push_str(&printed_prompt.lock().unwrap());
    for public in ["DeviceCode", "DevicePrompt", "WDJB-MJHT", "access_denied"] {
        assert!(text.contains(public), "{public} was not printed: the test searches the wrong text");
    }
    let verifier = verifier.lock().unwrap();
    assert!(!verifier.is_empty() && !text.contains(verifier.as_str()) && !text.contains(WORD), "{text}");
}

/// An access token is a secret even if it is invalid.
#[test]
fn an_error_prints_no_invalid_token() {
    let mut text = String::new();
    append_error(&mut text, &Token::bearer("hunter2 with blanks").unwrap_err());
    let stored = json!({"access_token": "hunter2 with blanks"});
    append_error(&mut text, &serde_json::from_value::<Token>(stored).unwrap_err());
    let stored = json!({"access_token": "a", "expires_at": "hunter2"});
    append_error(&mut text, &serde_json::from_value::<Token>(stored).unwrap_err());
    assert!(text.contains("access_token") && !text.contains(WORD), "{text}");
}
