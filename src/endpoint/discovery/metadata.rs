//! Reads the metadata document of an authorization server (RFC 8414 §2).

use std::fmt;

use http::Uri;
use serde_json::{Map, Value};
use url::Url;

use super::endpoint_member::EndpointMember;
use super::private_host::is_private;
use crate::error::Error;
use crate::into_url::{WithoutQuery, is_loopback};

/// The maximum number of names from a list of the document that an error shows.
const MAX_NAMES_SHOWN: usize = 16;

/// The metadata that an authorization server publishes about itself ([RFC 8414 §2]), as [`Issuer::metadata`] returns it.
///
/// An endpoint whose address may not be used counts as missing: one that is `http://` (except on loopback, and with
/// [`Issuer::dangerous_cleartext`]), one with user information or a fragment, and one on a private, link-local or loopback host, unless
/// the host of the issuer is one too.
///
/// ```
/// # use bytes::Bytes;
/// # use http_body_util::Full;
/// use tower_oauth2::{endpoint::Issuer, transport::Transport};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower_oauth2::Error> {
/// # let http_client = tower::service_fn(async |_: http::Request<Full<Bytes>>| {
/// #     let body = r#"{"issuer": "https://auth.example.com", "token_endpoint": "https://auth.example.com/token",
/// #         "revocation_endpoint": "http://auth.example.com/revoke", "scopes_supported": ["read"]}"#;
/// #     Ok::<_, std::convert::Infallible>(http::Response::new(body.to_owned()))
/// # });
/// let issuer = Issuer::new("https://auth.example.com")?;
/// let metadata = issuer.metadata(&Transport::new(http_client)).await?;
/// assert_eq!(metadata.token_endpoint().map(|url| url.path()), Some("/token"));
/// assert_eq!(metadata.revocation_endpoint(), None); // it is `http://`
/// assert_eq!(metadata.member("scopes_supported"), Some(&serde_json::json!(["read"])));
/// # Ok(())
/// # }
/// ```
///
/// [`Issuer::metadata`]: super::Issuer::metadata
/// [`Issuer::dangerous_cleartext`]: super::Issuer::dangerous_cleartext
/// [RFC 8414 §2]: https://www.rfc-editor.org/rfc/rfc8414#section-2
#[derive(Clone)]
pub struct Metadata {
    issuer: String,
    members: Map<String, Value>,
    endpoints: Vec<Endpoint>,
    /// The endpoints for clients with a certificate (RFC 8705 §5).
    mtls_aliases: Vec<Endpoint>,
}

