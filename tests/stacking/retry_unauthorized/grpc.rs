//! `RetryUnauthorized` over a tonic `Channel`, with a gRPC server that checks the token before it reads the body.

use std::time::Duration;

use bytes::{Buf, BufMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;
use tonic::{Code, Status};
use tower::ServiceBuilder;
use tower_oauth2::OAuth2Layer;
use tower_oauth2::retry::RetryUnauthorized;

use super::listener::Listener;
use super::*;

type Service = BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>;

/// Messages are bytes.
#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// Rejects the first token in a trailers-only response, and echoes each frame of the others.
async fn respond(received_requests: ReceivedRequests, request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    received_requests.add(&head.headers, None);
    let response = Response::builder().header("content-type", "application/grpc");
    if head.headers["authorization"] == "Bearer t1" {
        return response.header("grpc-status", "16").body(Body::empty()).unwrap();
    }
    let mut trailers = http::HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    response.body(Body::new(body.with_trailers(std::future::ready(Some(Ok(trailers)))))).unwrap()
}

/// A client stack as in a program.
async fn client(received_requests: &ReceivedRequests) -> (Listener, Grpc<Service>) {
    let received_requests = received_requests.clone();
    let listener = Listener::serve(move |request| respond(received_requests.clone(), request)).await.unwrap();
    let channel = Channel::from_shared(listener.origin()).unwrap().connect().await.unwrap();
    let service = ServiceBuilder::new()
        .layer(RetryUnauthorized::new().buffered(MAX_BYTES).into_layer(Body::new))
        .layer(OAuth2Layer::new(grant()).token_service(tokens()))
        .service(channel);
    (listener, Grpc::new(Service::new(service)))
}

async fn unary(client: &mut Grpc<Service>, message: Bytes) -> Result<Bytes, Status> {
    client.ready().await.unwrap();
    let path = "/test.Echo/Unary".parse().unwrap();
    Ok(client.unary(tonic::Request::new(message), path, Raw).await?.into_inner())
}

fn message(size: usize) -> Bytes {
    (0..size).map(|number| number as u8).collect()
}

#[tokio::test]
async fn a_unary_call_succeeds_with_the_second_token() {
    // The larger message exceeds the HTTP/2 window that is sent before the server reads.
    for size in [0, 5, 200 * 1024] {
        let received_requests = ReceivedRequests::default();
        let (_listener, mut client) = client(&received_requests).await;
        assert_eq!(unary(&mut client, message(size)).await.unwrap(), message(size));
        assert_eq!(received_requests.tokens(), ["Bearer t1", "Bearer t2"]);
        unary(&mut client, message(size)).await.unwrap();
        assert_eq!(received_requests.tokens().len(), 3, "the next call needs no retry");
    }
}

#[tokio::test]
async fn a_message_beyond_the_limit_is_not_repeated() {
    let received_requests = ReceivedRequests::default();
    let (_listener, mut client) = client(&received_requests).await;
    let status = unary(&mut client, message(MAX_BYTES)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    assert_eq!(received_requests.tokens(), ["Bearer t1"]);
    // The next request carries the new token.
    assert_eq!(unary(&mut client, message(MAX_BYTES)).await.unwrap(), message(MAX_BYTES));
}

#[tokio::test]
async fn a_client_streaming_call_is_not_repeated() {
    let received_requests = ReceivedRequests::default();
    let (_listener, mut client) = client(&received_requests).await;
    let (sender, receiver) = mpsc::channel::<Bytes>(8);
    sender.send(message(5)).await.unwrap();
    let path = "/test.Echo/ClientStreaming".parse().unwrap();
    client.ready().await.unwrap();
    let request = tonic::Request::new(stream(receiver));
    let status = client.client_streaming(request, path, Raw).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    assert_eq!(received_requests.tokens(), ["Bearer t1"]);
}

/// The server responds to each message before the next is sent: nothing waits for the end of the body.
#[tokio::test]
async fn a_bidirectional_call_streams() {
    let received_requests = ReceivedRequests::default();
    let (_listener, mut client) = client(&received_requests).await;
    unary(&mut client, message(5)).await.unwrap();

    let (sender, receiver) = mpsc::channel::<Bytes>(8);
    let path = "/test.Echo/Streaming".parse().unwrap();
    client.ready().await.unwrap();
    let response = client.streaming(tonic::Request::new(stream(receiver)), path, Raw).await.unwrap();
    let mut replies = response.into_inner();
    for size in [5, 7, MAX_BYTES, 9] {
        sender.send(message(size)).await.unwrap();
        let reply = tokio::time::timeout(Duration::from_secs(60), replies.message()).await.unwrap().unwrap().unwrap();
        assert_eq!(reply, message(size));
    }
    drop(sender);
    assert_eq!(replies.message().await.unwrap(), None);
    assert_eq!(received_requests.tokens(), ["Bearer t1", "Bearer t2", "Bearer t2"]);
}

fn stream(mut receiver: mpsc::Receiver<Bytes>) -> impl futures_util::Stream<Item = Bytes> + Send {
    poll_fn(move |cx| receiver.poll_recv(cx))
}
