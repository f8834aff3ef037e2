//! `RetryUnauthorized` over reqwest, with an HTTP/1.1 server.

use ::reqwest::{Body, Client as Reqwest};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_oauth2::OAuth2Layer;
use tower_oauth2::retry::RetryUnauthorized;
use tower_reqwest::HttpClientLayer;

use super::listener::Listener;
use super::*;

type Stack = BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>;

/// Rejects the first token. Reads the body first, unless `early` is set.
async fn respond(
    received_requests: ReceivedRequests,
    early: bool,
    request: Request<Incoming>,
) -> Response<Empty<Bytes>> {
    let (head, body) = request.into_parts();
    let is_rejected = head.headers["authorization"] == "Bearer t1";
    let length = head.headers.get("content-length").map(|length| length.to_str().unwrap().parse::<usize>().unwrap());
    let body = if early && is_rejected {
        None
    } else {
        let body = body.collect().await.unwrap().to_bytes();
        assert_eq!(length.unwrap_or(body.len()), body.len());
        Some(body)
    };
    received_requests.add(&head.headers, body);
    Response::builder().status(if is_rejected { 401 } else { 200 }).body(Empty::new()).unwrap()
}

async fn client(received_requests: &ReceivedRequests, early: bool) -> (Listener, Stack) {
    let received_requests = received_requests.clone();
    let listener = Listener::serve(move |request| respond(received_requests.clone(), early, request)).await.unwrap();
    let service = ServiceBuilder::new()
        .layer(RetryUnauthorized::new().buffered(MAX_BYTES).into_layer(Body::wrap))
        .layer(OAuth2Layer::new(grant()).token_service(tokens()))
        .layer(HttpClientLayer)
        .service(Reqwest::builder().no_proxy().build().unwrap());
    (listener, Stack::new(service))
}

async fn post(listener: &Listener, stack: &mut Stack, body: Body) -> u16 {
    let request = Request::post(format!("{}/orders", listener.origin())).body(body).unwrap();
    stack.ready().await.unwrap().call(request).await.unwrap().status().as_u16()
}

fn bytes(size: usize) -> Bytes {
    (0..size).map(|number| number as u8).collect()
}

#[tokio::test]
async fn a_request_succeeds_with_the_second_token() {
    for size in [0, 5, 200 * 1024, MAX_BYTES] {
        let received_requests = ReceivedRequests::default();
        let (listener, mut stack) = client(&received_requests, false).await;
        assert_eq!(post(&listener, &mut stack, bytes(size).into()).await, 200);
        assert_eq!(received_requests.tokens(), ["Bearer t1", "Bearer t2"]);
        assert_eq!(received_requests.bodies(), vec![Some(bytes(size)); 2]);
    }
}

#[tokio::test]
async fn a_stream_that_has_ended_is_repeated() {
    let received_requests = ReceivedRequests::default();
    let (listener, mut stack) = client(&received_requests, false).await;
    let (sender, body) = channel();
    let sending = tokio::spawn(async move {
        for text in ["one ", "apple"] {
            tokio::task::yield_now().await;
            sender.send(Bytes::from(text)).await.unwrap();
        }
    });
    assert_eq!(post(&listener, &mut stack, Body::wrap(body)).await, 200);
    sending.await.unwrap();
    assert_eq!(received_requests.bodies(), vec![Some(Bytes::from("one apple")); 2]);
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_not_repeated() {
    let received_requests = ReceivedRequests::default();
    let (listener, mut stack) = client(&received_requests, false).await;
    assert_eq!(post(&listener, &mut stack, bytes(MAX_BYTES + 1).into()).await, 401);
    assert_eq!(received_requests.bodies(), [Some(bytes(MAX_BYTES + 1))]);
}

#[tokio::test]
async fn a_stream_that_goes_on_is_not_repeated() {
    let received_requests = ReceivedRequests::default();
    let (listener, mut stack) = client(&received_requests, true).await;
    let (sender, body) = channel();
    sender.send(Bytes::from("one ")).await.unwrap();
    assert_eq!(post(&listener, &mut stack, Body::wrap(body)).await, 401);
    assert_eq!(received_requests.tokens(), ["Bearer t1"]);
    drop(sender);
}
