//! An MCP server with two tools and two scopes. Nothing here is part of the client.

use std::io;

use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE},
};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::support::{AuthServer, Listener, Registry, ServerResponse, json_response, not_found};

const METADATA_PATH: &str = "/.well-known/oauth-protected-resource/mcp";

/// The scope for the list of tools, and the one for a call.
pub(crate) const SCOPES: [&str; 2] = ["tools:list", "tools:call"];

pub(crate) struct McpServer(Listener);

#[derive(Clone)]
struct Resource {
    origin: String,
    issuer: String,
    tokens: Registry,
}

impl McpServer {
    pub(crate) async fn start(server: &AuthServer) -> io::Result<Self> {
        let bound = Listener::bind().await?;
        let (origin, issuer, tokens) = (bound.origin(), server.issuer().to_owned(), server.registry().clone());
        let resource = Resource { origin, issuer, tokens };
        Ok(Self(bound.serve(move |request| respond(resource.clone(), request))))
    }

    pub(crate) fn url(&self) -> String {
        format!("{}/mcp", self.0.origin())
    }
}

async fn respond(resource: Resource, request: Request<Incoming>) -> ServerResponse {
    match (request.method(), request.uri().path()) {
        (&Method::GET, METADATA_PATH) => {
            let metadata = json!({
                "resource": format!("{}/mcp", resource.origin),
                "authorization_servers": [resource.issuer],
                "scopes_supported": SCOPES,
            });
            json_response(StatusCode::OK, &metadata)
        }
        (&Method::POST, "/mcp") => message(&resource, request).await,
        _ => not_found(),
    }
}

async fn message(resource: &Resource, request: Request<Incoming>) -> ServerResponse {
    let token = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let token = token.map(str::to_owned);
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let message: Value = serde_json::from_slice(&body).unwrap_or_default();
    let method = message["method"].as_str().unwrap_or_default();
    let scope = match method {
        "tools/list" => SCOPES[0],
        "tools/call" => SCOPES[1],
        "initialize" => {
            let result = json!({
                "protocolVersion": "2025-11-25",
                "capabilities": { "tools": {} },
                "serverInfo": { "name": "mcp_server", "version": "1" },
            });
            return json_response(StatusCode::OK, &reply(&message, result));
        }
        _ => return json_response(StatusCode::ACCEPTED, &Value::Null),
    };
    let Some(token) = token.filter(|token| resource.tokens.accepts(token)) else {
        return challenge(resource, StatusCode::UNAUTHORIZED, "", scope);
    };
    if !resource.tokens.has_scope(&token, scope) {
        return challenge(resource, StatusCode::FORBIDDEN, "error=\"insufficient_scope\", ", scope);
    }
    if method == "tools/list" {
        let tools = json!({ "tools": [
            { "name": "add", "description": "Adds two numbers", "inputSchema": { "type": "object" } },
            { "name": "multiply", "description": "Multiplies two numbers", "inputSchema": { "type": "object" } },
        ] });
        return json_response(StatusCode::OK, &reply(&message, tools));
    }
    let arguments = &message["params"]["arguments"];
    let [a, b] = ["a", "b"].map(|name| arguments[name].as_i64().unwrap_or_default());
    let number = if message["params"]["name"] == "add" { a + b } else { a * b };
    let result = json!({ "content": [{ "type": "text", "text": number.to_string() }] });
    events(&[json!({ "jsonrpc": "2.0", "method": "notifications/message" }), reply(&message, result)])
}

fn reply(message: &Value, result: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": message["id"], "result": result })
}

/// A stream of events, as servers use for calls that take long.
fn events(messages: &[Value]) -> ServerResponse {
    let stream: String = messages.iter().map(|message| format!("event: message\ndata: {message}\n\n")).collect();
    let mut response = Response::new(stream.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response
}

/// RFC 6750 §3 and RFC 9728 §5.1: what is missing, and where to get it.
fn challenge(resource: &Resource, status: StatusCode, error: &str, scope: &str) -> ServerResponse {
    let mut response = json_response(status, &Value::Null);
    let metadata = format!("{}{METADATA_PATH}", resource.origin);
    let challenge = format!("Bearer {error}scope=\"{scope}\", resource_metadata=\"{metadata}\"");
    if let Ok(value) = HeaderValue::from_str(&challenge) {
        response.headers_mut().insert(WWW_AUTHENTICATE, value);
    }
    response
}
