//! The conversations that every stack has to get through.

use tokio::task::JoinSet;
use tower::{BoxError, ServiceExt};
use tower_oauth2::ErrorKind;

use crate::support::{API, BACKOFF, Failure, LIFETIME, Response, Stack, World, get, ours, request, soon};

pub(crate) const HERD: usize = 100;

/// Many requests at once, each from a task and a clone of its own.
pub(crate) async fn herd(stack: &impl Stack) -> Vec<Result<Response, BoxError>> {
    let mut herd = JoinSet::new();
    for _ in 0..HERD {
        let mut stack = stack.clone();
        herd.spawn(async move { get(&mut stack, API).await });
    }
    soon(herd.join_all()).await
}

/// A herd that comes before the token: all are served with the one that the first of them fetched.
pub(crate) async fn herd_is_served(world: &World, stack: impl Stack) {
    for response in herd(&stack).await {
        assert_eq!(response.unwrap().status(), 200);
    }
    assert_eq!(world.token_calls(), 1);
    assert_eq!(world.authorizations(API), vec![Some("Bearer t1".to_owned()); HERD]);
}

/// Readiness outlives its token: the late request holds nothing that the token call needs, and is sent with a new token.
pub(crate) async fn renews_late(world: &World, mut stack: impl Stack<Error = BoxError>) {
    soon(stack.ready()).await.unwrap();
    tokio::time::advance(LIFETIME).await;
    soon(stack.call(request(API))).await.unwrap();
    assert_eq!(world.authorizations(API), [Some("Bearer t2".to_owned())]);
    assert_eq!(world.token_calls(), 2);
}

/// Failed token calls, answered and not: each is told, the stack stays alive, and after the back-off it serves again.
pub(crate) async fn outlives_failures(world: &World, mut stack: impl Stack) {
    let failures = [(Failure::Status(503), ErrorKind::Overloaded), (Failure::Unreachable, ErrorKind::Transport)];
    for (failure, kind) in failures {
        let (calls, served) = (world.token_calls(), world.seen(API).len());
        world.script().failures.push_back(failure);
        // The second comes within the back-off: it gets the same error and costs no call.
        for _ in 0..2 {
            let error = get(&mut stack, API).await.unwrap_err();
            assert_eq!(ours(&error).kind(), kind);
        }
        assert_eq!((world.token_calls(), world.seen(API).len()), (calls + 1, served));

        tokio::time::sleep(BACKOFF).await;
        get(&mut stack, API).await.unwrap();
        assert_eq!((world.token_calls(), world.seen(API).len()), (calls + 2, served + 1));
        tokio::time::sleep(LIFETIME).await;
    }
}
