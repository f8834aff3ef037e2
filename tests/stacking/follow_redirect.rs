//! `FollowRedirect` repeats a request at another URI, which must not receive the token or the client secret.

use http::Method;
use http_body::Body;
use tower::Layer;
use tower_http::follow_redirect::FollowRedirect;
use tower_oauth2::ErrorKind;

use crate::scenarios::{herd_succeeds, recovers_from_failures};
use crate::support::{API, ELSEWHERE, MockServer, Stack, TOKEN_URL, get, layer, oauth_error};

const MOVED: &str = "https://api.example.com/moved";
const STATUSES: [u16; 5] = [301, 302, 303, 307, 308];

#[tokio::test(start_paused = true)]
async fn a_herd_over_the_layer() {
    let server = MockServer::default();
    herd_succeeds(&server, FollowRedirect::new(layer().layer(server.clone()))).await;
}

#[tokio::test(start_paused = true)]
async fn a_herd_under_the_layer() {
    let server = MockServer::default();
    herd_succeeds(&server, layer().layer(FollowRedirect::new(server.clone()))).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_over_the_layer() {
    let server = MockServer::default();
    recovers_from_failures(&server, FollowRedirect::new(layer().layer(server.clone()))).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_under_the_layer() {
    let server = MockServer::default();
    recovers_from_failures(&server, layer().layer(FollowRedirect::new(server.clone()))).await;
}

/// Redirects from the API to another origin and back: only the API receives the token.
async fn the_token_is_only_sent_to_the_api(server: &MockServer, mut stack: impl Stack, on_return: Option<&str>) {
    for status in STATUSES {
        server.script().redirects = vec![(API, status, MOVED), (MOVED, status, ELSEWHERE)];
        get(&mut stack, API).await.unwrap();
        server.script().redirects = vec![(API, status, ELSEWHERE), (ELSEWHERE, status, MOVED)];
        get(&mut stack, API).await.unwrap();
    }
    let bearer = || Some("Bearer t1".to_owned());
    assert_eq!(server.authorizations(API), vec![bearer(); 10]);
    assert_eq!(server.authorizations(ELSEWHERE), vec![None; 10]);
    let returned = on_return.map(str::to_owned);
    assert_eq!(server.authorizations(MOVED), [bearer(), returned].iter().cloned().cycle().take(10).collect::<Vec<_>>());
}

/// Each redirect passes through the layer, which checks its origin.
#[tokio::test(start_paused = true)]
async fn an_api_that_redirects_over_the_layer() {
    let server = MockServer::default();
    let stack = FollowRedirect::new(layer().layer(server.clone()));
    the_token_is_only_sent_to_the_api(&server, stack, Some("Bearer t1")).await;
}

/// Inside, `FollowRedirect` has the request with the token. Its policy removes the header at the first other origin.
#[tokio::test(start_paused = true)]
async fn an_api_that_redirects_under_the_layer() {
    let server = MockServer::default();
    let stack = layer().layer(FollowRedirect::new(server.clone()));
    the_token_is_only_sent_to_the_api(&server, stack, None).await;
}

/// Outside, `FollowRedirect` does not see the token request.
#[tokio::test(start_paused = true)]
async fn a_token_endpoint_that_redirects_over_the_layer() {
    for status in STATUSES {
        let server = MockServer::default();
        server.script().redirects = vec![(TOKEN_URL, status, ELSEWHERE)];
        let error = get(&mut FollowRedirect::new(layer().layer(server.clone())), API).await.unwrap_err();
        assert_eq!(oauth_error(&error).kind(), ErrorKind::Redirected);
        assert_eq!((server.token_requests(), server.received(ELSEWHERE).len(), server.received(API).len()), (1, 0, 0));
    }
}

/// A request with a body that cannot be cloned is not redirected.
#[tokio::test(start_paused = true)]
async fn a_token_endpoint_that_redirects_the_form_under_the_layer() {
    for status in [307, 308] {
        let server = MockServer::default();
        server.script().redirects = vec![(TOKEN_URL, status, ELSEWHERE)];
        let error = get(&mut layer().layer(FollowRedirect::new(server.clone())), API).await.unwrap_err();
        assert_eq!(oauth_error(&error).kind(), ErrorKind::Redirected);
        assert_eq!((server.token_requests(), server.received(ELSEWHERE).len(), server.received(API).len()), (1, 0, 0));
    }
}

/// The other redirects become a `GET`, which has neither the form nor the client secret.
#[tokio::test(start_paused = true)]
async fn a_token_endpoint_that_redirects_with_get_under_the_layer() {
    for status in [301, 302, 303] {
        let server = MockServer::default();
        server.script().redirects = vec![(TOKEN_URL, status, ELSEWHERE)];
        let _ = get(&mut layer().layer(FollowRedirect::new(server.clone())), API).await;
        assert!(server.received(TOKEN_URL)[0].authorization.is_some());
        for seen in server.received(ELSEWHERE) {
            assert_eq!((seen.method, seen.authorization), (Method::GET, None));
            assert_eq!(seen.body.size_hint().exact(), Some(0));
        }
    }
}

/// With a `token_service`, token requests bypass the inner `FollowRedirect`, so no redirect is followed.
#[tokio::test(start_paused = true)]
async fn a_token_service_that_does_not_follow() {
    for status in STATUSES {
        let server = MockServer::default();
        server.script().redirects = vec![(TOKEN_URL, status, ELSEWHERE)];
        let mut stack = layer().token_service(server.clone()).layer(FollowRedirect::new(server.clone()));
        let error = get(&mut stack, API).await.unwrap_err();
        assert_eq!(oauth_error(&error).kind(), ErrorKind::Redirected);
        assert_eq!((server.token_requests(), server.received(ELSEWHERE).len(), server.received(API).len()), (1, 0, 0));
    }
}
