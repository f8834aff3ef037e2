//! Finds the metadata of a protected resource (RFC 9728).

use std::fmt;

use serde_json::{Map, Value};

use super::fetch_document::{JsonDocument, Unusable};
use super::metadata::endpoint_url;
use super::resource_address::{ResourceAddress, ResourceId};
use super::shown_identifier::shown_identifier;
use crate::challenge::Challenge;
use crate::clock;
use crate::error::{Error, ErrorKind};
use crate::into_url::WithoutQuery;
use crate::transport::Transport;

/// The metadata that a protected resource publishes about itself ([RFC 9728]): which authorization servers issue its tokens, and which
/// scopes it supports.
///
/// An API sends its address with a 401, in the parameter `resource_metadata` of the challenge. Without one, the document is at a
/// well-known address.
///
/// ```
/// # use bytes::Bytes;
/// # use http_body_util::Full;
/// use tower_oauth2::{Challenge, endpoint::ResourceMetadata, transport::Transport};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower_oauth2::Error> {
/// # let http_client = tower::service_fn(async |_: http::Request<Full<Bytes>>| {
/// #     let body = r#"{"resource": "https://mcp.example.com/mcp", "authorization_servers": ["https://auth.example.com"],
/// #         "scopes_supported": ["tools"]}"#;
/// #     Ok::<_, std::convert::Infallible>(http::Response::new(body.to_owned()))
/// # });
/// # let response = http::Response::builder()
/// #     .header("www-authenticate", r#"Bearer resource_metadata="https://mcp.example.com/metadata""#)
/// #     .body(()).unwrap();
/// let challenges = Challenge::parse(response.headers());
/// let challenge = challenges.iter().find(|challenge| challenge.resource_metadata().is_some());
///
/// let transport = Transport::new(http_client);
/// let metadata = ResourceMetadata::discover(&transport, "https://mcp.example.com/mcp", challenge).await?;
/// assert_eq!(metadata.authorization_servers(), ["https://auth.example.com"]);
/// assert_eq!(metadata.scopes_supported().unwrap(), ["tools"]);
/// # Ok(())
/// # }
/// ```
///
/// # Security
///
/// The resource names the authorization server, so a hostile resource can name a hostile one, and a login there shows its page. A program
/// that calls resources of others decides itself which of the [`authorization_servers`](Self::authorization_servers) it trusts, and never
/// sends a secret of one to another.
///
/// [RFC 9728]: https://www.rfc-editor.org/rfc/rfc9728
#[derive(Clone)]
pub struct ResourceMetadata {
    resource: String,
    authorization_servers: Vec<String>,
    scopes_supported: Option<Vec<String>>,
    members: Map<String, Value>,
}

/// Represents the outcome of a search for the metadata of a resource.
pub(crate) enum ResourceLookup {
    Found(ResourceMetadata),
    /// Each address has responded with 404.
    Missing(Error),
}

impl ResourceMetadata {
    /// Fetches the metadata of a resource. It is not cached.
    ///
    /// `resource` is the URL that the program calls. The document is at the address in `challenge`. Without one, or if its status is 404, it
    /// is at the well-known address with the path of the resource, or, if that is a 404 too, at the one of the origin ([RFC 9728 §3.1]).
    /// The `resource` of the document must be the given one, character by character, or the origin for the last address
    /// ([RFC 9728 §3.3]). Redirects are not followed. All requests have the timeout of one together.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Configuration`] if `resource` is not a URL, or has a fragment or user information, and [`ErrorKind::Cleartext`] if it
    ///   is `http://` and its host is not loopback.
    /// - [`ErrorKind::Malformed`] if there is no document, or that of another resource. The error names each address with the reason.
    /// - [`ErrorKind::Transport`], [`ErrorKind::Timeout`] and [`ErrorKind::Overloaded`] during an outage (408, 429 and 5xx).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future abandons the request.
    ///
    /// # Security
    ///
    /// An address in the challenge is not used if it is `http://`, or if its host is a private, link-local or loopback address, unless the
    /// host of the resource is one too. The transport resolves names: see [Security](crate::docs::security).
    ///
    /// [RFC 9728 §3.1]: https://www.rfc-editor.org/rfc/rfc9728#section-3.1
    /// [RFC 9728 §3.3]: https://www.rfc-editor.org/rfc/rfc9728#section-3.3
    pub async fn discover(transport: &Transport, resource: &str, challenge: Option<&Challenge>) -> Result<Self, Error> {
        let resource = ResourceId::parse(resource)?;
        match Self::find(transport, &resource, challenge.and_then(Challenge::resource_metadata)).await? {
            ResourceLookup::Found(metadata) => Ok(metadata),
            ResourceLookup::Missing(error) => Err(error),
        }
    }

