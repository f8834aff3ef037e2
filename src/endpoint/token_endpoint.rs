//! Defines a token endpoint with its client and its options.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::dead_refresh_token::DeadWhen;
use super::discovery::{EndpointMember, IntoIssuer, Issuer, into_issuer};
use super::endpoint_address::{Address, ResolvedAddress};
use super::hooks::Hooks;
use crate::client::Client;
use crate::dpop::Dpop;
use crate::error::Error;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::into_url::{self, IntoUrl};
use crate::source::SourceContext;
use crate::transport::Transport;

/// A token endpoint with the client that authenticates at it. Your own grants use it to exchange a form for a token.
///
/// The address is validated when the endpoint is created: it is `https`, or `http` to a loopback host, without user information and
/// without fragment. Its query is kept.
///
/// ```
/// use tower_oauth2::{Error, client::Client, endpoint::TokenEndpoint, form::Form, grant::{Context, grant_fn}};
///
/// # fn main() -> Result<(), Error> {
/// let endpoint = TokenEndpoint::new("https://auth.example.com/token", Client::basic("id", "secret"))?;
///
/// // The JWT bearer grant of RFC 7523, as a closure.
/// let grant = grant_fn(move |cx: Context| {
///     let endpoint = endpoint.clone();
///     async move {
///         let form = Form::new("urn:ietf:params:oauth:grant-type:jwt-bearer").param("assertion", "eyJhbGciOi…");
///         endpoint.token(cx.transport(), form).await
///     }
/// });
/// # let _layer = tower_oauth2::OAuth2Layer::new(grant);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TokenEndpoint {
    pub(super) address: Address,
    /// The issuer, if its metadata is used.
    pub(super) issuer: Option<Issuer>,
    pub(super) client: Client,
    pub(super) headers: HeaderMap,
    pub(super) bearer_types: Vec<String>,
    pub(super) ignore_zero_lifetime: bool,
    pub(super) hooks: Hooks,
    pub(super) dead_when: DeadWhen,
    pub(super) dpop: Option<Dpop>,
    /// Whether credentials may be sent in cleartext to a host that is not loopback.
    pub(super) cleartext: bool,
}

impl TokenEndpoint {
    /// Creates an endpoint with this address and this client.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if the address, or the id or the secret of the client, is not valid, and [`ErrorKind::Cleartext`] if
    /// the address is `http://` and its host is not loopback.
    pub fn new(token_url: impl IntoUrl, client: Client) -> Result<Self, Error> {
        let url = into_url::endpoint_url("token_url", token_url)?;
        into_url::deny_cleartext("token_url", &url)?;
        Ok(Self { cleartext: false, ..Self::dangerous_cleartext(url, client)? })
    }

    /// Creates an endpoint whose address may be `http://` to any host.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if the address, or the id or the secret of the client, is not valid.
    ///
    /// # Security
    ///
    /// Anyone who can observe the traffic can read the client secret and the tokens. Use it only in a network that is protected in another
    /// way, such as a service mesh.
    pub fn dangerous_cleartext(token_url: impl IntoUrl, client: Client) -> Result<Self, Error> {
        let uri = into_url::endpoint_uri("token_url", token_url)?;
        client.check(None)?;
        Ok(Self { cleartext: true, ..Self::build(Address::Fixed(uri), None, client) })
    }

    /// Creates an endpoint whose address is discovered from the issuer's metadata, with the first token request: see [`Issuer`].
    ///
    /// ```
    /// use tower_oauth2::{client::Client, endpoint::TokenEndpoint, grant::ClientCredentials};
    ///
    /// # fn main() -> Result<(), tower_oauth2::Error> {
    /// let endpoint = TokenEndpoint::discover("https://auth.example.com", Client::basic("id", "secret"))?;
    /// let grant = ClientCredentials::from_endpoint(endpoint.header("x-api-key", "k1")?);
    /// # let _ = grant;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Issuer::new`]; [`ErrorKind::Configuration`] if the id or the secret of the client is not valid.
    pub fn discover(issuer: impl IntoIssuer, client: Client) -> Result<Self, Error> {
        Self::discover_member(EndpointMember::Token, issuer, client)
    }

    pub(super) fn discover_member(
        member: EndpointMember,
        issuer: impl IntoIssuer,
        client: Client,
    ) -> Result<Self, Error> {
        let issuer = into_issuer::issuer(issuer)?;
        client.check(Some(issuer.as_str()))?;
        let cleartext = issuer.allows_cleartext();
        Ok(Self { cleartext, ..Self::build(Address::Discovered(member), Some(issuer), client) })
    }

