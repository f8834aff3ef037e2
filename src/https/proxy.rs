//! A proxy: its address, and the hosts for which it is used.

use std::fmt;

use http::uri::Authority;
use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};

use super::no_proxy;
use crate::error::Error;

/// A proxy with the hosts for which it is used.
pub(super) struct ProxyRule {
    variable: &'static str,
    matcher: Matcher,
}

/// The proxy that is used for one destination. `Display` omits the password.
pub(super) struct Proxy {
    variable: &'static str,
    address: Uri,
    intercept: Intercept,
}

impl ProxyRule {
    /// Parses the `value` of a `variable`. `no_proxy` is a normalized list of hosts that are connected to directly.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) for a value that cannot be used. `Matcher` would ignore it, and
    /// the client would then connect directly.
    pub(super) fn new(variable: &'static str, value: &str, no_proxy: &str) -> Result<Self, Error> {
        let is_usable = is_complete(value) && {
            let matcher = Matcher::builder().all(value).build();
            matcher.intercept(&Uri::from_static("https://any.invalid/")).is_some_and(|proxy| has_valid_address(&proxy))
        };
        if !is_usable {
            // The error does not repeat the value, which may contain a password.
            let why = "must be the address of a proxy, such as `http://user:password@proxy.example.com:3128`, with `http`, `https`, \
                       `socks5` or `socks5h`; in user name and password, characters other than letters and digits must be percent-encoded";
            return Err(Error::argument(variable, why));
        }
        Ok(Self { variable, matcher: Matcher::builder().all(value).no(no_proxy).build() })
    }

    /// Returns the name of the variable that configures the proxy.
    pub(super) fn variable(&self) -> &'static str {
        self.variable
    }

    /// Returns the proxy for `destination`, or `None` if `no_proxy` excludes the destination.
    pub(super) fn for_destination(&self, destination: &Uri) -> Option<Proxy> {
        let intercept = self.matcher.intercept(&no_proxy::normalize_host(destination))?;
        Some(Proxy { variable: self.variable, address: with_socks_port(intercept.uri()), intercept })
    }
}

impl Proxy {
    /// Returns the address without user name and password.
    pub(super) fn address(&self) -> &Uri {
        &self.address
    }

    /// Returns the value of `Proxy-Authorization`, if the address has a user name.
    pub(super) fn basic_auth(&self) -> Option<&HeaderValue> {
        self.intercept.basic_auth()
    }

    /// Returns user name and password for a SOCKS proxy.
    pub(super) fn raw_auth(&self) -> Option<(&str, &str)> {
        self.intercept.raw_auth()
    }

    pub(super) fn is_socks(&self) -> bool {
        is_socks(&self.address)
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.address.scheme_str().unwrap_or_default();
        let authority = self.address.authority().map_or("", Authority::as_str);
        write!(f, "{scheme}://{authority} (`{}`)", self.variable)
    }
}

/// Returns whether `Matcher` would use the whole value: a password that is not percent-encoded can look like a path or a fragment.
fn is_complete(value: &str) -> bool {
    let parsed = value.parse::<Uri>();
    !value.contains('#') && parsed.is_ok_and(|uri| matches!(uri.path(), "" | "/") && uri.query().is_none())
}

/// Returns whether the client can connect to the parsed address, and the address contains no part of a password.
fn has_valid_address(proxy: &Intercept) -> bool {
    let uri = proxy.uri();
    let (Some(authority), Some(host)) = (uri.authority(), uri.host()) else { return false };
    // After the host there may be a port, and nothing else.
    let has_valid_port = authority.as_str() == host || authority.port_u16().is_some_and(|port| port != 0);
    let has_known_scheme = matches!(uri.scheme_str(), Some("http" | "https" | "socks5" | "socks5h"));
    has_known_scheme && has_valid_port && !host.is_empty() && !authority.as_str().contains('@')
}

fn is_socks(uri: &Uri) -> bool {
    uri.scheme_str().is_some_and(|scheme| scheme.starts_with("socks"))
}

/// Adds the default port of SOCKS, which `HttpConnector` does not know.
fn with_socks_port(proxy: &Uri) -> Uri {
    if is_socks(proxy) { with_port(proxy, 1080) } else { proxy.clone() }
}

/// Returns the address with an explicit port: its own, or `default_port`.
pub(super) fn with_port(uri: &Uri, default_port: u16) -> Uri {
    let mut parts = uri.clone().into_parts();
    if let Some(authority) = &parts.authority
        && authority.port().is_none()
        && let Ok(authority) = format!("{}:{default_port}", authority.host()).parse()
    {
        parts.authority = Some(authority);
    }
    Uri::from_parts(parts).unwrap_or_else(|_| uri.clone())
}
