//! The issuer identifier of an authorization server, with what was discovered about it.

use std::fmt;
use std::sync::Arc;

use url::Url;

use super::fetch_metadata::Discovery;
use super::metadata::{AddressRules, Metadata};
use super::metadata_cache::MetadataCache;
use super::private_host::is_private;
use super::well_known;
use crate::error::Error;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::into_url::{self, IntoUrl};
use crate::transport::Transport;

/// The issuer identifier of an authorization server ([RFC 8414]), from which its endpoints are discovered.
///
/// A grant takes it as text. An `Issuer` is for its options, and for several grants at one server: clones share the metadata, so grants
/// that are made from clones of one `Issuer` cause one request for it. [Discovery](crate::docs::discovery) is the guide.
///
/// ```
/// use tower_oauth2::{OAuth2Layer, client::Client, endpoint::Issuer, grant::{ClientCredentials, RefreshToken}};
///
/// # fn main() -> Result<(), tower_oauth2::Error> {
/// let issuer = Issuer::new("https://auth.example.com/tenant1")?;
/// let grant = ClientCredentials::from_issuer(&issuer, Client::basic("id", "secret"))?;
/// let login = RefreshToken::from_issuer(&issuer, Client::public("app"), "8xLOxBtZp8")?;
/// assert_eq!(issuer.as_str(), "https://auth.example.com/tenant1");
/// # let _ = (OAuth2Layer::new(grant), login);
/// # Ok(())
/// # }
/// ```
///
/// Building a grant or a layer sends no request. The metadata is fetched with the first token request, through the layer's transport,
/// from the addresses of RFC 8414 and of OpenID Connect. It is kept for the `max-age` of the response, at least 5 minutes and at most 24
/// hours, by default one hour. A later token request fetches it again, for at most 5 seconds; if that fails, the old metadata stays in use
/// for another minute, or for the `Retry-After` of the response if that is longer. If the token endpoint responds with 404, 405, 410 or a
/// redirect, metadata older than 5 minutes is fetched again.
///
/// # Security
///
/// The metadata must contain this issuer, code point by code point, or it is not used ([RFC 8414 §3.3]). A program that accepts issuers
/// from others needs a transport that blocks private addresses: see [Security](crate::docs::security).
///
/// [RFC 8414]: https://www.rfc-editor.org/rfc/rfc8414
/// [RFC 8414 §3.3]: https://www.rfc-editor.org/rfc/rfc8414#section-3.3
#[derive(Clone)]
pub struct Issuer {
    discovery: Arc<Discovery>,
    cache: Arc<MetadataCache>,
    prefers_mtls: bool,
}

impl Issuer {
    /// Creates an issuer. The identifier is kept as it is written: with or without a slash at its end, as the server writes it. It is the
    /// `issuer` in the server's metadata: see [how to find it](crate::docs::discovery#the-text-of-the-issuer).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if it is not a URL, or has a query, a fragment or user information, and [`ErrorKind::Cleartext`] if it is
    /// `http://` and its host is not loopback.
    pub fn new(issuer: impl Into<String>) -> Result<Self, Error> {
        Self::build(issuer.into(), false)
    }

    /// Creates an issuer that may be `http://` with any host, and whose endpoints may be too.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`], as [`Issuer::new`].
    ///
    /// # Security
    ///
    /// Anyone who can observe the traffic can read secrets and tokens, and anyone who can change it can name other endpoints. Use it only in
    /// a network that is protected in another way, such as a service mesh.
    pub fn dangerous_cleartext(issuer: impl Into<String>) -> Result<Self, Error> {
        Self::build(issuer.into(), true)
    }

    fn build(text: String, allows_cleartext: bool) -> Result<Self, Error> {
        let url = into_url::identifier_url("issuer", &text)?;
        if url.query().is_some() {
            return Err(Error::argument("issuer", "must not have a query (RFC 8414 §2)"));
        }
        if !allows_cleartext {
            into_url::deny_cleartext("issuer", &url)?;
        }
        let allows_private_hosts = url.host().is_some_and(|host| is_private(&host));
        let rules = AddressRules { allows_cleartext, allows_private_hosts };
        let addresses = well_known::addresses(&url);
        let discovery = Discovery { issuer: text, addresses, rules, accepts: None, falls_back: false };
        Ok(Self { discovery: Arc::new(discovery), cache: Arc::default(), prefers_mtls: false })
    }

