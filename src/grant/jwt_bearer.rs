//! The JWT bearer grant (RFC 7523 §2.1): a signed assertion is exchanged for an access token.

use std::fmt;

use super::config::GrantConfig;
use super::grant_options::grant_options;
use super::{Context, Grant};
use crate::client::Client;
use crate::dpop::Dpop;
use crate::endpoint::{IntoIssuer, Issuer, TokenEndpoint};
use crate::error::Error;
use crate::form::Form;
use crate::into_url::IntoUrl;
use crate::secret::CharacterSet;
use crate::source::{BoxSource, Source, fetch_within_timeout};
use crate::token::Token;
use crate::transport::Transport;

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// The JWT bearer grant ([RFC 7523 §2.1]): a signed assertion is exchanged for an access token, such as for a service account.
///
/// ```
/// use std::time::Duration;
/// use tower_oauth2::{OAuth2Layer, client::Client, grant::JwtBearer, jwt::{Claims, Key}};
///
/// # fn main() -> Result<(), tower_oauth2::Error> {
/// # let key = Key::generate()?;
/// let token_url = "https://auth.example.com/token";
/// let claims = Claims::signed_by(key)
///     .issuer("robot@project.example.com")
///     .audience(token_url)
///     .claim("scope", "read")
///     .lifetime(Duration::from_secs(3600));
/// let layer = OAuth2Layer::new(JwtBearer::new(token_url, Client::none(), claims)?);
/// # let _ = layer;
/// # Ok(())
/// # }
/// ```
///
/// Each token request has a new assertion. No refresh token is expected: the layer runs the grant again. An assertion that the server
/// rejects is not sent again before the back-off has passed.
///
/// With a store, name the subject: `.persisted(store).subject(name)`.
///
/// [RFC 7523 §2.1]: https://www.rfc-editor.org/rfc/rfc7523#section-2.1
#[derive(Clone)]
pub struct JwtBearer {
    config: GrantConfig,
    assertion: BoxSource,
}

impl JwtBearer {
    /// Creates the grant at this token endpoint. The assertion is [`Claims`](crate::jwt::Claims), or a JWT from another
    /// [`Source`].
    ///
    /// # Errors
    ///
    /// As [`TokenEndpoint::new`]; [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) for claims without issuer or audience.
    pub fn new(token_url: impl IntoUrl, client: Client, assertion: impl Source) -> Result<Self, Error> {
        Self::from_endpoint(TokenEndpoint::new(token_url, client)?, assertion)
    }

    /// Creates the grant for the server with this issuer identifier, whose endpoints are discovered: see
    /// [`Issuer`](crate::endpoint::Issuer). The audience of [`Claims`](crate::jwt::Claims) is the issuer, unless they have another one.
    ///
    /// # Errors
    ///
    /// As [`TokenEndpoint::discover`]; [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) for claims without an issuer.
    pub fn from_issuer(issuer: impl IntoIssuer, client: Client, assertion: impl Source) -> Result<Self, Error> {
        Self::from_endpoint(TokenEndpoint::discover(issuer, client)?, assertion)
    }

    /// Creates the grant at an endpoint that was made in another way, such as with [`TokenEndpoint::dangerous_cleartext`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) for claims without issuer or audience.
    pub fn from_endpoint(endpoint: TokenEndpoint, assertion: impl Source) -> Result<Self, Error> {
        assertion.check(endpoint.issuer().map(Issuer::as_str))?;
        let mut config = GrantConfig::new(endpoint);
        config.needs_subject = true;
        config.distinguish("grant_type", GRANT_TYPE);
        Ok(Self { config, assertion: BoxSource::new(assertion) })
    }

    /// Returns the form of one token request, with an assertion of its own.
    async fn form(&self, http: &Transport) -> Result<Form, Error> {
        let cx = self.config.endpoint.source_context(http).await?;
        let assertion = fetch_within_timeout(&self.assertion, "the assertion", CharacterSet::Unicode, cx).await?;
        let form = Form::new(GRANT_TYPE).param("assertion", assertion.expose());
        let form = self.config.parameters.with_scope(form);
        form.check()?;
        Ok(form)
    }
}

grant_options!(JwtBearer);

impl Grant for JwtBearer {
    async fn obtain(&self, cx: Context) -> Result<Token, Error> {
        let this = Self { config: self.config.for_call(&cx), ..self.clone() };
        let grant_itself = async || {
            let (endpoint, http) = (&this.config.endpoint, cx.transport());
            let response = endpoint.post_with_proof(http, endpoint.address(), || this.form(http)).await?;
            endpoint.token_from(response)
        };
        self.config.refresh_or(&cx, grant_itself).await
    }

    fn name(&self) -> &'static str {
        "jwt_bearer"
    }

    fn initial_token(&self) -> Option<Token> {
        self.config.initial.token()
    }

    fn dpop(&self) -> Option<Dpop> {
        self.config.endpoint.dpop_key().cloned()
    }
}

impl fmt::Debug for JwtBearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtBearer").field("config", &self.config).finish_non_exhaustive()
    }
}
