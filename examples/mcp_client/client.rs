//! The Model Context Protocol over streamable HTTP: as much of it as lists and calls tools.

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Request, Response, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use serde_json::{Value, json};
use tower::{BoxError, Service, ServiceExt};

use super::message;

/// The version that this client offers.
const VERSION: &str = "2025-11-25";
/// From this version on there is no `initialize`, and each request describes the client.
const FIRST_STATELESS_VERSION: &str = "2026-07-28";

const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// An HTTP client, with or without the layer.
pub(crate) trait HttpService:
    Service<Request<Full<Bytes>>, Response = Response<Incoming>, Error = BoxError>
{
}

impl<S> HttpService for S where S: Service<Request<Full<Bytes>>, Response = Response<Incoming>, Error = BoxError> {}

/// A client of one MCP server.
pub(crate) struct McpClient<S> {
    url: String,
    http: S,
    /// The version that both sides know, once they have agreed.
    version: Option<String>,
    session: Option<HeaderValue>,
    requests: u64,
}

pub(crate) struct Tool {
    pub(crate) name: String,
    pub(crate) description: String,
}

impl<S: HttpService> McpClient<S> {
    /// Agrees with the server on a version of the protocol.
    pub(crate) async fn connect(url: &str, http: S) -> Result<Self, BoxError> {
        let mut client = Self { url: url.to_owned(), http, version: None, session: None, requests: 0 };
        let offer = json!({ "protocolVersion": VERSION, "capabilities": {}, "clientInfo": client_info() });
        let agreed = client.request("initialize", offer).await?;
        client.version = agreed["protocolVersion"].as_str().map(str::to_owned);
        client.notify("notifications/initialized").await?;
        Ok(client)
    }

    /// Uses a version in which nothing has to be agreed.
    pub(crate) fn stateless(url: &str, http: S, version: &str) -> Self {
        Self { url: url.to_owned(), http, version: Some(version.to_owned()), session: None, requests: 0 }
    }

    pub(crate) async fn list_tools(&mut self) -> Result<Vec<Tool>, BoxError> {
        let mut tools = Vec::new();
        let mut cursor = Value::Null;
        loop {
            let params = if cursor.is_null() { json!({}) } else { json!({ "cursor": cursor }) };
            let page = self.request("tools/list", params).await?;
            let text = |tool: &Value, name: &str| tool[name].as_str().unwrap_or_default().to_owned();
            let page_tools = page["tools"].as_array().into_iter().flatten();
            tools.extend(
                page_tools.map(|tool| Tool { name: text(tool, "name"), description: text(tool, "description") }),
            );
            cursor = page["nextCursor"].clone();
            if cursor.is_null() {
                return Ok(tools);
            }
        }
    }

    /// Calls a tool and returns its result.
    pub(crate) async fn call_tool(&mut self, name: &str, arguments: Value) -> Result<Value, BoxError> {
        self.request("tools/call", json!({ "name": name, "arguments": arguments })).await
    }

    async fn request(&mut self, method: &str, mut params: Value) -> Result<Value, BoxError> {
        self.requests += 1;
        let id = self.requests;
        if let Some(version) = self.version.as_deref().filter(|version| is_stateless(version)) {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": version,
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo": client_info(),
            });
        }
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let response = self.post(method, &message).await?;
        if let Some(session) = response.headers().get(SESSION_ID) {
            self.session = Some(session.clone());
        }
        if response.status() != StatusCode::OK {
            return Err(unexpected(method, response).await);
        }
        message::read_result(response, id).await
    }

    async fn notify(&mut self, method: &str) -> Result<(), BoxError> {
        let response = self.post(method, &json!({ "jsonrpc": "2.0", "method": method })).await?;
        if response.status().is_success() { Ok(()) } else { Err(unexpected(method, response).await) }
    }

    /// Sends a message. The response is JSON or a stream of events.
    async fn post(&mut self, method: &str, message: &Value) -> Result<Response<Incoming>, BoxError> {
        let mut request = Request::post(&self.url)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json, text/event-stream")
            .header(METHOD, method);
        if let Some(name) = message["params"]["name"].as_str() {
            request = request.header(NAME, name);
        }
        if let Some(version) = &self.version {
            request = request.header(PROTOCOL_VERSION, version);
        }
        if let Some(session) = &self.session {
            request = request.header(SESSION_ID, session);
        }
        let request = request.body(Full::from(message.to_string()))?;
        self.http.ready().await?.call(request).await
    }
}

/// Whether this version has no `initialize`. Versions are dates.
pub(crate) fn is_stateless(version: &str) -> bool {
    version >= FIRST_STATELESS_VERSION
}

fn client_info() -> Value {
    json!({ "name": "mcp_client", "version": env!("CARGO_PKG_VERSION") })
}

async fn unexpected(method: &str, response: Response<Incoming>) -> BoxError {
    let status = response.status();
    let body = response.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    format!("`{method}`: the server responds with {status}: {}", String::from_utf8_lossy(&body)).into()
}
