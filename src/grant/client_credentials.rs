//! Client credentials (RFC 6749 §4.4): a program that acts for itself.

use super::Grant;
use super::common::{Common, common_options};
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
/// Where a server hands out a refresh token, contrary to [§4.4.3], it is used; when it is refused, the grant is run again.
///
/// [RFC 6749 §4.4]: https://www.rfc-editor.org/rfc/rfc6749#section-4.4
/// [§4.4.3]: https://www.rfc-editor.org/rfc/rfc6749#section-4.4.3
#[derive(Clone, Debug)]
pub struct ClientCredentials {
    common: Common,
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
        let mut common = Common::new(endpoint);
        common.is_repeatable = true;
        Self { common }
    }
}

common_options!(ClientCredentials);

impl Grant for ClientCredentials {
    async fn obtain(&self, previous: Option<Token>, http: Transport) -> Result<Token, Error> {
        let grant_itself = || {
            let form = self.common.parameters.with_scope(Form::new("client_credentials"));
            self.common.endpoint.token(&http, form)
        };
        self.common.renew_or(previous, &http, grant_itself).await
    }

    fn name(&self) -> &'static str {
        "client_credentials"
    }
}
