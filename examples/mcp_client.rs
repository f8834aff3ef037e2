//! An MCP client that has nothing but the server's URL.
//!
//! ```text
//! cargo run --example mcp_client --features https,jwt,loopback -- https://mcp.example.com/mcp
//! ```
//!
//! logs in to that server with the system's browser, lists its tools, and calls one if you name it and its arguments:
//!
//! ```text
//! cargo run --example mcp_client --features https,jwt,loopback -- https://mcp.example.com/mcp search '{"query": "tower"}'
//! ```
//!
//! The first response without a token names the metadata of the resource (RFC 9728), which names the authorization server, whose metadata
//! (RFC 8414) names its endpoints. The program registers itself there (RFC 7591) and logs in. If a tool needs more scope, it logs in again
//! for both. `mcp_client/client.rs` is the protocol, without any of this.
//!
//! Without a URL, an MCP server and its authorization server run inside the program, on 127.0.0.1. On a terminal, you log in, as `alice` with
//! any password. Without a terminal, or with `TOWER_OAUTH2_UNATTENDED=1`, the program simulates the user.
//!
//! `mcp_client/conformance.rs` makes this the client under test of the MCP conformance suite: `bash .ci/run conformance`.

#[path = "mcp_client/client.rs"]
mod client;
#[path = "mcp_client/conformance.rs"]
mod conformance;
#[path = "mcp_client/mcp_server.rs"]
mod mcp_server;
#[path = "mcp_client/message.rs"]
mod message;
#[path = "mcp_client/story.rs"]
mod story;
mod support;

use bytes::Bytes;
use client::{HttpService, McpClient};
use conformance::Scenario;
use http_body_util::Full;
use serde_json::Value;
use tower::{BoxError, ServiceBuilder, retry::RetryLayer};
use tower_oauth2::{
    OAuth2Layer, Tokens,
    endpoint::Registration,
    grant::{Grant, ProtectedResource},
    https,
    retry::RetryUnauthorized,
};

#[tokio::main]
pub(crate) async fn main() -> Result<(), BoxError> {
    // In a test, the arguments belong to the test harness.
    let mut arguments = std::env::args().skip(1).filter(|_| !cfg!(test));
    match (arguments.next(), Scenario::from_environment()?) {
        (None, _) => story::play().await,
        (Some(url), Some(scenario)) => scenario.run(&url).await,
        (Some(url), None) => list_or_call(&url, arguments.next(), arguments.next()).await,
    }
}

/// Logs in with the system's browser, lists the tools, and calls one.
async fn list_or_call(url: &str, tool: Option<String>, arguments: Option<String>) -> Result<(), BoxError> {
    let (service, tokens) = with_login(url, grant(url)?)?;
    let mut client = McpClient::connect(url, service).await?;
    for tool in client.list_tools().await? {
        println!("{}: {}", tool.name, tool.description.lines().next().unwrap_or("no description"));
    }
    if let Some(tool) = tool {
        let arguments: Value = serde_json::from_str(arguments.as_deref().unwrap_or("{}"))?;
        println!("{:#}", client.call_tool(&tool, arguments).await?);
    }
    tokens.flush().await;
    Ok(())
}

/// The grant for any MCP server. A program that is started often adds `.persisted(store)`, to keep the login and the registration, and
/// `.client_metadata(…)`, if it has a client ID metadata document.
fn grant(url: &str) -> Result<ProtectedResource, BoxError> {
    Ok(ProtectedResource::new(url)?
        .register(Registration::new("mcp_client, an example of tower-oauth2"))
        // The server may name another authorization server later, or may end the login.
        .login(|login| login.relogin(true)))
}

/// Wraps an HTTP client. No token is obtained until the server demands one, and more scope is obtained where a tool needs it.
fn with_login(url: &str, grant: impl Grant) -> Result<(impl HttpService, Tokens), BoxError> {
    let origin = url::Url::parse(url)?.origin().ascii_serialization();
    let oauth = OAuth2Layer::new(grant).origin(origin)?.on_challenge().step_up();
    let tokens = oauth.tokens();
    let service = ServiceBuilder::new()
        // A request that is repeated after a login has its body again.
        .layer(RetryLayer::new(RetryUnauthorized::new().replay(|body: &Full<Bytes>| Some(body.clone()))))
        .layer(oauth)
        .service(https::client::<Full<Bytes>>()?);
    Ok((service, tokens))
}
