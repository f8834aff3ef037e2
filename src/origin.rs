//! Origins: scheme, host and port (RFC 6454 §4).
//!
//! `wss` is treated as `https`, and `ws` as `http`, because a WebSocket handshake is an HTTP request to the same server.

use std::fmt;

use http::Uri;
use http::uri::Scheme;

use crate::error::Error;
use crate::into_url::{self, IntoUrl};

/// A normalised origin: in lower case, with the default port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    https: bool,
    host: String,
    port: u16,
    /// The authority as requests usually write it: without a default port.
    authority: String,
}

impl Origin {
    /// Parses the origin of an address. Ignores its path and query.
    pub(crate) fn parse(origin: impl IntoUrl) -> Result<Self, Error> {
        let url = into_url::origin_url("origin", origin)?;
        let https = matches!(url.scheme(), "https" | "wss");
        // The URL parser rejects an address of these schemes without a host.
        let host = url.host_str().unwrap_or_default().to_owned();
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.clone(),
        };
        Ok(Self { https, host, port: url.port().unwrap_or(default_port(https)), authority })
    }

    /// Returns the authority that `https` requests to this origin usually have; `None` for an `http` origin.
    pub(crate) fn fast_authority(&self) -> Option<&str> {
        self.https.then_some(&self.authority)
    }

    /// Returns whether a request to `uri` goes to this origin. Allocates nothing.
    pub(crate) fn matches(&self, uri: &Uri) -> bool {
        let (Some(https), Some(host)) = (uri.scheme().and_then(is_tls), uri.host()) else { return false };
        https == self.https && port(uri, host, https) == Some(self.port) && host.eq_ignore_ascii_case(&self.host)
    }
}

/// Writes the origin without a default port, as RFC 6454 §6.2 does.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.https { "https" } else { "http" }, self.authority)
    }
}

/// Returns whether a scheme uses TLS; `None` unless it is `http`, `https`, `ws` or `wss`.
pub(crate) fn is_tls(scheme: &Scheme) -> Option<bool> {
    if *scheme == Scheme::HTTPS {
        return Some(true);
    }
    if *scheme == Scheme::HTTP {
        return Some(false);
    }
    let scheme = scheme.as_str();
    let is_websocket = |name| scheme.eq_ignore_ascii_case(name);
    if is_websocket("wss") { Some(true) } else { is_websocket("ws").then_some(false) }
}

/// Returns the port of a request; `None` if it is malformed, because clients handle that differently.
pub(crate) fn port(uri: &Uri, host: &str, https: bool) -> Option<u16> {
    let authority = uri.authority()?.as_str();
    let after_host = authority.rsplit('@').next()?.strip_prefix(host)?;
    match after_host {
        "" | ":" => Some(default_port(https)),
        // `http::Uri` accepts any text after the brackets of an IPv6 address, and a port with a sign.
        _ => {
            let digits = after_host.strip_prefix(':').filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
            digits.and_then(|_| uri.port_u16())
        }
    }
}

pub(crate) fn default_port(https: bool) -> u16 {
    if https { 443 } else { 80 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_compared_normalised() {
        for (origin, uri, same) in [
            ("https://api.example.com", "https://api.example.com/v1?q", true),
            ("https://API.example.com:443/", "https://api.EXAMPLE.com", true),
            ("https://api.example.com", "https://api.example.com:443/", true),
            ("https://api.example.com", "https://api.example.com:8443/", false),
            ("https://api.example.com", "http://api.example.com/", false),
            ("https://api.example.com", "http://api.example.com:443/", false),
            ("https://api.example.com", "https://example.com/", false),
            ("https://api.example.com", "https://api.example.com.evil.example/", false),
            ("https://api.example.com", "https://api.example.com@evil.example/", false),
            ("https://api.example.com", "https://user@api.example.com/", true),
            ("https://api.example.com", "/relative", false),
            ("https://api.example.com", "https://api.example.com:44x/", false),
            ("https://api.example.com", "https://api.example.com:99999/", false),
            ("https://api.example.com", "https://api.example.com:+443/", false),
            ("https://api.example.com", "https://api.example.com:0443/", true),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/", true),
            ("http://[::1]:8080", "http://[::1]:8080/", true),
            ("https://bücher.example", "https://xn--bcher-kva.example/", true),
            ("wss://bücher.example", "wss://xn--bcher-kva.example/", true),
            ("https://api.example.com", "wss://api.example.com/", true),
            ("https://api.example.com", "WSS://api.example.com:443/", true),
            ("wss://api.example.com", "https://api.example.com/", true),
            ("wss://api.example.com:443/events", "https://api.example.com/", true),
            ("http://127.0.0.1", "ws://127.0.0.1:80/", true),
            ("ws://127.0.0.1:8080", "http://127.0.0.1:8080/", true),
            ("https://api.example.com", "ws://api.example.com/", false),
            ("https://api.example.com", "ws://api.example.com:443/", false),
            ("ws://api.example.com", "wss://api.example.com/", false),
            ("wss://api.example.com", "wss://api.example.com:8443/", false),
            ("wss://api.example.com", "wsx://api.example.com/", false),
        ] {
            let origin = Origin::parse(origin).unwrap();
            assert_eq!(origin.matches(&uri.parse().unwrap()), same, "{origin:?} and {uri}");
        }
    }

    #[test]
    fn the_fast_check_is_the_same_for_https_and_wss() {
        for origin in ["https://api.example.com", "wss://api.example.com:443/"] {
            let origin = Origin::parse(origin).unwrap();
            assert_eq!(origin, Origin::parse("https://api.example.com").unwrap());
            for uri in ["https://api.example.com/", "wss://api.example.com/events"] {
                let uri: Uri = uri.parse().unwrap();
                assert_eq!(origin.fast_authority(), uri.authority().map(|authority| authority.as_str()), "{uri}");
            }
        }
        for origin in ["http://api.example.com", "ws://api.example.com"] {
            assert_ne!(Origin::parse(origin).unwrap().fast_authority(), Some("api.example.com"));
        }
    }
}