    /// Sets the address of the metadata, which replaces the well-known addresses. The issuer in the document must be this one all the same.
    ///
    /// ```
    /// use tower_oauth2::endpoint::Issuer;
    ///
    /// # fn main() -> Result<(), tower_oauth2::Error> {
    /// let issuer = Issuer::new("https://auth.example.com")?.metadata_url("https://auth.example.com/as/metadata.json")?;
    /// # let _ = issuer;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`TokenEndpoint::new`](crate::endpoint::TokenEndpoint::new). With [`dangerous_cleartext`](Self::dangerous_cleartext), the address
    /// may be `http://` too.
    pub fn metadata_url(self, url: impl IntoUrl) -> Result<Self, Error> {
        let url = into_url::endpoint_url("metadata_url", url)?;
        if !self.discovery.rules.allows_cleartext {
            into_url::deny_cleartext("metadata_url", &url)?;
        }
        Ok(self.with_discovery(|discovery| discovery.addresses = vec![url]))
    }

    /// Prefers the endpoints for clients with a certificate, `mtls_endpoint_aliases` ([RFC 8705 §5]).
    /// [`Client::tls`](crate::client::Client::tls) implies it. Use it for tokens that are bound to a certificate, with another client
    /// authentication.
    ///
    /// [RFC 8705 §5]: https://www.rfc-editor.org/rfc/rfc8705#section-5
    #[must_use]
    pub fn mtls_endpoints(self) -> Self {
        Self { prefers_mtls: true, ..self }
    }

    /// Accepts metadata of another issuer, if `accept` returns `true` for it. A response to a login may then have such an issuer too. A panic
    /// of `accept` counts as `false`.
    ///
    /// Some servers have one document for many issuers: that of Entra ID's `common` contains a template.
    ///
    /// ```
    /// use tower_oauth2::endpoint::Issuer;
    ///
    /// # fn main() -> Result<(), tower_oauth2::Error> {
    /// const TEMPLATE: &str = "https://login.microsoftonline.com/{tenantid}/v2.0";
    /// const TENANT: &str = "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0";
    ///
    /// let issuer = Issuer::new("https://login.microsoftonline.com/common/v2.0")?
    ///     .dangerous_accept_issuer(|issuer| issuer == TEMPLATE || issuer == TENANT);
    /// # let _ = issuer;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Security
    ///
    /// The comparison prevents that one server sends responses in the name of another ([RFC 8414 §3.3], [RFC 9207]). List the issuers that
    /// you trust; do not accept all.
    ///
    /// [RFC 8414 §3.3]: https://www.rfc-editor.org/rfc/rfc8414#section-3.3
    /// [RFC 9207]: https://www.rfc-editor.org/rfc/rfc9207
    #[must_use]
    pub fn dangerous_accept_issuer(self, accept: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.with_discovery(|discovery| discovery.accepts = Some(Arc::new(accept)))
    }

    /// Returns the identifier as it was written.
    pub fn as_str(&self) -> &str {
        &self.discovery.issuer
    }

    /// Returns the metadata of the server, from the cache or with a request.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Malformed`] if no address has a document of this issuer. The error names each address with the reason.
    /// - [`ErrorKind::Transport`], [`ErrorKind::Timeout`] and [`ErrorKind::Overloaded`] during an outage (408, 429 and 5xx). With metadata in
    ///   the cache, the old metadata is returned instead.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future abandons the request. Another caller that waits for it sends its own.
    pub async fn metadata(&self, transport: &Transport) -> Result<Arc<Metadata>, Error> {
        self.cache.get(transport, |limit| self.discovery.fetch(transport, limit)).await
    }

    /// Uses the endpoints that MCP 2025-03-26 defines, if the server publishes no metadata.
    pub(crate) fn or_default_endpoints(self) -> Self {
        self.with_discovery(|discovery| discovery.falls_back = true)
    }

    /// Returns whether the aliases for clients with a certificate take precedence.
    pub(in crate::endpoint) fn prefers_mtls(&self) -> bool {
        self.prefers_mtls
    }

    /// Returns whether the endpoints may be `http://` with any host.
    pub(in crate::endpoint) fn allows_cleartext(&self) -> bool {
        self.discovery.rules.allows_cleartext
    }

    /// Returns whether `other` identifies this server: it is the same text, or the application accepts it.
    pub(crate) fn accepts(&self, other: &str) -> bool {
        self.discovery.accepts(other)
    }

    /// Marks the metadata as outdated, because an endpoint in it does not exist any more.
    pub(in crate::endpoint) fn endpoint_has_moved(&self) {
        self.cache.expire();
    }

    /// Changes an option that decides about the document. The result does not share the cache with earlier clones.
    fn with_discovery(self, change: impl FnOnce(&mut Discovery)) -> Self {
        let mut discovery = Discovery::clone(&self.discovery);
        change(&mut discovery);
        Self { discovery: Arc::new(discovery), cache: Arc::default(), ..self }
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses: Vec<&str> = self.discovery.addresses.iter().map(Url::as_str).collect();
        let addresses: Vec<_> = addresses.into_iter().map(into_url::WithoutQuery).collect();
        f.debug_struct("Issuer")
            .field("issuer", &self.discovery.issuer)
            .field("addresses", &addresses)
            .field("prefers_mtls", &self.prefers_mtls)
            .finish_non_exhaustive()
    }
}