    /// Fetches the metadata, and distinguishes a resource without any. `named` is the address in a challenge.
    pub(crate) async fn find(
        transport: &Transport,
        resource: &ResourceId,
        named: Option<&str>,
    ) -> Result<ResourceLookup, Error> {
        let timeout = transport.timeout();
        clock::within(timeout, search(transport, resource, named)).await.unwrap_or_else(|| {
            let why = format!("no metadata of the resource {:?} within {timeout:?}", WithoutQuery(resource.as_str()));
            Err(Error::new(ErrorKind::Timeout, why))
        })
    }

    /// Returns what is known about a resource without a document: its origin is the authorization server.
    pub(crate) fn without_document(resource: &ResourceId) -> Self {
        Self {
            resource: resource.as_str().to_owned(),
            authorization_servers: vec![resource.origin()],
            scopes_supported: None,
            members: Map::new(),
        }
    }

    /// Returns the identifier of the resource, as it is written in the document. It is the `resource` of authorization requests and token
    /// requests ([RFC 8707](https://www.rfc-editor.org/rfc/rfc8707)).
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// Returns the issuer identifiers of the authorization servers that issue tokens for the resource. They were not checked.
    pub fn authorization_servers(&self) -> &[String] {
        &self.authorization_servers
    }

    /// Returns the scopes of the resource, if it lists them.
    pub fn scopes_supported(&self) -> Option<&[String]> {
        self.scopes_supported.as_deref()
    }

    /// Returns any member of the document, unchanged.
    ///
    /// # Security
    ///
    /// The value was not checked. An address may be `http://`, and its host may be a private one.
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }

    /// Reads a document, and compares its identifier (RFC 9728 §3.3).
    fn read(document: JsonDocument, expected: &str, id: &ResourceId) -> Result<Self, String> {
        let resource = document.members.get("resource").and_then(Value::as_str);
        let resource = resource.ok_or_else(|| "the document has no `resource`".to_owned())?.to_owned();
        if resource != expected && !id.accepts_parent(&resource) {
            // The server may repeat the key of its own address, or that of the resource.
            let shown = shown_identifier(&resource, &[&document.secrets, &id.secrets()]);
            let differ = match resource.split('?').next() == expected.split('?').next() {
                true => ": they differ in the query, which is not printed",
                false => "",
            };
            return Err(format!(
                "the document is that of the resource `{shown}`, and not of `{:?}`; the two are compared exactly{differ}",
                WithoutQuery(expected)
            ));
        }
        let members = document.members;
        Ok(Self {
            resource,
            authorization_servers: texts(&members, "authorization_servers").unwrap_or_default(),
            scopes_supported: texts(&members, "scopes_supported"),
            members,
        })
    }
}

/// Tries the address of the challenge and the well-known ones. Only a 404 leads to the next one: another document could be that of an
/// attacker who controls a part of the site.
async fn search(transport: &Transport, resource: &ResourceId, named: Option<&str>) -> Result<ResourceLookup, Error> {
    let mut reasons = Vec::new();
    let named = match named.map(|named| endpoint_url(&named.into(), resource.rules())) {
        None => None,
        Some(Ok(url)) => Some(resource.at(url)),
        Some(Err(why)) => {
            return Err(not_found(resource, &format!("the challenge names an address that cannot be used: {why}")));
        }
    };
    for ResourceAddress { url, resource: expected } in named.into_iter().chain(resource.well_known()) {
        let found = JsonDocument::fetch(transport, &url).await;
        let read = |document| ResourceMetadata::read(document, &expected, resource).map_err(Unusable::Other);
        let unusable = match found.and_then(read) {
            Ok(metadata) => return Ok(ResourceLookup::Found(metadata)),
            Err(unusable) => unusable,
        };
        let is_missing = matches!(unusable, Unusable::NotFound);
        reasons.push(format!("{:?}: {}", WithoutQuery(url.as_str()), unusable.reason()?));
        if !is_missing {
            return Err(not_found(resource, &reasons.join("; ")));
        }
    }
    Ok(ResourceLookup::Missing(not_found(resource, &reasons.join("; "))))
}

fn not_found(resource: &ResourceId, why: &str) -> Error {
    Error::malformed(format!("no metadata of the resource {:?}: {why}", WithoutQuery(resource.as_str())))
}

/// Returns the texts of a list; `None` unless the member is a list. Other values in it are skipped.
fn texts(members: &Map<String, Value>, name: &str) -> Option<Vec<String>> {
    let list = members.get(name)?.as_array()?;
    Some(list.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect())
}

/// Prints of the other members only the names.
impl fmt::Debug for ResourceMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers: Vec<_> = self.authorization_servers.iter().map(|issuer| WithoutQuery(issuer)).collect();
        f.debug_struct("ResourceMetadata")
            .field("resource", &WithoutQuery(&self.resource))
            .field("authorization_servers", &servers)
            .field("scopes_supported", &self.scopes_supported)
            .field("members", &self.members.keys().collect::<Vec<_>>())
            .finish()
    }
}
