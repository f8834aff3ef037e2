//! Which requests may start a login (RFC 8628 §3.1).

use std::time::Duration;

use serde_json::json;
use tower_oauth2::grant::DeviceCode;
use tower_oauth2::{ErrorKind, Token};

use super::{code, failed, login, says};
use crate::support::{answer, ours, pairs, pass, token};

#[tokio::test(start_paused = true)]
async fn a_dead_refresh_token_starts_no_login_but_by_refresh() {
    let mut login = login(|grant| grant);
    let expired = Token::bearer("old").unwrap().with_expires_in(Duration::ZERO).with_refresh_token("dead");
    login.service.tokens().set(expired);
    let request = login.request();
    let (form, respond) = login.server.token_request().await;
    assert_eq!(form, pairs(&[("grant_type", "refresh_token"), ("refresh_token", "dead")]));
    respond.send_response(answer(400, json!({"error": "invalid_grant"})));
    assert_eq!(failed(request).await.kind(), ErrorKind::LoginNeeded);
    assert_eq!(failed(login.request()).await.kind(), ErrorKind::LoginNeeded);
    login.server.hears_nothing().await;

    let asked = login.refresh();
    login.gives(code()).await;
    login.answers([(200, token("a", 3600))]).await;
    assert_eq!(asked.await.unwrap().unwrap().access_token(), "a");
}

#[tokio::test(start_paused = true)]
async fn a_dead_refresh_token_starts_a_login_where_the_builder_said_so_and_an_outage_does_not() {
    let mut login = login(DeviceCode::relogin);
    let expired = Token::bearer("old").unwrap().with_expires_in(Duration::ZERO).with_refresh_token("r");
    login.service.tokens().set(expired);
    let request = login.request();
    let (_, respond) = login.server.token_request().await;
    respond.send_response(answer(503, json!({"error": "invalid_grant"})));
    assert_eq!(failed(request).await.kind(), ErrorKind::Overloaded);
    assert_eq!(login.times_shown(), 0);

    pass(Duration::from_secs(120)).await;
    let request = login.request();
    let (form, respond) = login.server.token_request().await;
    assert_eq!(form[1], ("refresh_token".to_owned(), "r".to_owned()));
    respond.send_response(answer(400, json!({"error": "invalid_grant"})));
    login.gives(code()).await;
    login.answers([(200, token("a", 3600))]).await;
    assert_eq!(login.server.serves().await.as_deref(), Some("Bearer a"));
    request.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn many_requests_are_one_login() {
    let mut login = login(|grant| grant);
    let requests: Vec<_> = (0..5).map(|_| login.request()).collect();
    login.gives(code()).await;
    login.answers([says("access_denied")]).await;
    for request in requests {
        assert_eq!(failed(request).await.kind(), ErrorKind::Denied);
    }
    login.server.hears_nothing().await;
    assert_eq!(login.times_shown(), 1);
}

/// With a token that still serves there is no hurry: the person is asked when it has ended, if they may be asked at all.
#[tokio::test(start_paused = true)]
async fn a_refresh_token_that_dies_ahead_of_time_asks_nobody_yet() {
    for may_ask in [true, false] {
        let mut login = login(|grant| if may_ask { grant.relogin() } else { grant });
        let hour = Duration::from_secs(3600);
        let token = Token::bearer("a").unwrap().with_expires_in(hour).with_refresh_token("r");
        login.service.tokens().set(token);
        pass(hour - Duration::from_secs(200)).await;

        let request = login.request();
        assert_eq!(login.server.serves().await.as_deref(), Some("Bearer a"));
        request.await.unwrap().unwrap();
        let (form, respond) = login.server.token_request().await;
        assert_eq!(form[1], ("refresh_token".to_owned(), "r".to_owned()));
        respond.send_response(answer(400, json!({"error": "invalid_grant"})));
        for _ in 0..150 {
            let request = login.request();
            assert_eq!(login.server.serves().await.as_deref(), Some("Bearer a"));
            request.await.unwrap().unwrap();
            pass(Duration::from_secs(1)).await;
        }
        login.server.hears_nothing().await;

        pass(Duration::from_secs(51)).await;
        let request = login.request();
        if may_ask {
            login.gives(code()).await;
            pass(Duration::from_millis(1)).await;
            assert_eq!(login.shown.lock().unwrap().len(), 1);
        } else {
            assert_eq!(ours(request.await.unwrap().unwrap_err()).kind(), ErrorKind::LoginNeeded);
            assert_eq!(login.shown.lock().unwrap().len(), 0);
        }
    }
}
