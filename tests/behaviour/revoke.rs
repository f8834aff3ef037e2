//! `Tokens::revoke` revokes both tokens at the server, and then forgets them.

use std::time::Duration;

use tokio::task::JoinHandle;
use tower::ServiceExt;
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::RevocationEndpoint;
use tower_oauth2::{Error, ErrorKind, Token, Tokens};
use tower_test::mock::SendResponse;

use crate::support::{
    API_URL, Body, Server, Service, answer, form, get, layer, mock_service, pass, spawn_refresh, token,
};

const REVOCATION_URL: &str = "https://auth.example.com/revoke";

fn endpoint() -> RevocationEndpoint {
    RevocationEndpoint::new(REVOCATION_URL, Client::basic("id", "secret")).unwrap()
}

fn revoked(tokens: &Tokens) -> JoinHandle<Result<(), Error>> {
    let tokens = tokens.clone();
    tokio::spawn(async move { tokens.revoke(&endpoint()).await })
}

fn both(access_token: &str, refresh_token: &str) -> Token {
    Token::bearer(access_token).unwrap().with_refresh_token(refresh_token)
}

/// Returns a service with this token that was polled, so that handles use it.
async fn with(token: Token) -> (Service, Server) {
    let (mut service, server) = mock_service(&layer());
    service.tokens().set(token);
    service.ready().await.unwrap();
    (service, server)
}

/// Returns the next request, which must revoke this token.
async fn revokes(server: &mut Server, token: &str) -> SendResponse<http::Response<Body>> {
    let (request, respond) = server.next().await;
    assert_eq!(request.uri(), REVOCATION_URL);
    assert!(request.headers().contains_key("authorization"));
    assert_eq!(form(request).await[0], ("token".to_owned(), token.to_owned()));
    respond
}

