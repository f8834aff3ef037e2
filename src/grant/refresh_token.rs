//! A grant that starts from a refresh token (RFC 6749 §6).

use super::config::{GrantConfig, RefreshOutcome, login_required, person_required};
use super::grant_options::grant_options;
use super::{Context, Grant};
use crate::challenge::Demand;
use crate::client::Client;
use crate::dpop::Dpop;
use crate::endpoint::{IntoIssuer, TokenEndpoint};
use crate::error::{Error, ErrorKind};
use crate::into_url::IntoUrl;
use crate::secret::CharacterSet;
use crate::token::Token;

/// A grant that starts from a refresh token ([RFC 6749 §6]), such as one of a login in another program.
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
/// If the server rotates refresh tokens, the newest one is in memory only: use [`persisted`](Self::persisted), or follow
/// [`Tokens::changes`](crate::Tokens::changes), to keep it for the next start. If the server rejects it, requests fail with
/// [`ErrorKind::LoginRequired`](crate::ErrorKind::LoginRequired) until [`Tokens::set`](crate::Tokens::set) sets a new token. After
/// `invalid_grant` the refresh token is not sent again. After another rejection it is sent again when the back-off has passed.
///
/// With [`token`](Self::token) the first request needs no token request. A token without a refresh token of its own is refreshed
/// with that of the grant.
///
/// [RFC 6749 §6]: https://www.rfc-editor.org/rfc/rfc6749#section-6
#[derive(Clone, Debug)]
pub struct RefreshToken {
    config: GrantConfig,
}

impl RefreshToken {
    /// Creates the grant for a token endpoint and the client that the refresh token was issued to.
    ///
    /// # Errors
    ///
    /// As [`TokenEndpoint::new`]; [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if the refresh token is
    /// empty, or has a character that a refresh token cannot have, such as a line break at its end.
    pub fn new(token_url: impl IntoUrl, client: Client, refresh_token: impl Into<String>) -> Result<Self, Error> {
        Self::from_endpoint(TokenEndpoint::new(token_url, client)?, refresh_token)
    }

    /// Creates the grant for the server with this issuer identifier, whose endpoints are discovered with the first token request: see
    /// [`Issuer`](crate::endpoint::Issuer). For a [`stored`](Self::stored) refresh token, pass [`TokenEndpoint::discover`] to
    /// [`stored_from_endpoint`](Self::stored_from_endpoint).
    ///
    /// # Errors
    ///
    /// As [`TokenEndpoint::discover`]; [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) as for [`RefreshToken::new`].
    pub fn from_issuer(
        issuer: impl IntoIssuer,
        client: Client,
        refresh_token: impl Into<String>,
    ) -> Result<Self, Error> {
        Self::from_endpoint(TokenEndpoint::discover(issuer, client)?, refresh_token)
    }

    /// Creates the grant for a configured endpoint, such as one made with [`TokenEndpoint::dangerous_cleartext`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) as for [`RefreshToken::new`].
    pub fn from_endpoint(endpoint: TokenEndpoint, refresh_token: impl Into<String>) -> Result<Self, Error> {
        let refresh_token = refresh_token.into();
        if refresh_token.is_empty() {
            return Err(Error::argument("refresh_token", "is empty"));
        }
        if let Some(violation) = CharacterSet::Visible.violation(&refresh_token) {
            return Err(Error::argument("refresh_token", violation));
        }
        let mut config = GrantConfig::new(endpoint);
        config.initial.set_refresh_token(refresh_token);
        Ok(Self { config })
    }

    /// Creates the grant for a refresh token that is only in the store of [`persisted`](Self::persisted).
    ///
    /// Another program has stored it, such as one in which a person logs in, or
    /// [`Persisted::save`](crate::grant::Persisted::save) has.
    ///
    /// ```
    /// use tower_oauth2::{OAuth2Layer, client::Client, grant::RefreshToken, store::MemoryStore};
    ///
    /// # fn main() -> Result<(), tower_oauth2::Error> {
    /// let grant = RefreshToken::stored("https://auth.example.com/token", Client::public("id"))?;
    /// let layer = OAuth2Layer::new(grant.persisted(MemoryStore::new()));
    /// # let _ = layer;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Requests fail with [`ErrorKind::LoginRequired`] while the store has no entry, and always without a store.
    ///
    /// # Errors
    ///
    /// As [`TokenEndpoint::new`].
    pub fn stored(token_url: impl IntoUrl, client: Client) -> Result<Self, Error> {
        Ok(Self::stored_from_endpoint(TokenEndpoint::new(token_url, client)?))
    }

    /// Creates the grant of [`stored`](Self::stored) for a configured endpoint.
    pub fn stored_from_endpoint(endpoint: TokenEndpoint) -> Self {
        Self { config: GrantConfig::new(endpoint) }
    }
}

grant_options!(RefreshToken);

impl Grant for RefreshToken {
    async fn obtain(&self, cx: Context) -> Result<Token, Error> {
        if cx.demand().is_some_and(Demand::needs_login) {
            return Err(person_required());
        }
        match self.config.try_refresh(&cx).await? {
            RefreshOutcome::Token(token) => Ok(token),
            RefreshOutcome::Rejected(rejected) => Err(login_required(rejected)),
            RefreshOutcome::NoToken if !self.config.initial.has_refresh_token() => {
                let why = "no refresh token is stored; log in with the program that stores it, or save a token with `Persisted::save`; \
                    without a store use `RefreshToken::new`";
                Err(Error::new(ErrorKind::LoginRequired, why))
            }
            RefreshOutcome::NotOAuth(error) => Err(error),
            RefreshOutcome::NoToken | RefreshOutcome::NoRefreshToken => {
                Err(Error::new(ErrorKind::LoginRequired, "there is no refresh token left"))
            }
        }
    }

    fn name(&self) -> &'static str {
        "refresh_token"
    }

    fn initial_token(&self) -> Option<Token> {
        self.config.initial.token()
    }

    fn dpop(&self) -> Option<Dpop> {
        self.config.endpoint.dpop_key().cloned()
    }
}
