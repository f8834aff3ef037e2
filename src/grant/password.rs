//! The resource owner password credentials grant (RFC 6749 §4.3), which RFC 9700 forbids.

use std::fmt;

use super::config::GrantConfig;
use super::grant_options::grant_options;
use super::{Context, Grant};
use crate::client::Client;
use crate::dpop::Dpop;
use crate::endpoint::{IntoIssuer, TokenEndpoint};
use crate::error::Error;
use crate::form::Form;
use crate::into_url::IntoUrl;
use crate::secret::{CharacterSet, Secret};
use crate::token::Token;

/// The resource owner password credentials grant ([RFC 6749 §4.3]), which **must not be used** ([RFC 9700 §2.4]): it gives the
/// password to the program, trains people to type it into programs, and excludes a second factor.
///
/// It is for servers that support no other grant. If there is a choice, use the authorization code or the device code.
///
/// ```
/// use tower_oauth2::{OAuth2Layer, client::Client, grant::Password};
///
/// # fn main() -> Result<(), tower_oauth2::Error> {
/// let client = Client::public("id");
/// let grant = Password::new("https://auth.example.com/token", client, "alice", "correct horse battery staple")?;
/// let layer = OAuth2Layer::new(grant);
/// # let _ = layer;
/// # Ok(())
/// # }
/// ```
///
/// If the server issues a refresh token, the grant uses it. If the server rejects it, the password is sent again.
///
/// # Security
///
/// The password is in memory as long as the grant exists. It is overwritten when the grant is dropped.
///
/// [RFC 6749 §4.3]: https://www.rfc-editor.org/rfc/rfc6749#section-4.3
/// [RFC 9700 §2.4]: https://www.rfc-editor.org/rfc/rfc9700#section-2.4
#[derive(Clone)]
pub struct Password {
    config: GrantConfig,
    username: String,
    password: Secret,
}

impl Password {
    /// Creates the grant for a token endpoint, a client and a person. An empty password is sent as it is.
    ///
    /// # Errors
    ///
    /// As [`TokenEndpoint::new`]; [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if the user name or the password has a
    /// control character, such as a line break at its end.
    pub fn new(
        token_url: impl IntoUrl,
        client: Client,
        username: impl Into<String>,
        password: impl Into<String>,
    ) -> Result<Self, Error> {
        let grant = Self::from_endpoint(TokenEndpoint::new(token_url, client)?, username, password);
        grant.check()?;
        Ok(grant)
    }

    /// Creates the grant for the server with this issuer identifier, whose endpoints are discovered with the first token request: see
    /// [`Issuer`](crate::endpoint::Issuer).
    ///
    /// # Errors
    ///
    /// As [`TokenEndpoint::discover`]; [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) as for [`Password::new`].
    pub fn from_issuer(
        issuer: impl IntoIssuer,
        client: Client,
        username: impl Into<String>,
        password: impl Into<String>,
    ) -> Result<Self, Error> {
        let grant = Self::from_endpoint(TokenEndpoint::discover(issuer, client)?, username, password);
        grant.check()?;
        Ok(grant)
    }

    /// Creates the grant for a configured endpoint, such as one made with [`TokenEndpoint::dangerous_cleartext`].
    ///
    /// A user name or password that [`Password::new`] rejects fails the token request, and is not sent.
    pub fn from_endpoint(endpoint: TokenEndpoint, username: impl Into<String>, password: impl Into<String>) -> Self {
        let (username, mut config) = (username.into(), GrantConfig::new(endpoint));
        config.subject = Some(username.clone());
        config.is_repeatable = true;
        Self { config, username, password: Secret::new(password) }
    }

    /// Checks the characters of the user name and the password (RFC 6749 Appendix A.15, A.16).
    fn check(&self) -> Result<(), Error> {
        for (name, text) in [("username", self.username.as_str()), ("password", self.password.expose())] {
            if let Some(violation) = CharacterSet::Unicode.violation(text) {
                return Err(Error::argument(name, violation));
            }
        }
        Ok(())
    }
}

grant_options!(Password);

impl Grant for Password {
    async fn obtain(&self, cx: Context) -> Result<Token, Error> {
        let config = self.config.for_call(&cx);
        let grant_itself = || {
            let form =
                Form::new("password").param("username", &self.username).param("password", self.password.expose());
            config.endpoint.token(cx.transport(), config.parameters.with_scope(form))
        };
        self.config.refresh_or(&cx, grant_itself).await
    }

    fn name(&self) -> &'static str {
        "password"
    }

    fn initial_token(&self) -> Option<Token> {
        self.config.initial.token()
    }

    fn dpop(&self) -> Option<Dpop> {
        self.config.endpoint.dpop_key().cloned()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Password")
            .field("config", &self.config)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}
