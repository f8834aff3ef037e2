//! The scenarios that every stack has to pass.

use tokio::task::JoinSet;
use tower::{BoxError, ServiceExt};
use tower_oauth2::ErrorKind;

use crate::support::{
    API, BACKOFF, Failure, LIFETIME, MockServer, Response, Stack, get, oauth_error, request, within_timeout,
};

pub(crate) const HERD: usize = 100;

/// Sends many simultaneous requests, each from its own task and clone.
pub(crate) async fn herd(stack: &impl Stack) -> Vec<Result<Response, BoxError>> {
    let mut herd = JoinSet::new();
    for _ in 0..HERD {
        let mut stack = stack.clone();
        herd.spawn(async move { get(&mut stack, API).await });
    }
    within_timeout(herd.join_all()).await
}

/// All requests of a herd without a token are sent with the token of one token request.
pub(crate) async fn herd_succeeds(server: &MockServer, stack: impl Stack) {
    for response in herd(&stack).await {
        assert_eq!(response.unwrap().status(), 200);
    }
    assert_eq!(server.token_requests(), 1);
    assert_eq!(server.authorizations(API), vec![Some("Bearer t1".to_owned()); HERD]);
}

/// The token expires after `poll_ready`: the request holds nothing that the token request needs, and is sent with a new token.
pub(crate) async fn refreshes_after_ready(server: &MockServer, mut stack: impl Stack<Error = BoxError>) {
    within_timeout(stack.ready()).await.unwrap();
    tokio::time::advance(LIFETIME).await;
    within_timeout(stack.call(request(API))).await.unwrap();
    assert_eq!(server.authorizations(API), [Some("Bearer t2".to_owned())]);
    assert_eq!(server.token_requests(), 2);
}

/// Token requests fail with and without a response: the request gets the error, and the stack works again after the back-off.
pub(crate) async fn recovers_from_failures(server: &MockServer, mut stack: impl Stack) {
    let failures = [(Failure::Status(503), ErrorKind::Overloaded), (Failure::Unreachable, ErrorKind::Transport)];
    for (failure, kind) in failures {
        let (token_requests, api_requests) = (server.token_requests(), server.received(API).len());
        server.script().failures.push_back(failure);
        // The second request is within the back-off: it gets the same error without a token request.
        for _ in 0..2 {
            let error = get(&mut stack, API).await.unwrap_err();
            assert_eq!(oauth_error(&error).kind(), kind);
        }
        assert_eq!((server.token_requests(), server.received(API).len()), (token_requests + 1, api_requests));

        tokio::time::sleep(BACKOFF).await;
        get(&mut stack, API).await.unwrap();
        assert_eq!((server.token_requests(), server.received(API).len()), (token_requests + 2, api_requests + 1));
        tokio::time::sleep(LIFETIME).await;
    }
}
