//! The login for a protected resource, whose client may be registered only when its redirect URI is known.

use std::future::Future;

use url::Url;

use super::owner::GrantId;
use crate::client::Client;
use crate::endpoint::{Issuer, TokenEndpoint};
use crate::error::Error;
use crate::grant::config::GrantConfig;
use crate::grant::{AuthorizationCode, Context};
use crate::token::Token;

impl AuthorizationCode {
    /// Creates the grant of a resource. The client of its endpoint only refreshes tokens: a login has a client of its own.
    pub(in crate::grant) fn of_resource(config: GrantConfig) -> Self {
        Self::from_config(config)
    }

    /// Checks that the function of the application has returned the login of the server, and demands PKCE, as MCP does.
    ///
    /// # Errors
    ///
    /// If it is another login, whose requests would send the refresh token to another server.
    pub(in crate::grant) fn require_server(&mut self, issuer: &Issuer) -> Result<(), Error> {
        self.has_pkce = true;
        match self.config.endpoint.issuer() {
            Some(other) if other.as_str() == issuer.as_str() => Ok(()),
            _ => Err(Error::argument("login", "the function must return the login that it gets, with other options")),
        }
    }

    /// Listens on the port of this redirect URI, if it is free and the application has chosen none.
    pub(in crate::grant) fn prefer_port_of(&mut self, redirect_uri: &str) {
        let port = Url::parse(redirect_uri).ok().and_then(|uri| uri.port());
        if let (true, Some(port)) = (self.loopback.ports.is_empty(), port) {
            self.loopback.ports = vec![port, 0];
        }
    }

    pub(in crate::grant) fn ask_consent(&mut self) {
        self.asks_consent = true;
    }

    pub(in crate::grant) fn requests_scope(&self) -> bool {
        self.config.parameters.scope().is_some()
    }

    /// Refreshes the token, or logs a user in with the client that `client_for` returns for the redirect URI of the login.
    pub(in crate::grant) async fn obtain_with_client<Fut>(
        &self,
        cx: &Context,
        grant_id: &GrantId,
        client_for: impl FnOnce(String) -> Fut,
    ) -> Result<Token, Error>
    where
        Fut: Future<Output = Result<Client, Error>>,
    {
        let this = Self { config: self.config.for_call(cx), ..self.clone() };
        let prepare = async |login: Self, redirect_uri| login.with_client(client_for(redirect_uri).await?);
        self.config.refresh_or_log_in(cx, self.logins, || this.log_in(cx, grant_id, prepare)).await
    }

    fn with_client(mut self, client: Client) -> Result<Self, Error> {
        self.config.endpoint = self.config.endpoint.with_client(client)?;
        self.client_id = self.config.endpoint.client_id()?.to_owned();
        Ok(self)
    }
}

impl TokenEndpoint {
    fn with_client(self, client: Client) -> Result<Self, Error> {
        match self.issuer().cloned() {
            Some(issuer) => self.for_issuer(&issuer, client),
            None => Err(Error::argument("client", "the authorization server of the resource is not known")),
        }
    }
}
