//! The client credentials grant (RFC 6749 §4.4): a program that acts on its own behalf.

use super::config::GrantConfig;
use super::grant_options::grant_options;
use super::{Context, Grant};
use crate::client::Client;
use crate::dpop::Dpop;
use crate::endpoint::{IntoIssuer, TokenEndpoint};
use crate::error::Error;
use crate::form::Form;
use crate::into_url::IntoUrl;
use crate::token::Token;

/// The client credentials grant ([RFC 6749 §4.4]), for programs that act on their own behalf.
///
/// ```
/// use tower_oauth2::{OAuth2Layer, client::Client, grant::ClientCredentials};
///
/// # fn main() -> Result<(), tower_oauth2::Error> {
/// let client = Client::basic("id", "secret");
/// let grant = ClientCredentials::new("https://auth.example.com/token", client)?
///     .scope("read write")?
///     .param("audience", "https://api.example.com");
/// let layer = OAuth2Layer::new(grant);
/// # let _ = layer;
/// # Ok(())
/// # }
/// ```
///
/// If a server issues a refresh token, contrary to [§4.4.3], the grant uses it. If the server rejects it, the client's credentials are
/// sent again.
///
/// [RFC 6749 §4.4]: https://www.rfc-editor.org/rfc/rfc6749#section-4.4
/// [§4.4.3]: https://www.rfc-editor.org/rfc/rfc6749#section-4.4.3
#[derive(Clone, Debug)]
pub struct ClientCredentials {
    config: GrantConfig,
}

impl ClientCredentials {
    /// Creates the grant for a token endpoint and a client.
    ///
    /// # Errors
    ///
    /// As [`TokenEndpoint::new`].
    pub fn new(token_url: impl IntoUrl, client: Client) -> Result<Self, Error> {
        Ok(Self::from_endpoint(TokenEndpoint::new(token_url, client)?))
    }

    /// Creates the grant for the server with this issuer identifier, whose endpoints are discovered with the first token request: see
    /// [`Issuer`](crate::endpoint::Issuer).
    ///
    /// # Errors
    ///
    /// As [`TokenEndpoint::discover`].
    pub fn from_issuer(issuer: impl IntoIssuer, client: Client) -> Result<Self, Error> {
        Ok(Self::from_endpoint(TokenEndpoint::discover(issuer, client)?))
    }

    /// Creates the grant for a configured endpoint, such as one made with [`TokenEndpoint::dangerous_cleartext`].
    pub fn from_endpoint(endpoint: TokenEndpoint) -> Self {
        let mut config = GrantConfig::new(endpoint);
        config.is_repeatable = true;
        Self { config }
    }
}

grant_options!(ClientCredentials);

impl Grant for ClientCredentials {
    async fn obtain(&self, cx: Context) -> Result<Token, Error> {
        let config = self.config.for_call(&cx);
        let grant_itself = || {
            let form = config.parameters.with_scope(Form::new("client_credentials"));
            config.endpoint.token(cx.transport(), form)
        };
        self.config.refresh_or(&cx, grant_itself).await
    }

    fn name(&self) -> &'static str {
        "client_credentials"
    }

    fn initial_token(&self) -> Option<Token> {
        self.config.initial.token()
    }

    fn dpop(&self) -> Option<Dpop> {
        self.config.endpoint.dpop_key().cloned()
    }
}
