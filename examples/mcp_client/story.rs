//! The client and a server of its own.

use serde_json::json;
use tower::BoxError;

use super::{
    client::McpClient,
    grant,
    mcp_server::{McpServer, SCOPES},
    support::{AuthServer, Choice, Settings, browser, check, is_attended},
    with_login,
};

pub(crate) async fn play() -> Result<(), BoxError> {
    let server = AuthServer::start(Settings::default()).await?;
    let mcp_server = McpServer::start(&server).await?;
    let url = mcp_server.url();
    println!("The MCP server is {url}. The client has nothing else.");

    let mut grant = grant(&url)?;
    if is_attended() {
        println!("Log in on the pages that your browser shows: for the list of tools, and for a call.");
    } else {
        grant = grant.login(|login| login.browser(browser(Choice::Allow).0));
    }
    let (service, tokens) = with_login(&url, grant)?;
    let mut client = McpClient::connect(&url, service).await?;
    println!("connected without a token");
    check(tokens.peek().is_none() && server.registrations() == 0, "nothing starts before the server demands a token")?;

    for tool in client.list_tools().await? {
        println!("{}: {}", tool.name, tool.description);
    }
    let token = tokens.peek().ok_or("there is no token")?;
    println!("the token has the scope `{}`", token.scope().unwrap_or_default());
    check(token.scope() == Some(SCOPES[0]), "the scope is the one that the server demanded")?;

    let result = client.call_tool("multiply", json!({ "a": 6, "b": 7 })).await?;
    println!("6 × 7 = {}", result["content"][0]["text"].as_str().unwrap_or_default());
    check(result["content"][0]["text"] == "42", "the tool was called")?;
    let token = tokens.peek().ok_or("there is no token")?;
    println!("the token has the scope `{}`", token.scope().unwrap_or_default());
    let has = |scope: &str| token.scope().is_some_and(|all| all.split(' ').any(|one| one == scope));
    check(SCOPES.into_iter().all(has), "the call needed another scope, and the token still has the first one")?;

    println!("token requests: {}, registered clients: {}", server.token_requests(), server.registrations());
    check(server.token_requests() == 2 && server.registrations() == 1, "two logins, and one registration for both")
}
