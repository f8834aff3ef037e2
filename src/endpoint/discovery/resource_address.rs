//! The addresses at which a protected resource publishes its metadata (RFC 9728 §3.1).

use std::fmt;

use url::Url;

use super::issuer::Issuer;
use super::metadata::{AddressRules, endpoint_url};
use super::private_host::is_private;
use super::shown_identifier::shown_identifier;
use crate::endpoint::request_secrets::RequestSecrets;
use crate::error::Error;
use crate::into_url::{self, WithoutQuery};

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The identifier of a protected resource: the URL that the program calls.
#[derive(Clone)]
pub(crate) struct ResourceId {
    /// As the application has written it.
    text: String,
    url: Url,
    accepts_parent: bool,
}

/// An address of the metadata, and the identifier that its document must have (RFC 9728 §3.3).
#[derive(Debug)]
pub(super) struct ResourceAddress {
    pub(super) url: Url,
    pub(super) resource: String,
}

impl ResourceId {
    /// Parses the identifier.
    ///
    /// # Errors
    ///
    /// If it is no URL that requests can be sent to, or is `http://` and its host is not loopback.
    pub(crate) fn parse(resource: &str) -> Result<Self, Error> {
        let url = into_url::identifier_url("resource", resource)?;
        into_url::deny_cleartext("resource", &url)?;
        Ok(Self { text: resource.to_owned(), url, accepts_parent: false })
    }

    /// Accepts metadata whose identifier is the origin or a parent path.
    pub(crate) fn accept_parent(&mut self) {
        self.accepts_parent = true;
    }

    /// Returns whether metadata with this identifier is accepted because it is that of a parent.
    pub(super) fn accepts_parent(&self, other: &str) -> bool {
        let Some(other) = Some(other).filter(|_| self.accepts_parent).and_then(|other| Url::parse(other).ok()) else {
            return false;
        };
        let is_plain = other.query().is_none() && other.fragment().is_none() && other.username().is_empty();
        let parent = other.path().trim_end_matches('/');
        let below = self.url.path().strip_prefix(parent);
        is_plain
            && other.password().is_none()
            && other.origin() == self.url.origin()
            && below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
    }

    /// Returns the origin of the resource, without a slash at its end.
    pub(crate) fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// Returns the authorization server with an issuer identifier that the metadata of the resource lists.
    ///
    /// # Errors
    ///
    /// If it cannot be used, or its host is private and that of the resource is not.
    pub(crate) fn issuer(&self, issuer: &str) -> Result<Issuer, Error> {
        let checked = endpoint_url(&issuer.into(), self.rules()).map_err(str::to_owned);
        checked.and_then(|_| Issuer::new(issuer).map_err(|error| error.context().to_owned())).map_err(|why| {
            let resource = WithoutQuery(&self.text);
            let issuer = self.shown(issuer);
            Error::malformed(format!(
                "the metadata of the resource {resource:?} lists an authorization server that cannot be used, `{issuer}`: {why}"
            ))
        })
    }

    /// Returns the authorization server of a resource without metadata, or one that its metadata lists.
    ///
    /// # Errors
    ///
    /// As [`issuer`](Self::issuer).
    pub(crate) fn legacy_issuer(&self, issuer: &str) -> Result<Issuer, Error> {
        let origin = self.url.origin();
        let found = self.issuer(issuer)?.or_default_endpoints();
        if issuer != self.origin() {
            return Ok(found);
        }
        // Servers of MCP 2025-03-26 publish the metadata of an issuer with a path at the root of its origin.
        let is_here = move |other: &str| Url::parse(other).is_ok_and(|other| other.origin() == origin);
        Ok(found.dangerous_accept_issuer(is_here))
    }

    /// Returns an identifier that a document has, for an error. The server may repeat the key in the query of the resource.
    pub(crate) fn shown(&self, identifier: &str) -> String {
        shown_identifier(identifier, &[&self.secrets()])
    }

