//! The addresses at which a protected resource publishes its metadata (RFC 9728 §3.1).

use url::Url;

use super::metadata::AddressRules;
use super::private_host::is_private;
use crate::error::Error;
use crate::into_url;

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The identifier of a protected resource: the URL that the program calls.
#[derive(Clone, Debug)]
pub(super) struct ResourceId {
    /// As the application has written it.
    text: String,
    url: Url,
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
    pub(super) fn parse(resource: &str) -> Result<Self, Error> {
        let url = into_url::identifier_url("resource", resource)?;
        into_url::deny_cleartext("resource", &url)?;
        Ok(Self { text: resource.to_owned(), url })
    }

    pub(super) fn as_str(&self) -> &str {
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
        vec![inserted, ResourceAddress { url: root, resource: self.url.origin().ascii_serialization() }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
