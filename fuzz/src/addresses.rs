//! What an address says about its host without a resolver, and the well-known addresses of an issuer. The crate has its own implementation.

use std::net::IpAddr;

use http::Uri;
use tower_oauth2::{Error, ErrorKind};
use url::{Host, Url};

use crate::secrets::{SECRET_PREFIX, error_text};

/// Returns whether an address has only parts that the address of an endpoint may have (RFC 6749 §3.1, §3.2).
pub fn is_bare(url: &Url) -> bool {
    let is_bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    matches!(url.scheme(), "http" | "https") && is_bare
}

/// Returns whether requests to this address are encrypted or stay on this machine.
pub fn is_safe(url: &Url) -> bool {
    let is_loopback = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(_)) => !is_public_name(url),
        None => false,
    };
    url.scheme() == "https" || is_loopback
}

/// Returns whether the host is a name other than `localhost` and its subdomains (RFC 6761 §6.3).
pub fn is_public_name(url: &Url) -> bool {
    let Some(Host::Domain(name)) = url.host() else { return false };
    let name = name.strip_suffix('.').unwrap_or(name);
    name != "localhost" && !name.ends_with(".localhost")
}

/// Returns whether the host is surely not public: `localhost`, or a loopback, private or link-local address.
pub fn is_private(url: &Url) -> bool {
    let ip = match url.host() {
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip),
        Some(Host::Ipv6(ip)) => ip.to_canonical(),
        _ => return !is_public_name(url),
    };
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_unspecified(),
    }
}

/// Returns the addresses of an issuer's metadata, in their order (RFC 8414 §3.1, OpenID Connect Discovery 1.0 §4.1).
pub fn issuer_addresses(issuer: &Url) -> Vec<String> {
    let origin = issuer.origin().ascii_serialization();
    let path = issuer.path().strip_suffix('/').unwrap_or(issuer.path());
    let (oauth, openid) = ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration");
    let mut addresses = vec![format!("{origin}{oauth}{path}"), format!("{origin}{openid}{path}")];
    if !path.is_empty() {
        addresses.push(format!("{origin}{path}{openid}"));
    }
    addresses
}

/// Returns whether a request can be sent to the address. Some are valid in a `Url`, but not in a `Uri`.
pub fn can_be_sent(address: &str) -> bool {
    Uri::try_from(address).is_ok()
}

/// Checks the error for the argument `name`. `url` is its address if it is valid and only its scheme may be wrong.
pub fn check_address_error(error: &Error, url: Option<&Url>, name: &str) {
    let text = error_text(error);
    assert!(text.contains(name), "{text}");
    match url {
        // The error names the host.
        Some(url) => assert!(error.kind() == ErrorKind::Cleartext && !is_safe(url), "{text}"),
        None => assert!(error.kind() == ErrorKind::Configuration && !text.contains(SECRET_PREFIX), "{text}"),
    }
}
