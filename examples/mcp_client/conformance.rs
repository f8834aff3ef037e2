//! The client under test of the MCP conformance suite, which starts an MCP server and an authorization server for each scenario, and
//! gives the client the scenario in the environment and the server's URL as an argument.

use std::{future::ready, time::Duration};

use bytes::Bytes;
use http::{Request, header::LOCATION};
use http_body_util::Full;
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tower::BoxError;
use tower_oauth2::{
    Error,
    client::Client,
    dpop::Dpop,
    endpoint::Registration,
    grant::{
        AuthorizationCode, BoxGrant, ClientCredentials, Discovered, Grant, JwtBearer, ProtectedResource, TokenExchange,
        token_type,
    },
    jwt::Key,
    source::{Source, source_fn},
};
use url::Url;

use super::{
    client::{McpClient, is_stateless},
    with_login,
};

/// The suite never serves it. Its authorization servers know it.
const CLIENT_METADATA: &str = "https://conformance-test.local/client-metadata.json";

/// In some scenarios the login must fail, and the suite stops a client after 30 seconds.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(10);

/// The scenario that the suite plays.
pub(crate) struct Scenario {
    name: String,
    version: Option<String>,
    /// Credentials, in some scenarios.
    context: Value,
}

impl Scenario {
    pub(crate) fn from_environment() -> Result<Option<Self>, BoxError> {
        let variable = |name: &str| std::env::var(format!("MCP_CONFORMANCE_{name}")).ok();
        let Some(name) = variable("SCENARIO") else { return Ok(None) };
        let context = serde_json::from_str(&variable("CONTEXT").unwrap_or_else(|| "{}".to_owned()))?;
        Ok(Some(Self { name, version: variable("PROTOCOL_VERSION"), context }))
    }

    /// Lists the tools and calls each.
    pub(crate) async fn run(self, url: &str) -> Result<(), BoxError> {
        let (service, _) = with_login(url, self.grant(url)?)?;
        let mut client = match &self.version {
            Some(version) if is_stateless(version) => McpClient::stateless(url, service, version),
            _ => McpClient::connect(url, service).await?,
        };
        for tool in client.list_tools().await? {
            println!("{}: {}", tool.name, client.call_tool(&tool.name, json!({})).await?);
        }
        Ok(())
    }

    fn grant(&self, url: &str) -> Result<ProtectedResource, BoxError> {
        let grant = ProtectedResource::new(url)?
            .client_metadata(Client::public(CLIENT_METADATA))?
            .register(Registration::new("mcp_client"))
            .login(|login| headless(login).relogin(true));
        if self.name.starts_with("auth/2025-03-26-") {
            return Ok(grant.legacy_fallback());
        }
        if self.name.starts_with("auth/dpop") {
            return Ok(grant.dpop(Dpop::new(Key::generate()?)));
        }
        if self.name == "auth/pre-registration"
            && let Some(issuer) = self.text("issuer")
        {
            return Ok(grant.client(issuer, self.client()?));
        }
        if self.text("client_id").is_none() {
            return Ok(grant);
        }
        // The credentials are for whichever authorization server the suite has started. Others check `found.issuer()` first.
        let scenario = Self { name: self.name.clone(), version: None, context: self.context.clone() };
        Ok(grant.with_grant(move |found| scenario.grant_with_credentials(found)))
    }

    fn grant_with_credentials(&self, found: &Discovered) -> Result<BoxGrant, Error> {
        let (issuer, client) = (found.issuer(), self.client()?);
        if self.name == "auth/pre-registration" {
            return Ok(headless(AuthorizationCode::from_issuer(issuer, client)?).boxed());
        }
        if let Some(assertion) = self.text("valid_jwt") {
            return Ok(JwtBearer::from_issuer(issuer, client, fixed(assertion))?.boxed());
        }
        if let (Some(token_url), Some(id), Some(id_token)) =
            (self.text("idp_token_endpoint"), self.text("idp_client_id"), self.text("idp_id_token"))
        {
            // The company's identity provider issues an assertion for the authorization server.
            let client_of_idp = Client::public(id);
            let assertion = TokenExchange::new(token_url, client_of_idp, token_type::ID_TOKEN, fixed(id_token))?
                .requested_token_type(token_type::ID_JAG)
                .param("audience", issuer.as_str())
                .resource(found.resource())?;
            return Ok(JwtBearer::from_issuer(issuer, client, assertion)?.boxed());
        }
        Ok(ClientCredentials::from_issuer(issuer, client)?.boxed())
    }

    fn client(&self) -> Result<Client, Error> {
        let id = self.text("client_id").unwrap_or_default();
        Ok(match (self.text("private_key_pem"), self.text("client_secret")) {
            (Some(pem), _) => Client::private_key_jwt(id, Key::from_pem(pem)?),
            (None, Some(secret)) => Client::basic(id, secret),
            (None, None) => Client::public(id),
        })
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.context[name].as_str()
    }
}

fn fixed(text: &str) -> impl Source {
    let text = text.to_owned();
    source_fn(move |_| ready(Ok(text.clone())))
}

/// A login without a person: the server redirects at once.
fn headless(login: AuthorizationCode) -> AuthorizationCode {
    let runtime = Handle::current();
    login.timeout(LOGIN_TIMEOUT).browser(move |url| {
        let url = url.clone();
        runtime.spawn(async move {
            if let Err(error) = follow_one_redirect(&url).await {
                eprintln!("the browser: {error}");
            }
        });
    })
}

async fn follow_one_redirect(url: &Url) -> Result<(), BoxError> {
    let http: legacy::Client<HttpConnector, Full<Bytes>> = legacy::Client::builder(TokioExecutor::new()).build_http();
    let response = http.request(Request::get(url.as_str()).body(Full::default())?).await?;
    let location = response.headers().get(LOCATION).ok_or("the server does not redirect")?.to_str()?;
    http.request(Request::get(location).body(Full::default())?).await?;
    Ok(())
}
