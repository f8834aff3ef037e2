//! A refresh token alone (RFC 6749 §6): somebody logged in elsewhere.

use super::Grant;
use super::common::{Common, Renewal, common_options, login_needed};
use crate::client::Client;
use crate::endpoint::TokenEndpoint;
use crate::error::{Error, ErrorKind};
use crate::into_url::IntoUrl;
use crate::token::Token;
use crate::transport::Transport;

/// Starts from a refresh token ([RFC 6749 §6]) that was got elsewhere, such as by a login in another program.
///
/// ```
/// use tower_oauth2::{OAuth2Layer, client::Client, grant::RefreshToken};
///
/// # fn main() -> Result<(), tower_oauth2::Error> {
/// let client = Client::public("id");
/// let grant = RefreshToken::new("https://auth.example.com/token", client, "tGzv3JOkF0XG5Qx2TlKWIA")?;
/// let layer = OAuth2Layer::new(grant);
/// # let _ = layer;
/// # Ok(())
/// # }
/// ```
///
/// A rotated refresh token takes its place, in memory: follow [`Tokens::changes`](crate::Tokens::changes) to keep it for the
/// next start. When the server refuses it, there is nothing to fall back to:
/// [`ErrorKind::LoginNeeded`](crate::ErrorKind::LoginNeeded), until [`Tokens::set`](crate::Tokens::set) brings a new one.
///
/// [RFC 6749 §6]: https://www.rfc-editor.org/rfc/rfc6749#section-6
#[derive(Clone, Debug)]
pub struct RefreshToken {
    common: Common,
}

impl RefreshToken {
    /// The grant at this token endpoint, for the client that the refresh token was issued to.
    ///
    /// # Errors
    ///
    /// As [`TokenEndpoint::new`]; [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when the refresh token is
    /// empty.
    pub fn new(token_url: impl IntoUrl, client: Client, refresh_token: impl Into<String>) -> Result<Self, Error> {
        Self::at(TokenEndpoint::new(token_url, client)?, refresh_token)
    }

    /// The grant at an endpoint that was made otherwise, such as with [`TokenEndpoint::dangerous_cleartext`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when the refresh token is empty.
    pub fn at(endpoint: TokenEndpoint, refresh_token: impl Into<String>) -> Result<Self, Error> {
        let refresh_token = refresh_token.into();
        if refresh_token.is_empty() {
            return Err(Error::argument("refresh_token", "is empty"));
        }
        let mut common = Common::new(endpoint);
        common.preset.set_refresh_token(refresh_token);
        Ok(Self { common })
    }
}

common_options!(RefreshToken);

impl Grant for RefreshToken {
    async fn obtain(&self, previous: Option<Token>, http: Transport) -> Result<Token, Error> {
        match self.common.renew(previous.as_ref(), &http).await? {
            Renewal::Token(token) => Ok(token),
            Renewal::Refused(refused) => Err(login_needed(refused)),
            Renewal::First | Renewal::Impossible => {
                Err(Error::new(ErrorKind::LoginNeeded, "there is no refresh token any more"))
            }
        }
    }

    fn name(&self) -> &'static str {
        "refresh_token"
    }
}