    /// Creates an endpoint that keeps options for endpoints of servers that are not known yet.
    pub(crate) fn undetermined() -> Self {
        Self::build(Address::Discovered(EndpointMember::Token), None, Client::none())
    }

    /// Returns an endpoint with the same options, of the server with this issuer.
    #[cfg(feature = "loopback")]
    pub(crate) fn for_issuer(&self, issuer: &Issuer, client: Client) -> Result<Self, Error> {
        client.check(Some(issuer.as_str()))?;
        let cleartext = issuer.allows_cleartext();
        Ok(Self { issuer: Some(issuer.clone()), client, cleartext, ..self.clone() })
    }

    fn build(address: Address, issuer: Option<Issuer>, client: Client) -> Self {
        Self {
            address,
            issuer,
            client,
            headers: HeaderMap::new(),
            bearer_types: Vec::new(),
            ignore_zero_lifetime: false,
            hooks: Hooks::default(),
            dead_when: DeadWhen::default(),
            dpop: None,
            cleartext: false,
        }
    }

    /// Adds a header to every request to the server's endpoints, such as an API key. It may be called several times.
    ///
    /// A `User-Agent` replaces the default, which is `tower-oauth2/` and the version, and an `Accept-Encoding` replaces `identity`.
    /// `Accept`,
    /// `Content-Type` and the client's own `Authorization` can be replaced only by [`map_request`](Self::map_request).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if the name or the value is not valid in a header.
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Result<Self, Error> {
        let name = HeaderName::try_from(name.as_ref()).map_err(|why| Error::argument("header", why))?;
        let mut value = HeaderValue::try_from(value.as_ref()).map_err(|why| Error::argument("header", why))?;
        value.set_sensitive(true);
        self.headers.append(name, value);
        Ok(self)
    }

    /// Returns the client id, which a login needs.
    pub(crate) fn client_id(&self) -> Result<&str, Error> {
        self.client.id().ok_or_else(|| Error::argument("client", "a login needs a client with an id"))
    }

    /// Returns whether the client has a credential.
    pub(crate) fn has_confidential_client(&self) -> bool {
        self.client.is_confidential()
    }

    /// Returns the context for a source of a grant at this endpoint.
    pub(crate) async fn source_context(&self, http: &Transport) -> Result<SourceContext, Error> {
        Ok(self.source_context_at(http, &self.resolve(http, &self.address).await?))
    }

    pub(super) fn source_context_at(&self, http: &Transport, address: &ResolvedAddress) -> SourceContext {
        let issuer = address.metadata.as_ref().map(|metadata| metadata.issuer());
        SourceContext::for_request(http, &address.uri, issuer, self.client.id())
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// Returns the issuer, if its metadata is used.
    pub(crate) fn issuer(&self) -> Option<&Issuer> {
        self.issuer.as_ref()
    }

    /// Returns the text that identifies the server without any I/O: its issuer, or else the address of this endpoint.
    pub(crate) fn server(&self) -> String {
        match (&self.issuer, &self.address) {
            (Some(issuer), _) => issuer.as_str().to_owned(),
            (None, Address::Fixed(uri)) => uri.to_string(),
            (None, Address::Discovered(member)) => member.name().to_owned(),
        }
    }

    /// Returns the address of another endpoint of the same server, with the same rule for cleartext, because it receives the same
    /// credentials.
    pub(crate) fn related_endpoint(&self, name: &str, url: impl IntoUrl) -> Result<Url, Error> {
        let url = into_url::endpoint_url(name, url)?;
        if !self.cleartext {
            into_url::deny_cleartext(name, &url)?;
        }
        Ok(url)
    }
}

/// Omits the query, which may contain a key.
impl fmt::Debug for TokenEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenEndpoint")
            .field("address", &self.address)
            .field("issuer", &self.issuer)
            .field("client", &self.client)
            .field("headers", &self.headers)
            .field("bearer_types", &self.bearer_types)
            .field("ignore_zero_lifetime", &self.ignore_zero_lifetime)
            .field("hooks", &self.hooks)
            .field("dead_when", &self.dead_when)
            .field("dpop", &self.dpop)
            .field("cleartext", &self.cleartext)
            .finish()
    }
}
