//! What the grant gets, and what it asks for.

use std::sync::{Arc, Mutex};

use tower_oauth2::client::Client;
use tower_oauth2::grant::{Context, DeviceCode, Reason, RefreshToken, grant_fn};
use tower_oauth2::{ErrorKind, Token};

use super::{ended, on_challenge, respond, send, status, unauthorized};
use crate::support::{TOKEN_URL, answer, form, grant, ours, token};

type Seen = (Reason, bool, Option<(String, Option<String>)>);

/// Returns what the grant gets after this response.
async fn seen(response: http::Response<crate::support::Body>) -> Seen {
    let all = Arc::new(Mutex::new(Vec::new()));
    let seen = all.clone();
    let layer = on_challenge(grant_fn(move |cx: Context| {
        let challenge = cx.challenge().map(|found| (found.scheme().to_owned(), found.scope().map(ToOwned::to_owned)));
        seen.lock().unwrap().push((cx.reason(), cx.previous().is_some(), challenge));
        async { Token::bearer("a") }
    }));
    let (sent, mut server) = send(&layer);
    respond(&mut server, response).await;
    assert_eq!(respond(&mut server, answer(200, "")).await.as_deref(), Some("Bearer a"));
    assert_eq!(status(sent).await, 200);
    let mut all = std::mem::take(&mut *all.lock().unwrap());
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[tokio::test(start_paused = true)]
async fn it_gets_the_reason_and_the_challenge() {
    let challenge = |scheme: &str, scope: Option<&str>| Some((scheme.to_owned(), scope.map(ToOwned::to_owned)));
    for (header, expected) in [
        ("Basic realm=\"x\", Bearer scope=\"a b\"", challenge("Bearer", Some("a b"))),
        ("DPoP algs=\"ES256\"", challenge("DPoP", None)),
        ("nonsense {", None),
        ("", None),
    ] {
        assert_eq!(seen(unauthorized(header)).await, (Reason::Challenged, false, expected), "{header}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_token_has_the_configured_and_the_demanded_scope() {
    for (challenge, expected) in [
        ("Bearer scope=\"write admin\"", "read admin write"),
        ("Bearer error=\"insufficient_scope\", scope=\"write\"", "read write"),
        ("Bearer scope=\"read\"", "read"),
        // A scope that cannot be requested.
        ("Bearer scope=\"\\\"\"", "read"),
        ("Bearer scope=\"\"", "read"),
        ("Bearer", "read"),
    ] {
        let layer = on_challenge(grant().scope("read").unwrap());
        let (sent, mut server) = send(&layer);
        respond(&mut server, unauthorized(challenge)).await;
        let (form, respond_token) = server.token_request().await;
        let scope = form.iter().find(|(name, _)| name == "scope").map(|(_, value)| value.as_str());
        assert_eq!(scope, Some(expected), "{challenge}");
        respond_token.send_response(answer(200, token("a", 3600)));
        respond(&mut server, answer(200, "")).await;
        assert_eq!(status(sent).await, 200);
    }
}

/// `max_age` and `acr_values` are demands of a token that is there.
#[tokio::test(start_paused = true)]
async fn a_program_logs_in_whatever_else_the_first_challenge_names() {
    let layer = on_challenge(grant());
    let (sent, mut server) = send(&layer);
    let challenge = "Bearer error=\"insufficient_user_authentication\", max_age=\"5\", acr_values=\"mfa\"";
    respond(&mut server, unauthorized(challenge)).await;
    server.issue_first_token(token("a", 3600)).await;
    respond(&mut server, answer(200, "")).await;
    assert_eq!(status(sent).await, 200);
}

/// The scope of the challenge does not make the refresh token useless.
#[tokio::test(start_paused = true)]
async fn a_refresh_token_is_sent_after_the_first_401() {
    for challenge in ["Bearer", "Bearer scope=\"write\""] {
        let layer = on_challenge(RefreshToken::new(TOKEN_URL, Client::public("id"), "r0").unwrap());
        let (sent, mut server) = send(&layer);
        assert_eq!(respond(&mut server, unauthorized(challenge)).await, None);
        let (form, respond_token) = server.token_request().await;
        assert!(form.contains(&("refresh_token".to_owned(), "r0".to_owned())), "{form:?}");
        respond_token.send_response(answer(200, token("a", 3600)));
        assert_eq!(respond(&mut server, answer(200, "")).await.as_deref(), Some("Bearer a"));
        assert_eq!(status(sent).await, 200);
    }
}

const DEVICE_URL: &str = "https://auth.example.com/device";

fn device_code() -> DeviceCode {
    DeviceCode::new(DEVICE_URL, TOKEN_URL, Client::public("id"), |_| {}).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_person_is_asked_after_the_first_401() {
    let layer = on_challenge(device_code());
    let (sent, mut server) = send(&layer);
    assert_eq!(respond(&mut server, unauthorized("Bearer scope=\"write\"")).await, None);
    let (request, respond_device) = server.next().await;
    assert_eq!(request.uri(), DEVICE_URL);
    let form = form(request).await;
    assert!(form.contains(&("scope".to_owned(), "write".to_owned())), "{form:?}");
    let codes = serde_json::json!({
        "device_code": "d", "user_code": "U", "verification_uri": "https://auth.example.com/activate",
        "expires_in": 600, "interval": 5,
    });
    respond_device.send_response(answer(200, codes));
    server.issue_token(token("a", 3600)).await;
    assert_eq!(respond(&mut server, answer(200, "")).await.as_deref(), Some("Bearer a"));
    assert_eq!(status(sent).await, 200);
}

#[tokio::test(start_paused = true)]
async fn no_person_is_asked_if_requests_must_not_start_a_login() {
    let layer = on_challenge(device_code().login_on_request(false));
    let (sent, mut server) = send(&layer);
    respond(&mut server, unauthorized("Bearer scope=\"write\"")).await;
    assert_eq!(ours(ended(sent).await.unwrap_err()).kind(), ErrorKind::LoginRequired);
    server.assert_no_request().await;
}