    /// Returns the secrets in the query.
    pub(super) fn secrets(&self) -> RequestSecrets {
        let mut secrets = RequestSecrets::default();
        secrets.add_query(self.url.query());
        secrets
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the rules for the addresses that the resource names.
    pub(super) fn rules(&self) -> AddressRules {
        let allows_private_hosts = self.url.host().is_some_and(|host| is_private(&host));
        AddressRules { allows_cleartext: false, allows_private_hosts }
    }

    /// Returns the address that a challenge of the resource has named.
    pub(super) fn at(&self, url: Url) -> ResourceAddress {
        ResourceAddress { url, resource: self.text.clone() }
    }

    /// Returns the well-known addresses: with the path inserted, and then that of the origin, if it is another one.
    pub(super) fn well_known(&self) -> Vec<ResourceAddress> {
        // A slash that follows the host is removed before (RFC 9728 §3.1).
        let path = if self.url.path() == "/" { "" } else { self.url.path() };
        let mut inserted = self.url.clone();
        inserted.set_path(&format!("{WELL_KNOWN}{path}"));
        let inserted = self.at(inserted);
        if path.is_empty() && self.url.query().is_none() {
            return vec![inserted];
        }
        let mut root = self.url.clone();
        root.set_path(WELL_KNOWN);
        root.set_query(None);
        vec![inserted, ResourceAddress { url: root, resource: self.origin() }]
    }
}

/// Omits the query, which may contain a key.
impl fmt::Debug for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        WithoutQuery(&self.text).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_has_the_same_origin_and_whole_segments_of_the_path() {
        for (resource, other, is_accepted) in [
            ("https://a.example/v1/mcp", "https://a.example", true),
            ("https://a.example/v1/mcp", "https://a.example/", true),
            ("https://a.example/v1/mcp", "https://a.example/v1", true),
            ("https://a.example/v1/mcp", "https://a.example/v1/", true),
            ("https://a.example/v1/mcp", "https://a.example/v1/mcp/", true),
            ("https://a.example/v1/mcp", "https://A.example:443/v1", true),
            ("https://a.example/v1/mcp", "https://a.example/v", false),
            ("https://a.example/v1/mcp", "https://a.example/v1/mcp/x", false),
            ("https://a.example/v1/mcp", "https://a.example/v2", false),
            ("https://a.example/v1/mcp", "https://a.example/v1?x", false),
            ("https://a.example/v1/mcp", "https://a.example/v1#x", false),
            ("https://a.example/v1/mcp", "https://me@a.example/v1", false),
            ("https://a.example/v1/mcp", "http://a.example/v1", false),
            ("https://a.example/v1/mcp", "https://b.example/v1", false),
            ("https://a.example/v1/mcp", "/v1", false),
        ] {
            let mut id = ResourceId::parse(resource).unwrap();
            assert!(!id.accepts_parent(other), "without the option");
            id.accept_parent();
            assert_eq!(id.accepts_parent(other), is_accepted, "{resource} {other}");
        }
    }

    #[test]
    fn an_issuer_that_cannot_be_used_is_not() {
        for (resource, issuer, named) in [
            ("https://a.example/mcp", "https://auth.example/x", None),
            ("https://a.example/mcp", "http://auth.example", Some("cleartext")),
            ("https://a.example/mcp", "https://10.0.0.1", Some("private")),
            ("https://a.example/mcp", "http://localhost:1", Some("private")),
            ("http://localhost:3000/mcp", "http://localhost:1", None),
            ("http://localhost:3000/mcp", "https://auth.example", None),
            ("https://a.example/mcp", "https://auth.example?x=y", Some("query")),
            ("https://a.example/mcp", "https://me@auth.example", Some("user name")),
            ("https://a.example/mcp", "auth.example", Some("absolute")),
            ("https://a.example/mcp", "https://auth.example\n", Some("line breaks")),
        ] {
            let found = ResourceId::parse(resource).unwrap().issuer(issuer);
            match named {
                None => assert_eq!(found.unwrap().as_str(), issuer),
                Some(named) => {
                    let text = found.unwrap_err().to_string();
                    assert!(text.contains(named), "{text}");
                }
            }
        }
    }

    #[test]
    fn the_addresses_of_the_rfc_in_their_order() {
        let cases: [(&str, &[(&str, &str)]); 7] = [
            (
                // RFC 9728 §3.1.
                "https://resource.example.com",
                &[(
                    "https://resource.example.com/.well-known/oauth-protected-resource",
                    "https://resource.example.com",
                )],
            ),
            (
                "https://resource.example.com/",
                &[(
                    "https://resource.example.com/.well-known/oauth-protected-resource",
                    "https://resource.example.com/",
                )],
            ),
            (
                // RFC 9728 §3.1.
                "https://resource.example.com/resource1",
                &[
                    (
                        "https://resource.example.com/.well-known/oauth-protected-resource/resource1",
                        "https://resource.example.com/resource1",
                    ),
                    (
                        "https://resource.example.com/.well-known/oauth-protected-resource",
                        "https://resource.example.com",
                    ),
                ],
            ),
            (
                "https://a.example:8443/x/?k=v",
                &[
                    (
                        "https://a.example:8443/.well-known/oauth-protected-resource/x/?k=v",
                        "https://a.example:8443/x/?k=v",
                    ),
                    ("https://a.example:8443/.well-known/oauth-protected-resource", "https://a.example:8443"),
                ],
            ),
            (
                "https://a.example?k=v",
                &[
                    ("https://a.example/.well-known/oauth-protected-resource?k=v", "https://a.example?k=v"),
                    ("https://a.example/.well-known/oauth-protected-resource", "https://a.example"),
                ],
            ),
            (
                "https://A.example:443/m%63p",
                &[
                    ("https://a.example/.well-known/oauth-protected-resource/m%63p", "https://A.example:443/m%63p"),
                    ("https://a.example/.well-known/oauth-protected-resource", "https://a.example"),
                ],
            ),
            (
                "http://[::1]:3000/mcp",
                &[
                    ("http://[::1]:3000/.well-known/oauth-protected-resource/mcp", "http://[::1]:3000/mcp"),
                    ("http://[::1]:3000/.well-known/oauth-protected-resource", "http://[::1]:3000"),
                ],
            ),
        ];
        for (resource, expected) in cases {
            let addresses = ResourceId::parse(resource).unwrap().well_known();
            let found: Vec<_> =
                addresses.iter().map(|address| (address.url.as_str(), address.resource.as_str())).collect();
            assert_eq!(found, expected, "{resource}");
        }
    }
}
