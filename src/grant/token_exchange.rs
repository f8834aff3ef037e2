//! Token exchange (RFC 8693): a token of one kind, or for one service, is exchanged for another.

use std::fmt;

use serde_json::Value;

use super::config::GrantConfig;
use super::grant_options::grant_options;
use super::{Context, Grant};
use crate::client::Client;
use crate::dpop::Dpop;
use crate::endpoint::{EndpointResponse, IntoIssuer, Issuer, TokenEndpoint};
use crate::error::Error;
use crate::form::Form;
use crate::into_url::{self, IntoUrl};
use crate::secret::{CharacterSet, Secret};
use crate::source::{BoxSource, Source, SourceContext, fetch_within_timeout};
use crate::token::Token;
use crate::transport::Transport;

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// Identifiers that name types of tokens ([RFC 8693 §3]).
///
/// [RFC 8693 §3]: https://www.rfc-editor.org/rfc/rfc8693#section-3
pub mod token_type {
    /// An OAuth 2.0 access token.
    pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
    /// An OAuth 2.0 refresh token.
    pub const REFRESH_TOKEN: &str = "urn:ietf:params:oauth:token-type:refresh_token";
    /// An ID token of OpenID Connect.
    pub const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
    /// A JWT of another kind.
    pub const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
    /// A SAML 1.1 assertion, in base64url.
    pub const SAML1: &str = "urn:ietf:params:oauth:token-type:saml1";
    /// A SAML 2.0 assertion, in base64url.
    pub const SAML2: &str = "urn:ietf:params:oauth:token-type:saml2";
    /// An identity assertion authorization grant, which is exchanged across domains.
    pub const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";
}

/// A grant that exchanges a subject's token for a token of another kind or for another service ([RFC 8693]).
///
/// The subject is a [`Source`], which the grant reads for each exchange: the [`Tokens`](crate::Tokens) of another layer, a
/// [`File`](crate::source::File), or a function.
///
/// ```
/// use tower_oauth2::{OAuth2Layer, client::Client, grant::{ClientCredentials, TokenExchange, token_type}};
///
/// # fn main() -> Result<(), tower_oauth2::Error> {
/// let client = Client::basic("id", "secret");
/// let login = OAuth2Layer::new(ClientCredentials::new("https://auth.example.com/token", client.clone())?);
/// let exchange =
///     TokenExchange::new("https://auth.example.com/token", client, token_type::ACCESS_TOKEN, login.tokens())?
///         .param("audience", "https://api.example.com");
/// let layer = OAuth2Layer::new(exchange);
/// # let _ = layer;
/// # Ok(())
/// # }
/// ```
///
/// A refresh token in the response is used before a new exchange. The exchanged token stays in its layer when the subject's layer forgets
/// its own: a logout calls [`Tokens::forget`](crate::Tokens::forget) on both.
///
/// The exchange is itself a [`Source`], whose text is what was issued: an assertion for a
/// [`JwtBearer`](super::JwtBearer) grant in another domain, for example.
///
/// With a store, name the subject: `.persisted(store).subject(name)`.
///
/// [RFC 8693]: https://www.rfc-editor.org/rfc/rfc8693
#[derive(Clone)]
pub struct TokenExchange {
    config: GrantConfig,
    subject: TypedSource,
    actor: Option<TypedSource>,
    requested_token_type: Option<String>,
}

#[derive(Clone)]
struct TypedSource {
    token_type: String,
    source: BoxSource,
}

impl TokenExchange {
    /// Creates the grant at this token endpoint, for a subject token of this [type](token_type).
    ///
    /// # Errors
    ///
    /// As [`TokenEndpoint::new`]; [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if the token type is no absolute URI.
    pub fn new(
        token_url: impl IntoUrl,
        client: Client,
        subject_token_type: impl Into<String>,
        subject: impl Source,
    ) -> Result<Self, Error> {
        Self::from_endpoint(TokenEndpoint::new(token_url, client)?, subject_token_type, subject)
    }

