//! Client credentials (RFC 6749 §4.4): a program that acts for itself.

use super::Grant;
use super::parameters::Parameters;
use super::refresh;
use crate::client::Client;
use crate::endpoint::TokenEndpoint;
use crate::error::Error;
use crate::form::Form;
use crate::into_url::IntoUrl;
use crate::token::Token;
use crate::transport::Transport;

/// The client credentials grant ([RFC 6749 §4.4]).
///
/// ```
/// use tower_oauth2::{OAuth2Layer, client::Client, grant::ClientCredentials};
///
/// # fn main() -> Result<(), tower_oauth2::Error> {
/// let grant = ClientCredentials::new("https://auth.example.com/token", Client::basic("id", "secret"))?
///     .scope("read write")?
///     .param("audience", "https://api.example.com");
/// let layer = OAuth2Layer::new(grant);
/// # let _ = layer;
/// # Ok(())
/// # }
/// ```
///
/// Where a server hands out a refresh token, contrary to [§4.4.3], it is used; when it is refused, the grant is run again.
///
/// [RFC 6749 §4.4]: https://www.rfc-editor.org/rfc/rfc6749#section-4.4
/// [§4.4.3]: https://www.rfc-editor.org/rfc/rfc6749#section-4.4.3
#[derive(Clone, Debug)]
pub struct ClientCredentials {
    endpoint: TokenEndpoint,
    parameters: Parameters,
}

impl ClientCredentials {
    /// The grant at this token endpoint, for this client.
    ///
    /// # Errors
    ///
    /// As [`TokenEndpoint::new`].
    pub fn new(token_url: impl IntoUrl, client: Client) -> Result<Self, Error> {
        Ok(Self::at(TokenEndpoint::new(token_url, client)?))
    }

    /// The grant at an endpoint that was made otherwise, such as with [`TokenEndpoint::dangerous_cleartext`].
    pub fn at(endpoint: TokenEndpoint) -> Self {
        Self { endpoint, parameters: Parameters::default() }
    }

    /// The scope to ask for: names with blanks between ([RFC 6749 §3.3]). Without any, the server chooses.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when it holds a character that no scope may have.
    ///
    /// [RFC 6749 §3.3]: https://www.rfc-editor.org/rfc/rfc6749#section-3.3
    pub fn scope(mut self, scope: impl Into<String>) -> Result<Self, Error> {
        self.parameters.set_scope(&scope.into())?;
        Ok(self)
    }

    /// A further parameter of every token request, such as `audience`.
    ///
    /// A parameter that the grant sends itself, such as `scope` or `client_id`, is neither replaced nor sent twice.
    #[must_use]
    pub fn param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.add(name, value);
        self
    }

    /// The API that the token is for ([RFC 8707]); may be given several times.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when it is no absolute URI, or has a fragment.
    ///
    /// [RFC 8707]: https://www.rfc-editor.org/rfc/rfc8707#section-2
    pub fn resource(mut self, uri: impl Into<String>) -> Result<Self, Error> {
        self.parameters.add_resource(uri)?;
        Ok(self)
    }
}

impl Grant for ClientCredentials {
    async fn obtain(&self, previous: Option<Token>, http: Transport) -> Result<Token, Error> {
        let grant_itself = || {
            let form = self.parameters.with_scope(Form::new("client_credentials"));
            self.endpoint.token(&http, form)
        };
        refresh::or_else(&self.endpoint, &http, &self.parameters, previous.as_ref(), grant_itself).await
    }
}
