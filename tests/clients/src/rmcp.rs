//! The MCP SDK, whose HTTP client gets the token from the layer.

use std::{collections::HashMap, io, sync::Arc};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use http::{HeaderName, HeaderValue};
use http_body_util::Full;
use hyper_util::{client::legacy, rt::TokioExecutor};
use rmcp::{
    model::ClientJsonRpcMessage,
    transport::streamable_http_client::{
        SseError, StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse,
    },
};
use sse_stream::Sse;
use tower::BoxError;
use tower_oauth2::{OAuth2Layer, Tokens, client::Client, grant::ClientCredentials};

type McpError = StreamableHttpError<reqwest::Error>;

#[derive(Clone)]
struct McpHttpClient {
    reqwest: reqwest::Client,
    tokens: Tokens,
}

impl McpHttpClient {
    /// Sends a request, and again with a newer token if the server rejects the first one.
    async fn send<T, F>(&self, send: impl Fn(String) -> F) -> Result<T, McpError>
    where
        F: Future<Output = Result<T, McpError>>,
    {
        let token = self.tokens.get().await.map_err(io::Error::other)?;
        match send(token.access_token().to_owned()).await {
            Err(StreamableHttpError::AuthRequired(_)) => {
                // It has no effect if the token was refreshed already.
                self.tokens.reject(&token);
                let token = self.tokens.get().await.map_err(io::Error::other)?;
                send(token.access_token().to_owned()).await
            }
            outcome => outcome,
        }
    }
}

impl StreamableHttpClient for McpHttpClient {
    type Error = reqwest::Error;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        _: Option<String>,
        headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<StreamableHttpPostResponse, McpError> {
        let http = &self.reqwest;
        self.send(|token| {
            http.post_message(uri.clone(), message.clone(), session.clone(), Some(token), headers.clone())
        })
        .await
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last_event_id: Option<String>,
        _: Option<String>,
        headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, McpError> {
        let http = &self.reqwest;
        self.send(|token| {
            http.get_stream(uri.clone(), session.clone(), last_event_id.clone(), Some(token), headers.clone())
        })
        .await
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session: Arc<str>,
        _: Option<String>,
        headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<(), McpError> {
        let http = &self.reqwest;
        self.send(|token| http.delete_session(uri.clone(), session.clone(), Some(token), headers.clone())).await
    }
}

fn mcp_http_client(token_url: &str) -> Result<McpHttpClient, BoxError> {
    let reqwest = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    let http = legacy::Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let grant = ClientCredentials::new(token_url, Client::basic("example", "secret"))?;
    Ok(McpHttpClient { reqwest, tokens: OAuth2Layer::new(grant).token_service(http).tokens() })
}

mod tests {
    use axum::{Json, Router, response::IntoResponse, routing};
    use http::StatusCode;
    use rmcp::ServiceExt;
    use rmcp::transport::StreamableHttpClientTransport;
    use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
    use serde_json::{Value, json};

    use super::*;
    use crate::protected::ProtectedApi;
    use crate::support::{AuthServer, Settings};

    /// Has one tool.
    async fn respond(Json(message): Json<Value>) -> axum::response::Response {
        let result = match message["method"].as_str().unwrap() {
            "initialize" => json!({
                "protocolVersion": "2025-11-25",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "tests", "version": "1"},
            }),
            "tools/list" => json!({"tools": [{"name": "search", "inputSchema": {"type": "object"}}]}),
            _ => return StatusCode::ACCEPTED.into_response(),
        };
        Json(json!({"jsonrpc": "2.0", "id": message["id"], "result": result})).into_response()
    }

    #[tokio::test]
    async fn requests_share_one_token_and_are_repeated_after_a_rejection() {
        let server = AuthServer::start(Settings::default()).await.unwrap();
        let api = ProtectedApi::start(&server, Router::new().route("/mcp", routing::post(respond))).await;
        let config = StreamableHttpClientTransportConfig::with_uri(format!("{}/mcp", api.origin()));
        let http = mcp_http_client(&server.token_url()).unwrap();
        let client = ().serve(StreamableHttpClientTransport::with_client(http, config)).await.unwrap();

        let calls: Vec<_> = (0..8)
            .map(|_| {
                let peer = client.peer().clone();
                tokio::spawn(async move { peer.list_all_tools().await })
            })
            .collect();
        for call in calls {
            assert_eq!(call.await.unwrap().unwrap()[0].name, "search");
        }
        assert_eq!((server.token_requests(), api.rejected()), (1, 0));

        server.registry().revoke_access_tokens();
        assert_eq!(client.list_all_tools().await.unwrap()[0].name, "search");
        assert_eq!((server.token_requests(), api.rejected()), (2, 1));
        client.cancel().await.unwrap();
    }
}
