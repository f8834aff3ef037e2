//! The requests that may start a login (RFC 8628 §3.1).

use std::time::Duration;

use serde_json::json;
use tower_oauth2::{ErrorKind, Token};

use super::{code, failed, login, oauth_error};
use crate::support::{answer, ours, pairs, pass, token};

#[tokio::test(start_paused = true)]
async fn after_a_dead_refresh_token_only_tokens_refresh_starts_a_login() {
    let mut login = login(|grant| grant);
    let expired = Token::bearer("old").unwrap().with_expires_in(Duration::ZERO).with_refresh_token("dead");
    login.service.tokens().set(expired);
    let request = login.request();
    let (form, respond) = login.server.token_request().await;
    assert_eq!(form, pairs(&[("grant_type", "refresh_token"), ("refresh_token", "dead")]));
    respond.send_response(answer(400, json!({"error": "invalid_grant"})));
    assert_eq!(failed(request).await.kind(), ErrorKind::LoginRequired);
    assert_eq!(failed(login.request()).await.kind(), ErrorKind::LoginRequired);
    login.server.assert_no_request().await;

    let refresh = login.refresh();
    login.send_code(code()).await;
    login.respond_to_polls([(200, token("a", 3600))]).await;
    assert_eq!(refresh.await.unwrap().unwrap().access_token(), "a");
}

#[tokio::test(start_paused = true)]
async fn with_relogin_a_dead_refresh_token_starts_a_login_and_an_outage_does_not() {
    let mut login = login(|grant| grant.relogin(true));
    let expired = Token::bearer("old").unwrap().with_expires_in(Duration::ZERO).with_refresh_token("r");
    login.service.tokens().set(expired);
    let request = login.request();
    let (_, respond) = login.server.token_request().await;
    respond.send_response(answer(503, json!({"error": "invalid_grant"})));
    assert_eq!(failed(request).await.kind(), ErrorKind::Overloaded);
    assert_eq!(login.prompt_count(), 0);

    pass(Duration::from_secs(120)).await;
    let request = login.request();
    let (form, respond) = login.server.token_request().await;
    assert_eq!(form[1], ("refresh_token".to_owned(), "r".to_owned()));
    respond.send_response(answer(400, json!({"error": "invalid_grant"})));
    login.send_code(code()).await;
    login.respond_to_polls([(200, token("a", 3600))]).await;
    assert_eq!(login.server.next_authorization().await.as_deref(), Some("Bearer a"));
    request.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn without_login_on_request_only_tokens_refresh_starts_a_login() {
    let mut login = login(|grant| grant.login_on_request(false).relogin(true));
    let error = failed(login.request()).await;
    assert_eq!(error.kind(), ErrorKind::LoginRequired);
    assert!(format!("{error:?}").contains("login_on_request(false)"), "{error:?}");
    login.server.assert_no_request().await;
    assert_eq!(login.prompt_count(), 0);

    let refresh = login.refresh();
    login.send_code(code()).await;
    login.respond_to_polls([(200, token("a", 3600))]).await;
    assert_eq!(refresh.await.unwrap().unwrap().access_token(), "a");
}

#[tokio::test(start_paused = true)]
async fn simultaneous_requests_share_one_login() {
    let mut login = login(|grant| grant);
    let requests: Vec<_> = (0..5).map(|_| login.request()).collect();
    login.send_code(code()).await;
    login.respond_to_polls([oauth_error("access_denied")]).await;
    for request in requests {
        assert_eq!(failed(request).await.kind(), ErrorKind::Denied);
    }
    login.server.assert_no_request().await;
    assert_eq!(login.prompt_count(), 1);
}

/// While the access token is valid, no login starts. When it has expired, a login starts if `relogin` allows it.
#[tokio::test(start_paused = true)]
async fn a_refresh_token_that_is_rejected_early_starts_no_login_before_the_expiry() {
    for relogin in [true, false] {
        let mut login = login(|grant| grant.relogin(relogin));
        let hour = Duration::from_secs(3600);
        let token = Token::bearer("a").unwrap().with_expires_in(hour).with_refresh_token("r");
        login.service.tokens().set(token);
        pass(hour - Duration::from_secs(200)).await;

        let request = login.request();
        assert_eq!(login.server.next_authorization().await.as_deref(), Some("Bearer a"));
        request.await.unwrap().unwrap();
        let (form, respond) = login.server.token_request().await;
        assert_eq!(form[1], ("refresh_token".to_owned(), "r".to_owned()));
        respond.send_response(answer(400, json!({"error": "invalid_grant"})));
        for _ in 0..150 {
            let request = login.request();
            assert_eq!(login.server.next_authorization().await.as_deref(), Some("Bearer a"));
            request.await.unwrap().unwrap();
            pass(Duration::from_secs(1)).await;
        }
        login.server.assert_no_request().await;

        pass(Duration::from_secs(51)).await;
        let request = login.request();
        if relogin {
            login.send_code(code()).await;
            pass(Duration::from_millis(1)).await;
            assert_eq!(login.shown.lock().unwrap().len(), 1);
        } else {
            assert_eq!(ours(request.await.unwrap().unwrap_err()).kind(), ErrorKind::LoginRequired);
            assert_eq!(login.shown.lock().unwrap().len(), 0);
        }
    }
}
