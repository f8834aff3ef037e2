//! Logins that end without a token. After that, no request starts another login.

use std::time::Duration;

use futures_util::FutureExt;
use serde_json::json;
use tokio::time::Instant;
use tower::ServiceExt;
use tower_oauth2::client::Client;
use tower_oauth2::grant::{DeviceCode, DeviceOutcome, DevicePrompt};
use tower_oauth2::{ErrorKind, OAuth2Layer};

use super::{DEVICE_URL, code, failed, login, oauth_error};
use crate::support::{API_URL, TOKEN_URL, answer, form, get, mock_service, ours, pairs, pass, token};

#[tokio::test(start_paused = true)]
async fn after_a_denial_only_tokens_refresh_starts_a_login() {
    let mut login = login(|grant| grant.relogin(true));
    let request = login.request();
    login.send_code(code()).await;
    login.respond_to_polls([oauth_error("access_denied")]).await;
    assert_eq!(failed(request).await.kind(), ErrorKind::Denied);

    pass(Duration::from_secs(24 * 3600)).await;
    let denied = failed(login.request()).await;
    assert_eq!(denied.kind(), ErrorKind::Denied);
    assert_eq!(denied.oauth().unwrap().error(), "access_denied");
    login.server.assert_no_request().await;

    let refresh = login.refresh();
    login.send_code(code()).await;
    login.respond_to_polls([(200, token("a", 3600))]).await;
    assert_eq!(refresh.await.unwrap().unwrap().access_token(), "a");
    assert_eq!(login.prompt_count(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_login_ends_when_the_code_expires() {
    let mut login = login(|grant| grant);
    let request = login.request();
    let mut code = code();
    code["expires_in"] = json!(33);
    login.send_code(code).await;
    let start = Instant::now();
    // Each response takes nine seconds, so there is no time for a third poll.
    for time in [5, 19] {
        let (_, respond) = login.server.token_request().await;
        assert_eq!(start.elapsed().as_secs(), time);
        pass(Duration::from_secs(9)).await;
        respond.send_response(answer(400, json!({"error": "authorization_pending"})));
    }
    let expired = failed(request).await;
    assert_eq!(expired.kind(), ErrorKind::LoginExpired);
    assert_eq!(start.elapsed().as_secs(), 33);
    assert_eq!(failed(login.request()).await.kind(), ErrorKind::LoginExpired);
    login.server.assert_no_request().await;
    assert_eq!(login.prompt_count(), 1);
}

/// The response to a running poll may contain the token.
#[tokio::test(start_paused = true)]
async fn a_poll_that_is_running_when_the_code_expires_is_completed() {
    for (last, kind) in
        [((200, token("a", 3600)), None), (oauth_error("authorization_pending"), Some(ErrorKind::LoginExpired))]
    {
        let mut login = login(|grant| grant);
        let request = login.request();
        let mut code = code();
        code["expires_in"] = json!(6);
        login.send_code(code).await;
        let (_, respond) = login.server.token_request().await;
        pass(Duration::from_secs(10)).await;
        respond.send_response(answer(last.0, last.1));
        match kind {
            Some(kind) => assert_eq!(failed(request).await.kind(), kind),
            None => assert_eq!(login.server.next_authorization().await.as_deref(), Some("Bearer a")),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_server_ends_the_login() {
    let page = json!({"access_token": "hunter2 with blanks"});
    for (last, kind) in [
        (oauth_error("expired_token"), ErrorKind::LoginExpired),
        (oauth_error("invalid_grant"), ErrorKind::InvalidGrant),
        (oauth_error("unauthorized_client"), ErrorKind::ClientRejected),
        ((307, json!({})), ErrorKind::Redirected),
        ((200, page), ErrorKind::Malformed),
    ] {
        let mut login = login(|grant| grant);
        let request = login.request();
        login.send_code(code()).await;
        login.respond_to_polls([last]).await;
        assert_eq!(failed(request).await.kind(), kind);
        pass(Duration::from_secs(3600)).await;
        assert_eq!(failed(login.request()).await.kind(), kind);
        login.server.assert_no_request().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_device_authorization_request_is_retried_after_the_backoff() {
    for (status, body, kind) in [
        (503, json!({}), ErrorKind::Overloaded),
        (401, json!({"error": "invalid_client"}), ErrorKind::ClientRejected),
        (200, json!({"device_code": "secret-device-code"}), ErrorKind::Malformed),
    ] {
        let mut login = login(|grant| grant);
        let request = login.request();
        let (_, respond) = login.server.next().await;
        respond.send_response(answer(status, body));
        let error = failed(request).await;
        assert_eq!(error.kind(), kind);
        assert!(!format!("{error} {error:?}").contains("secret-device-code"), "{error:?}");
        assert_eq!(login.prompt_count(), 0);

        pass(Duration::from_secs(120)).await;
        let _request = login.request();
        login.send_code(code()).await;
    }
}

/// Otherwise its prompt would report a success, and the program would still wait for the second login.
#[tokio::test(start_paused = true)]
async fn a_forgotten_login_ends_when_the_next_one_starts() {
    let mut login = login(|grant| grant);
    let request = login.request();
    login.send_code(code()).await;
    pass(Duration::from_secs(1)).await;
    let forgotten = login.shown.lock().unwrap()[0].clone();
    login.service.tokens().forget();
    // The waiting request starts the second login.
    login.send_code(code()).await;
    pass(Duration::from_millis(1)).await;
    assert_eq!(login.prompt_count(), 2);
    assert!(matches!(forgotten.outcome().now_or_never(), Some(DeviceOutcome::Abandoned)));

    let polls = login.respond_to_polls([oauth_error("authorization_pending"), (200, token("a", 3600))]).await;
    assert_eq!(polls, [4, 9], "only the second login polls");
    assert_eq!(login.server.next_authorization().await.as_deref(), Some("Bearer a"));
    request.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn layers_that_share_a_grant_have_separate_logins() {
    let grant = DeviceCode::new(DEVICE_URL, TOKEN_URL, Client::public("app"), |_: &DevicePrompt| {}).unwrap();
    let grant = std::sync::Arc::new(grant);
    let mut conversations = [(), ()].map(|()| mock_service(&OAuth2Layer::new(grant.clone())));
    let requests = conversations.each_ref().map(|(service, _)| tokio::spawn(service.clone().oneshot(get(API_URL))));
    for (_, server) in &mut conversations {
        let (_, respond) = server.next().await;
        respond.send_response(answer(200, code()));
    }
    for (_, server) in &mut conversations {
        server.issue_token(token("a", 3600)).await;
        assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer a"));
    }
    for request in requests {
        request.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_prompt_is_an_error() {
    let client = Client::public("id");
    let grant = DeviceCode::new(DEVICE_URL, TOKEN_URL, client, |_: &DevicePrompt| panic!("no terminal")).unwrap();
    let (service, mut server) = mock_service(&OAuth2Layer::new(grant));
    let request = tokio::spawn(service.oneshot(get(API_URL)));
    let (request_for_a_code, respond) = server.next().await;
    assert_eq!(form(request_for_a_code).await, pairs(&[("client_id", "id")]));
    respond.send_response(answer(200, code()));
    assert_eq!(ours(request.await.unwrap().unwrap_err()).kind(), ErrorKind::Panicked);
}