/// The address of an endpoint, or the reason for which it is not used.
type Endpoint = (EndpointMember, Result<Url, &'static str>);

/// Rules for the addresses in the document, which follow from the issuer.
#[derive(Clone, Copy, Debug)]
pub(super) struct AddressRules {
    pub(super) allows_cleartext: bool,
    pub(super) allows_private_hosts: bool,
}

impl Metadata {
    /// Returns the issuer identifier of the document.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Returns the address of the authorization endpoint.
    pub fn authorization_endpoint(&self) -> Option<&Url> {
        self.url(EndpointMember::Authorization)
    }

    /// Returns the address of the token endpoint.
    pub fn token_endpoint(&self) -> Option<&Url> {
        self.url(EndpointMember::Token)
    }

    /// Returns the address of the device authorization endpoint ([RFC 8628 §4](https://www.rfc-editor.org/rfc/rfc8628#section-4)).
    pub fn device_authorization_endpoint(&self) -> Option<&Url> {
        self.url(EndpointMember::DeviceAuthorization)
    }

    /// Returns the address of the revocation endpoint.
    pub fn revocation_endpoint(&self) -> Option<&Url> {
        self.url(EndpointMember::Revocation)
    }

    /// Returns the address of the client registration endpoint.
    pub fn registration_endpoint(&self) -> Option<&Url> {
        self.url(EndpointMember::Registration)
    }

    /// Returns the address for pushed authorization requests ([RFC 9126 §5](https://www.rfc-editor.org/rfc/rfc9126#section-5)).
    pub fn pushed_authorization_request_endpoint(&self) -> Option<&Url> {
        self.url(EndpointMember::PushedAuthorizationRequest)
    }

    /// Returns any member of the document, unchanged.
    ///
    /// # Security
    ///
    /// The value was not checked. An address may be `http://`, and its host may be a private one.
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }

    #[cfg(all(test, feature = "loopback"))]
    pub(in crate::endpoint) fn for_test(members: Map<String, Value>) -> Result<Self, &'static str> {
        Self::read(members, AddressRules { allows_cleartext: false, allows_private_hosts: true })
    }

    /// Reads the members of a document.
    ///
    /// # Errors
    ///
    /// Without an `issuer`. The text follows the address of the document.
    pub(super) fn read(members: Map<String, Value>, rules: AddressRules) -> Result<Self, &'static str> {
        let issuer = issuer(&members)?.to_owned();
        let no_aliases = Map::new();
        let aliases = members.get("mtls_endpoint_aliases").and_then(Value::as_object).unwrap_or(&no_aliases);
        Ok(Self { issuer, endpoints: endpoints(&members, rules), mtls_aliases: endpoints(aliases, rules), members })
    }

    /// Returns the address of an endpoint. For clients with a certificate, an alias takes precedence (RFC 8705 §5).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed), with the name of the member.
    pub(crate) fn endpoint(&self, member: EndpointMember, prefers_mtls: bool) -> Result<&Url, Error> {
        let alias = self.mtls_aliases.iter().filter(|_| prefers_mtls).find(|(name, _)| *name == member);
        match alias.or_else(|| self.endpoints.iter().find(|(name, _)| *name == member)) {
            Some((_, Ok(url))) => Ok(url),
            Some((_, Err(why))) => Err(self.error(format!("`{}` cannot be used: {why}", member.name()))),
            None => Err(self.error(format!("the document has no `{}`", member.name()))),
        }
    }

    /// Returns whether the document has an address for this endpoint, valid or not.
    #[cfg(feature = "loopback")]
    pub(crate) fn has(&self, member: EndpointMember) -> bool {
        self.endpoints.iter().any(|(name, _)| *name == member)
    }

    /// Returns whether a member is the boolean `true`.
    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.member(name) == Some(&Value::Bool(true))
    }

    /// Returns the names in a list of the document, for an error. `None` without such a list.
    pub(crate) fn listed(&self, name: &str) -> Option<String> {
        let names = self.member(name)?.as_array()?;
        let names = names.iter().filter_map(Value::as_str).filter(|name| is_plain(name));
        let names: Vec<String> = names.take(MAX_NAMES_SHOWN).map(|name| format!("`{name}`")).collect();
        (!names.is_empty()).then(|| names.join(", "))
    }

    /// Makes the error of a document without something that is needed.
    pub(crate) fn error(&self, why: String) -> Error {
        Error::malformed(format!("the metadata of the issuer `{:?}`: {why}", WithoutQuery(&self.issuer)))
    }

    fn url(&self, member: EndpointMember) -> Option<&Url> {
        let (_, url) = self.endpoints.iter().find(|(name, _)| *name == member)?;
        url.as_ref().ok()
    }
}

/// Returns the issuer of a document.
pub(super) fn issuer(members: &Map<String, Value>) -> Result<&str, &'static str> {
    members.get("issuer").and_then(Value::as_str).ok_or("the document has no `issuer`")
}

/// Returns whether a name may be shown: the names of methods and algorithms are short and have few characters.
fn is_plain(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte))
}

fn endpoints(members: &Map<String, Value>, rules: AddressRules) -> Vec<Endpoint> {
    let present = EndpointMember::ALL.into_iter().filter_map(|member| {
        let value = members.get(member.name()).filter(|value| !value.is_null())?;
        Some((member, endpoint_url(value, rules)))
    });
    present.collect()
}

pub(super) fn endpoint_url(value: &Value, rules: AddressRules) -> Result<Url, &'static str> {
    let url = value.as_str().ok_or("it is not text")?;
    let url = Url::parse(url).map_err(|_| "it is not an absolute URL")?;
    let host = url.host().ok_or("it has no host")?;
    if !rules.allows_private_hosts && is_private(&host) {
        return Err("its host is private, and that of the server that names it is not");
    }
    match url.scheme() {
        "https" => {}
        "http" if rules.allows_cleartext || url.host_str().is_some_and(is_loopback) => {}
        "http" => return Err("it is `http://`, which would send credentials in cleartext"),
        _ => return Err("it does not begin with `https://`"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it contains a user name or password");
    }
    if url.fragment().is_some() {
        return Err("it has a fragment");
    }
    if Uri::try_from(url.as_str()).is_err() {
        return Err("it is too long");
    }
    Ok(url)
}

/// Prints the issuer and the endpoints without their queries, which may contain a key, and of other members only the names.
impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoints = self.endpoints.iter().filter_map(|(_, url)| url.as_ref().ok());
        let endpoints: Vec<_> = endpoints.map(|url| WithoutQuery(url.as_str())).collect();
        f.debug_struct("Metadata")
            .field("issuer", &WithoutQuery(&self.issuer))
            .field("endpoints", &endpoints)
            .field("members", &self.members.keys().collect::<Vec<_>>())
            .finish()
    }
}