    /// Creates the grant for the server with this issuer identifier, whose endpoints are discovered: see
    /// [`Issuer`](crate::endpoint::Issuer).
    ///
    /// # Errors
    ///
    /// As [`TokenEndpoint::discover`]; [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if the token type is no absolute URI.
    pub fn from_issuer(
        issuer: impl IntoIssuer,
        client: Client,
        subject_token_type: impl Into<String>,
        subject: impl Source,
    ) -> Result<Self, Error> {
        Self::from_endpoint(TokenEndpoint::discover(issuer, client)?, subject_token_type, subject)
    }

    /// Creates the grant at an endpoint that was made in another way, such as with [`TokenEndpoint::dangerous_cleartext`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if the token type is no absolute URI.
    pub fn from_endpoint(
        endpoint: TokenEndpoint,
        subject_token_type: impl Into<String>,
        subject: impl Source,
    ) -> Result<Self, Error> {
        let subject = TypedSource { token_type: subject_token_type.into(), source: BoxSource::new(subject) };
        subject.check("subject_token_type", endpoint.issuer())?;
        let mut config = GrantConfig::new(endpoint);
        config.needs_subject = true;
        config.distinguish("grant_type", GRANT_TYPE);
        config.distinguish("subject_token_type", &subject.token_type);
        Ok(Self { config, subject, actor: None, requested_token_type: None })
    }

    /// Sets the actor, which acts for the subject ([RFC 8693 §1.1]). If the token type is no absolute URI, each exchange is an error.
    ///
    /// [RFC 8693 §1.1]: https://www.rfc-editor.org/rfc/rfc8693#section-1.1
    #[must_use]
    pub fn actor(mut self, actor_token_type: impl Into<String>, actor: impl Source) -> Self {
        let actor = TypedSource { token_type: actor_token_type.into(), source: BoxSource::new(actor) };
        self.config.distinguish("actor_token_type", &actor.token_type);
        self.actor = Some(actor);
        self
    }

    /// Requests a token of this [type](token_type). By default the server chooses. If the type is no absolute URI, each exchange is an
    /// error.
    #[must_use]
    pub fn requested_token_type(mut self, uri: impl Into<String>) -> Self {
        let uri = uri.into();
        self.config.distinguish("requested_token_type", &uri);
        self.requested_token_type = Some(uri);
        self
    }

    /// Exchanges the subject's token once, and returns what was issued, an access token or not.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if a token type is no absolute URI; as [`TokenEndpoint::token`]; the
    /// errors of the sources; [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) if the server issued
    /// another type than the requested one.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future abandons the request. A subject token that works once may be spent then.
    pub async fn exchange(&self, transport: &Transport) -> Result<Issued, Error> {
        let endpoint = &self.config.endpoint;
        self.check_options()?;
        let response = endpoint.post_with_proof(transport, endpoint.address(), || self.form(transport)).await?;
        Issued::from_response(response, endpoint, self.requested_token_type.as_deref())
    }

    /// Returns the form of one token request, with tokens that were obtained for it.
    async fn form(&self, transport: &Transport) -> Result<Form, Error> {
        let cx = self.config.endpoint.source_context(transport).await?;
        let subject = self.subject.fetch("the subject token", cx.clone()).await?;
        let mut form = Form::new(GRANT_TYPE)
            .param("subject_token", subject.expose())
            .param("subject_token_type", &self.subject.token_type);
        if let Some(actor) = &self.actor {
            let token = actor.fetch("the actor token", cx).await?;
            form = form.param("actor_token", token.expose()).param("actor_token_type", &actor.token_type);
        }
        if let Some(requested) = &self.requested_token_type {
            form = form.param("requested_token_type", requested);
        }
        let form = self.config.parameters.with_scope(form);
        form.check()?;
        Ok(form)
    }

    /// Checks the options of methods that return no error.
    fn check_options(&self) -> Result<(), Error> {
        if let Some(actor) = &self.actor {
            actor.check("actor_token_type", self.config.endpoint.issuer())?;
        }
        match &self.requested_token_type {
            Some(requested) => into_url::check_absolute("requested_token_type", requested),
            None => Ok(()),
        }
    }
}

