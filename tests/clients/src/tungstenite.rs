//! A WebSocket whose handshake has the token.

use bytes::Bytes;
use http::StatusCode;
use http_body_util::Full;
use hyper_util::{client::legacy, rt::TokioExecutor};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, client::IntoClientRequest},
};
use tower::BoxError;
use tower_oauth2::{OAuth2Layer, Tokens, client::Client, grant::ClientCredentials};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

fn websocket_tokens(token_url: &str, url: &str) -> Result<Tokens, BoxError> {
    let http = legacy::Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let grant = ClientCredentials::new(token_url, Client::basic("example", "secret"))?;
    Ok(OAuth2Layer::new(grant).token_service(http).origin(url)?.tokens())
}

/// Opens a connection. If the server rejects the token, tries again once with a newer one.
async fn connect(tokens: &Tokens, url: &str) -> Result<Socket, BoxError> {
    let token = tokens.get().await?;
    match handshake(tokens, url).await {
        Err(error) if is_unauthorized(&error) => {
            // It has no effect if the token was refreshed already.
            tokens.reject(&token);
            handshake(tokens, url).await
        }
        outcome => outcome,
    }
}

async fn handshake(tokens: &Tokens, url: &str) -> Result<Socket, BoxError> {
    let mut request = url.into_client_request()?;
    tokens.authorize(&mut request).await?;
    let (socket, _) = connect_async(request).await?;
    Ok(socket)
}

fn is_unauthorized(error: &BoxError) -> bool {
    let error = error.downcast_ref();
    matches!(error, Some(Error::Http(response)) if response.status() == StatusCode::UNAUTHORIZED)
}

mod tests {
    use std::net::SocketAddr;

    use futures_util::{SinkExt, StreamExt};
    use http::{Response, header::AUTHORIZATION};
    use tokio::{net::TcpListener, task::JoinSet};
    use tokio_tungstenite::accept_hdr_async;
    use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request};

    use super::*;
    use crate::support::{AuthServer, Registry, Settings};

    /// Accepts handshakes with a valid token, and sends each message back.
    async fn serve(registry: Registry) -> (SocketAddr, JoinSet<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, mut tasks) = (listener.local_addr().unwrap(), JoinSet::new());
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(echo(registry.clone(), stream));
            }
        });
        (address, tasks)
    }

    #[expect(clippy::result_large_err, reason = "the callback returns the error type of tungstenite")]
    async fn echo(registry: Registry, stream: TcpStream) {
        let accept = |request: &Request, response| {
            let header = request.headers().get(AUTHORIZATION);
            if registry.accepts_header(header.map(|value| value.as_bytes())) {
                Ok(response)
            } else {
                Err(unauthorized())
            }
        };
        let Ok(mut socket) = accept_hdr_async(stream, accept).await else { return };
        while let Some(Ok(message)) = socket.next().await {
            if message.is_text() {
                socket.send(message).await.unwrap();
            }
        }
    }

    fn unauthorized() -> ErrorResponse {
        let mut response = Response::new(None);
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        response
    }

    async fn greet(tokens: Tokens, url: String) -> String {
        let mut socket = connect(&tokens, &url).await.unwrap();
        socket.send("hello".into()).await.unwrap();
        let message = socket.next().await.unwrap().unwrap();
        socket.close(None).await.unwrap();
        message.to_string()
    }

    #[tokio::test]
    async fn handshakes_share_one_token_and_are_repeated_after_a_rejection() {
        let server = AuthServer::start(Settings::default()).await.unwrap();
        let (address, _tasks) = serve(server.registry().clone()).await;
        let url = format!("ws://{address}/events");
        let tokens = websocket_tokens(&server.token_url(), &url).unwrap();

        let sockets: Vec<_> = (0..8).map(|_| tokio::spawn(greet(tokens.clone(), url.clone()))).collect();
        for socket in sockets {
            assert_eq!(socket.await.unwrap(), "hello");
        }
        assert_eq!(server.token_requests(), 1);

        server.registry().revoke_access_tokens();
        assert_eq!(greet(tokens, url).await, "hello");
        assert_eq!(server.token_requests(), 2);
    }
}
