//! Scheme, host and port: who may see a token (RFC 6454 §4).

use http::Uri;
use http::uri::Scheme;

use crate::error::Error;
use crate::into_url::{self, IntoUrl};

/// An origin, normalised: lower case, the default port filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    https: bool,
    host: String,
    port: u16,
    /// How a request names it most often, without the scheme.
    authority: String,
}

impl Origin {
    /// Reads the origin of an address; its path and query say nothing about the origin and are not looked at.
    pub(crate) fn parse(origin: impl IntoUrl) -> Result<Self, Error> {
        let url = into_url::endpoint_url("origin", origin)?;
        let https = url.scheme() == "https";
        // The URL parser does not let an http(s) address without a host through.
        let host = url.host_str().unwrap_or_default().to_owned();
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.clone(),
        };
        Ok(Self { https, host, port: url.port().unwrap_or(default_port(https)), authority })
    }

    /// Whether a request to this `https` address goes here, at a quick look.
    #[inline]
    pub(crate) fn is_plainly_of(&self, uri: &Uri) -> bool {
        self.https && uri.authority().is_some_and(|authority| authority.as_str() == self.authority)
    }

    /// Whether a request to `uri` goes here. Nothing is copied for the answer.
    pub(crate) fn is_of(&self, uri: &Uri) -> bool {
        let (Some(scheme), Some(host)) = (uri.scheme(), uri.host()) else { return false };
        let https = match scheme {
            s if *s == Scheme::HTTPS => true,
            s if *s == Scheme::HTTP => false,
            _ => return false,
        };
        https == self.https && port(uri, host, https) == Some(self.port) && host.eq_ignore_ascii_case(&self.host)
    }
}

/// The port that a request goes to; `None` where it cannot be read, for then clients differ.
fn port(uri: &Uri, host: &str, https: bool) -> Option<u16> {
    let authority = uri.authority()?.as_str();
    let after_host = authority.rsplit('@').next()?.strip_prefix(host)?;
    match after_host {
        "" | ":" => Some(default_port(https)),
        // Behind the brackets of an IPv6 address anything gets through to here.
        _ => after_host.strip_prefix(':').and_then(|_| uri.port_u16()),
    }
}

fn default_port(https: bool) -> u16 {
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
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/", true),
            ("http://[::1]:8080", "http://[::1]:8080/", true),
            ("https://bücher.example", "https://xn--bcher-kva.example/", true),
        ] {
            let origin = Origin::parse(origin).unwrap();
            assert_eq!(origin.is_of(&uri.parse().unwrap()), same, "{origin:?} and {uri}");
        }
    }
}