grant_options!(TokenExchange);

impl Grant for TokenExchange {
    async fn obtain(&self, cx: Context) -> Result<Token, Error> {
        let this = Self { config: self.config.for_call(&cx), ..self.clone() };
        let grant_itself = async || this.exchange(cx.transport()).await?.into_token();
        self.config.refresh_or(&cx, grant_itself).await
    }

    fn name(&self) -> &'static str {
        "token_exchange"
    }

    fn initial_token(&self) -> Option<Token> {
        self.config.initial.token()
    }

    fn dpop(&self) -> Option<Dpop> {
        self.config.endpoint.dpop_key().cloned()
    }
}

/// What was issued, for an exchange that follows.
impl Source for TokenExchange {
    async fn fetch(&self, cx: SourceContext) -> Result<String, Error> {
        Ok(self.exchange(cx.transport()).await?.value().to_owned())
    }
}

impl fmt::Debug for TokenExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenExchange")
            .field("config", &self.config)
            .field("subject_token_type", &self.subject.token_type)
            .field("actor_token_type", &self.actor.as_ref().map(|actor| &actor.token_type))
            .field("requested_token_type", &self.requested_token_type)
            .finish_non_exhaustive()
    }
}

impl TypedSource {
    /// Checks what needs no I/O.
    fn check(&self, name: &str, issuer: Option<&Issuer>) -> Result<(), Error> {
        into_url::check_absolute(name, &self.token_type)?;
        self.source.check(issuer.map(Issuer::as_str))
    }

    async fn fetch(&self, name: &'static str, cx: SourceContext) -> Result<Secret, Error> {
        fetch_within_timeout(&self.source, name, CharacterSet::Unicode, cx).await
    }
}

/// What a token exchange issued: an access token, or a token of another type, such as an assertion.
///
/// `Debug` prints the type, and nothing of the token.
pub struct Issued {
    value: Secret,
    issued_token_type: Option<String>,
    is_access_token: bool,
    token: Result<Token, Error>,
}

impl Issued {
    /// Returns the text of the token.
    pub fn value(&self) -> &str {
        self.value.expose()
    }

    /// Returns the [type](token_type) of the token. Some servers do not send it.
    pub fn issued_token_type(&self) -> Option<&str> {
        self.issued_token_type.as_deref()
    }

    /// Returns the access token.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) if no access token was issued (`"token_type": "N_A"`), or if it cannot be
    /// used.
    pub fn into_token(self) -> Result<Token, Error> {
        if !self.is_access_token {
            return Err(Error::malformed(
                "the issued token is no access token (`N_A`); request another type, or pass it on with `Issued::value`",
            ));
        }
        self.token
    }

    /// Reads what RFC 8693 §2.2.1 adds to a token response. A response without `issued_token_type` is accepted, because older versions of
    /// Keycloak send none.
    fn from_response(
        response: EndpointResponse,
        endpoint: &TokenEndpoint,
        requested: Option<&str>,
    ) -> Result<Self, Error> {
        let malformed =
            |what: &'static str| Err(Error::malformed(what).with_status(response.status).with_endpoint(&response.uri));
        let text = |name| response.members.get(name).and_then(Value::as_str).filter(|text: &&str| !text.is_empty());
        let Some(value) = text("access_token") else { return malformed("`access_token` is missing or empty") };
        if response.members.get("issued_token_type").is_some_and(|value| !value.is_string() && !value.is_null()) {
            return malformed("`issued_token_type` is no text");
        }
        let issued_token_type = text("issued_token_type").map(str::to_owned);
        if requested.is_some_and(|requested| issued_token_type.as_deref().is_some_and(|issued| issued != requested)) {
            return malformed("`issued_token_type` is not the requested type");
        }
        let value = Secret::new(value);
        let is_access_token = !text("token_type").is_some_and(|name| name.eq_ignore_ascii_case("N_A"));
        Ok(Self { value, issued_token_type, is_access_token, token: endpoint.token_from(response) })
    }
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued").field("issued_token_type", &self.issued_token_type).finish_non_exhaustive()
    }
}
