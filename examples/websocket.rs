//! A WebSocket client: the token is attached to the handshake request, which is sent without the layer.
//!
//! ```text
//! cargo run --example websocket
//! ```
//!
//! `Tokens::authorize` applies the rules of the layer: `wss` is treated as `https`, `ws` as `http`, and a request to another origin
//! is not changed. `Tokens::reject` reports a 401 of the handshake to the layer.
//!
//! The example needs no setup. The authorization server and the WebSocket server run inside the program, on 127.0.0.1.

mod support;

use std::io;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{Response, StatusCode, header::AUTHORIZATION};
use http_body_util::Full;
use hyper_util::{client::legacy, rt::TokioExecutor};
use support::{AuthServer, Registry, Settings, check};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async, client_async,
    tungstenite::{
        self, Message,
        client::IntoClientRequest,
        handshake::server::{ErrorResponse, Request},
    },
};
use tower::BoxError;
use tower_oauth2::{OAuth2Layer, Tokens, client::Client, grant::ClientCredentials};

#[tokio::main]
pub(crate) async fn main() -> Result<(), BoxError> {
    let server = AuthServer::start(Settings::default()).await?;
    let events = Events::start(server.registry().clone()).await?;

    let grant = ClientCredentials::new(server.token_url(), Client::basic("example", "secret"))?;
    let http = legacy::Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let tokens = OAuth2Layer::new(grant).token_service(http).origin(events.url("/"))?.tokens();

    let greeting = greet(connect(&tokens, &events).await?).await?;
    println!("the server sends: {greeting}");
    check(greeting == "hello, world", "the server responds to a message")?;

    let mut elsewhere = "wss://other.example/".into_client_request()?;
    let is_attached = tokens.authorize(&mut elsewhere).await?;
    check(!is_attached && !elsewhere.headers().contains_key(AUTHORIZATION), "another origin does not get the token")?;

    server.registry().revoke_access_tokens();
    let greeting = greet(connect(&tokens, &events).await?).await?;
    println!("and with a new token, after the first was revoked: {greeting}");
    check(server.token_requests() == 2, "the rejection of the handshake caused one more token request")
}

/// Opens a connection. If the server rejects the token, tries again once with a new one.
async fn connect(tokens: &Tokens, events: &Events) -> Result<WebSocketStream<TcpStream>, BoxError> {
    let token = tokens.get().await?;
    match handshake(tokens, events).await {
        Err(error) if is_unauthorized(&error) => {
            println!("the server rejects the token: {error}");
            // Unlike `invalidate`, it has no effect if another connection has already caused a refresh.
            tokens.reject(&token);
            handshake(tokens, events).await
        }
        outcome => outcome,
    }
}

async fn handshake(tokens: &Tokens, events: &Events) -> Result<WebSocketStream<TcpStream>, BoxError> {
    let mut request = events.url("/events").into_client_request()?;
    check(tokens.authorize(&mut request).await?, "the token is attached")?;
    let stream = TcpStream::connect(events.address).await?;
    let (socket, _) = client_async(request, stream).await?;
    Ok(socket)
}

fn is_unauthorized(error: &BoxError) -> bool {
    let error = error.downcast_ref();
    matches!(error, Some(tungstenite::Error::Http(response)) if response.status() == StatusCode::UNAUTHORIZED)
}

async fn greet(mut socket: WebSocketStream<TcpStream>) -> Result<String, BoxError> {
    socket.send("world".into()).await?;
    let message = socket.next().await.ok_or("the server closed the connection")??;
    socket.close(None).await?;
    Ok(message.into_text()?.to_string())
}

/// The WebSocket server, which stops when it is dropped.
struct Events {
    address: std::net::SocketAddr,
    _task: JoinSet<()>,
}

impl Events {
    async fn start(registry: Registry) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let mut task = JoinSet::new();
        task.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // An error of one connection does not stop the server.
                let _ = serve(&registry, stream).await;
            }
        });
        Ok(Self { address, _task: task })
    }

    fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address)
    }
}

/// Accepts the handshake if its token is valid. Responds to each name with a greeting.
#[expect(clippy::result_large_err, reason = "the callback returns the error type of tungstenite")]
async fn serve(registry: &Registry, stream: TcpStream) -> Result<(), tungstenite::Error> {
    let mut socket = accept_hdr_async(stream, |request: &Request, response| {
        let header = request.headers().get(AUTHORIZATION);
        if registry.accepts_header(header.map(|value| value.as_bytes())) { Ok(response) } else { Err(unauthorized()) }
    })
    .await?;
    while let Some(message) = socket.next().await {
        if let Message::Text(name) = message? {
            socket.send(format!("hello, {name}").into()).await?;
        }
    }
    Ok(())
}

fn unauthorized() -> ErrorResponse {
    let mut response = Response::new(None);
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    response
}