#[tokio::test(start_paused = true)]
async fn both_tokens_are_revoked_and_then_forgotten() {
    let (service, mut server) = with(both("a", "r")).await;
    let (tokens, mut changes) = (service.tokens(), service.tokens().changes());
    let done = revoked(&tokens);
    revokes(&mut server, "r").await.send_response(answer(200, ""));
    let respond = revokes(&mut server, "a").await;
    assert!(tokens.peek().is_some(), "forgotten before the server has responded");
    respond.send_response(answer(200, ""));
    done.await.unwrap().unwrap();
    assert_eq!(tokens.peek(), None);
    assert!(changes.has_changed().unwrap() && changes.borrow_and_update().is_none());
    // The next request obtains a first token, without the refresh token.
    let sent = tokio::spawn(service.oneshot(get(API_URL)));
    server.issue_first_token(token("b", 3600)).await;
    server.next_authorization().await;
    sent.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_the_tokens_are_kept_and_can_be_revoked_later() {
    for failure in [answer(503, ""), answer(401, r#"{"error": "invalid_client"}"#), answer(404, ""), answer(302, "")] {
        let status = failure.status().as_u16();
        let (service, mut server) = with(both("a", "r")).await;
        let done = revoked(&service.tokens());
        revokes(&mut server, "r").await.send_response(failure);
        revokes(&mut server, "a").await.send_response(answer(200, ""));
        let error = done.await.unwrap().unwrap_err();
        assert_eq!(error.is_transient(), status == 503);
        assert_eq!(service.tokens().peek().unwrap(), both("a", "r"), "{status}");

        let again = revoked(&service.tokens());
        for token in ["r", "a"] {
            revokes(&mut server, token).await.send_response(answer(200, ""));
        }
        again.await.unwrap().unwrap();
        assert_eq!(service.tokens().peek(), None);
    }
}

/// The new tokens are revoked, not the replaced ones.
#[tokio::test(start_paused = true)]
async fn it_waits_for_a_running_refresh() {
    let (service, mut server) = with(both("a", "r")).await;
    let tokens = service.tokens();
    let refreshed = spawn_refresh(&tokens);
    let (_, respond) = server.token_request().await;
    let done = revoked(&tokens);
    server.assert_no_request().await;
    let rotated = serde_json::json!({"access_token": "b", "refresh_token": "s", "expires_in": 3600});
    respond.send_response(answer(200, rotated));
    for token in ["s", "b"] {
        revokes(&mut server, token).await.send_response(answer(200, ""));
    }
    done.await.unwrap().unwrap();
    assert_eq!(tokens.peek(), None);
    assert_eq!(refreshed.await.unwrap().unwrap().access_token(), "b");
}

/// If the running refresh fails, the old tokens are revoked.
#[tokio::test(start_paused = true)]
async fn it_waits_for_a_running_refresh_that_fails() {
    let (service, mut server) = with(both("a", "r")).await;
    let tokens = service.tokens();
    let refreshed = spawn_refresh(&tokens);
    let (_, respond) = server.token_request().await;
    let done = revoked(&tokens);
    respond.send_response(answer(503, ""));
    for token in ["r", "a"] {
        revokes(&mut server, token).await.send_response(answer(200, ""));
    }
    done.await.unwrap().unwrap();
    refreshed.await.unwrap().unwrap_err();
    assert_eq!(tokens.peek(), None);
}

/// A token that is set meanwhile is revoked, too. A token that is forgotten meanwhile stays forgotten.
#[tokio::test(start_paused = true)]
async fn set_and_forget_during_a_revocation() {
    let (service, mut server) = with(both("a", "r")).await;
    let tokens = service.tokens();
    let done = revoked(&tokens);
    let respond = revokes(&mut server, "r").await;
    tokens.set(both("b", "s"));
    respond.send_response(answer(200, ""));
    for token in ["a", "s", "b"] {
        revokes(&mut server, token).await.send_response(answer(200, ""));
    }
    done.await.unwrap().unwrap();
    assert_eq!(tokens.peek(), None);

    tokens.set(both("a", "r"));
    let done = revoked(&tokens);
    let respond = revokes(&mut server, "r").await;
    tokens.forget();
    respond.send_response(answer(200, ""));
    revokes(&mut server, "a").await.send_response(answer(200, ""));
    done.await.unwrap().unwrap();
    assert_eq!(tokens.peek(), None);
    server.assert_no_request().await;
}

/// An invalidated or expired access token may still be valid at the server, and so may its refresh token.
#[tokio::test(start_paused = true)]
async fn an_invalidated_token_is_revoked_too() {
    let (service, mut server) = with(both("a", "r")).await;
    let tokens = service.tokens();
    tokens.invalidate();
    assert_eq!(tokens.peek(), None);
    let done = revoked(&tokens);
    for token in ["r", "a"] {
        revokes(&mut server, token).await.send_response(answer(200, ""));
    }
    done.await.unwrap().unwrap();
    // Both were forgotten.
    tokens.revoke(&endpoint()).await.unwrap();
    server.assert_no_request().await;
}

#[tokio::test(start_paused = true)]
async fn twice_at_once() {
    let (service, mut server) = with(both("a", "r")).await;
    let (one, two) = (revoked(&service.tokens()), revoked(&service.tokens()));
    for _ in 0..4 {
        let (request, respond) = server.next().await;
        assert_eq!(request.uri(), REVOCATION_URL);
        respond.send_response(answer(200, ""));
    }
    one.await.unwrap().unwrap();
    two.await.unwrap().unwrap();
    server.assert_no_request().await;
}

#[tokio::test(start_paused = true)]
async fn without_a_token_it_does_nothing_and_without_a_transport_it_fails() {
    let tokens = layer().tokens();
    tokens.revoke(&endpoint()).await.unwrap();
    tokens.set(both("a", "r"));
    let error = tokens.revoke(&endpoint()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoTransport);
    assert_eq!(tokens.peek().unwrap().access_token(), "a");
}

/// Waiting requests get the token of the refresh.
#[tokio::test(start_paused = true)]
async fn a_waiting_request_is_sent_before_or_after_the_revocation() {
    let (service, mut server) = with(both("a", "r").with_expires_in(Duration::from_secs(100))).await;
    pass(Duration::from_secs(100)).await;
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    let (_, respond) = server.token_request().await;
    let done = revoked(&service.tokens());
    pass(Duration::from_millis(1)).await;
    respond.send_response(answer(200, token("b", 3600)));
    // The request that waited and the revocation, in either order.
    let mut served = Vec::new();
    for _ in 0..3 {
        let (request, respond) = server.next().await;
        served.push(request.uri().path().to_owned());
        respond.send_response(answer(200, ""));
    }
    served.sort();
    assert_eq!(served, ["/revoke", "/revoke", "/things"]);
    done.await.unwrap().unwrap();
    sent.await.unwrap().unwrap();
}
