//! How a login ends that brings no token, and that nobody is asked again then.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;
use tower::ServiceExt;
use tower_oauth2::client::Client;
use tower_oauth2::grant::{DeviceCode, DevicePrompt};
use tower_oauth2::{ErrorKind, OAuth2Layer};

use super::{DEVICE_URL, code, failed, login, says};
use crate::support::{API_URL, TOKEN_URL, answer, conversation, form, get, ours, pairs, pass, token};

#[tokio::test(start_paused = true)]
async fn who_said_no_is_not_asked_again_by_a_request() {
    let mut login = login(DeviceCode::relogin);
    let request = login.request();
    login.gives(code()).await;
    login.answers([says("access_denied")]).await;
    assert_eq!(failed(request).await.kind(), ErrorKind::Denied);

    pass(Duration::from_secs(24 * 3600)).await;
    let denied = failed(login.request()).await;
    assert_eq!(denied.kind(), ErrorKind::Denied);
    assert_eq!(denied.oauth().unwrap().error(), "access_denied");
    login.server.hears_nothing().await;

    let asked = login.refresh();
    login.gives(code()).await;
    login.answers([(200, token("a", 3600))]).await;
    assert_eq!(asked.await.unwrap().unwrap().access_token(), "a");
    assert_eq!(login.times_shown(), 2);
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_the_code_has_expired_by_the_time_that_has_passed() {
    let mut login = login(|grant| grant);
    let request = login.request();
    let mut code = code();
    code["expires_in"] = json!(33);
    login.gives(code).await;
    let start = Instant::now();
    // Each answer takes nine seconds: after two of them there is time for no more than one.
    for asked in [5, 19] {
        let (_, respond) = login.server.token_request().await;
        assert_eq!(start.elapsed().as_secs(), asked);
        pass(Duration::from_secs(9)).await;
        respond.send_response(answer(400, json!({"error": "authorization_pending"})));
    }
    let expired = failed(request).await;
    assert_eq!(expired.kind(), ErrorKind::LoginExpired);
    assert_eq!(start.elapsed().as_secs(), 33);
    assert_eq!(failed(login.request()).await.kind(), ErrorKind::LoginExpired);
    login.server.hears_nothing().await;
    assert_eq!(login.times_shown(), 1);
}

/// The server may have given the token that is on its way: it is not thrown away.
#[tokio::test(start_paused = true)]
async fn an_answer_that_is_on_its_way_when_the_time_is_over_counts() {
    for (last, kind) in
        [((200, token("a", 3600)), None), (says("authorization_pending"), Some(ErrorKind::LoginExpired))]
    {
        let mut login = login(|grant| grant);
        let request = login.request();
        let mut code = code();
        code["expires_in"] = json!(6);
        login.gives(code).await;
        let (_, respond) = login.server.token_request().await;
        pass(Duration::from_secs(10)).await;
        respond.send_response(answer(last.0, last.1));
        match kind {
            Some(kind) => assert_eq!(failed(request).await.kind(), kind),
            None => assert_eq!(login.server.serves().await.as_deref(), Some("Bearer a")),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_servers_word_ends_it_and_nobody_is_asked_again() {
    let page = json!({"access_token": "hunter2 with blanks"});
    for (last, kind) in [
        (says("expired_token"), ErrorKind::LoginExpired),
        (says("invalid_grant"), ErrorKind::InvalidGrant),
        (says("unauthorized_client"), ErrorKind::ClientRejected),
        ((307, json!({})), ErrorKind::Redirected),
        ((200, page), ErrorKind::Malformed),
    ] {
        let mut login = login(|grant| grant);
        let request = login.request();
        login.gives(code()).await;
        login.answers([last]).await;
        assert_eq!(failed(request).await.kind(), kind);
        pass(Duration::from_secs(3600)).await;
        assert_eq!(failed(login.request()).await.kind(), kind);
        login.server.hears_nothing().await;
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_code_nobody_was_asked_and_the_next_request_may_try_again() {
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
        assert_eq!(login.times_shown(), 0);

        pass(Duration::from_secs(120)).await;
        let _request = login.request();
        login.gives(code()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_prompt_that_panics_is_an_error() {
    let client = Client::public("id");
    let grant = DeviceCode::new(DEVICE_URL, TOKEN_URL, client, |_: &DevicePrompt| panic!("no terminal")).unwrap();
    let (service, mut server) = conversation(&OAuth2Layer::new(grant));
    let request = tokio::spawn(service.oneshot(get(API_URL)));
    let (request_for_a_code, respond) = server.next().await;
    assert_eq!(form(request_for_a_code).await, pairs(&[("client_id", "id")]));
    respond.send_response(answer(200, code()));
    assert_eq!(ours(request.await.unwrap().unwrap_err()).kind(), ErrorKind::Panicked);
}
