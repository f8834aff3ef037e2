//! `RetryUnauthorized::replay_only` and `buffered` copy bodies that are not `Default`.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use tower::retry::{Policy, RetryLayer};
use tower::util::MapRequestLayer;
use tower::{BoxError, ServiceBuilder, ServiceExt};
use tower_oauth2::retry::RetryUnauthorized;

use crate::support::{API_URL, Body, answer, layer, mock_service, token};

/// A body that is not `Default`, such as that of kube.
#[derive(Clone)]
struct Opaque(Body);

impl HttpBody for Opaque {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// Sends this body to an API that rejects the first token. Returns the bodies that the API received.
async fn received<P>(policy: P, body: &'static str) -> Vec<Bytes>
where
    P: Policy<Request<Opaque>, Response<Body>, BoxError, Future: Send> + Clone + Send + Sync + 'static,
{
    let (service, mut server) = mock_service(&layer());
    let stack = ServiceBuilder::new()
        .layer(RetryLayer::new(policy))
        .layer(MapRequestLayer::new(|request: Request<Opaque>| request.map(|body| body.0)))
        .service(service);
    let request = Request::post(API_URL).body(Opaque(Body::from(body))).unwrap();
    let sent = tokio::spawn(stack.oneshot(request));
    server.issue_token(token("a", 3600)).await;
    let (request, respond) = server.next().await;
    let mut received = vec![request.into_body().collect().await.unwrap().to_bytes()];
    respond.send_response(answer(401, ""));
    server.issue_token(token("b", 3600)).await;
    if sent.is_finished() {
        assert_eq!(sent.await.unwrap().unwrap().status(), 401);
        server.assert_no_request().await;
        return received;
    }
    let (request, respond) = server.next().await;
    received.push(request.into_body().collect().await.unwrap().to_bytes());
    respond.send_response(answer(200, ""));
    assert_eq!(sent.await.unwrap().unwrap().status(), 200);
    received
}

#[tokio::test(start_paused = true)]
async fn a_body_that_the_function_copies_is_repeated() {
    let copy = |body: &Opaque| Some(body.clone());
    for body in ["hello", ""] {
        assert_eq!(received(RetryUnauthorized::new().replay_only(copy), body).await, vec![Bytes::from(body); 2]);
    }
}

/// Unlike with `replay`, also if the body is empty.
#[tokio::test(start_paused = true)]
async fn a_body_that_the_function_does_not_copy_is_sent_once() {
    for body in ["hello", ""] {
        let received = received(RetryUnauthorized::new().replay_only(|_: &Opaque| None), body).await;
        assert_eq!(received, [Bytes::from(body)]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_small_body_is_cloned() {
    for (body, requests) in [("hello", 2), ("", 2), ("hello, world", 1)] {
        let received = received(RetryUnauthorized::new().buffered(5), body).await;
        assert_eq!(received, vec![Bytes::from(body); requests]);
    }
}
