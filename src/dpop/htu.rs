//! The address that a proof names (RFC 9449 §4.2, `htu`).

use std::fmt::Write as _;

use http::Uri;

use crate::error::Error;
use crate::origin::{Origin, default_port, is_tls, port};

/// The address of a request, normalised: scheme and host in lower case, without default port, query and user information.
///
/// The server may normalise before it compares (RFC 9449 §4.3, number 9), and not all do. Path and percent-encoding stay as they are sent.
#[derive(Clone, Debug)]
pub(crate) struct Htu {
    text: String,
    origin_len: usize,
}

impl Htu {
    /// Normalises the address of a request.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) unless it is the whole address of an HTTP or WebSocket request.
    pub(crate) fn new(uri: &Uri) -> Result<Self, Error> {
        let invalid = |why| Error::argument("uri", why);
        let (Some(https), Some(host)) = (uri.scheme().and_then(is_tls), uri.host().filter(|host| !host.is_empty()))
        else {
            return Err(invalid("a DPoP proof names the whole address of a request: `https://`, host and path"));
        };
        let port = port(uri, host, https).ok_or_else(|| invalid("its port is not a number below 65536"))?;
        let mut text = String::with_capacity(16 + host.len() + uri.path().len());
        text.push_str(if https { "https://" } else { "http://" });
        text.extend(host.chars().map(|character| character.to_ascii_lowercase()));
        if port != default_port(https) {
            // Writing to a `String` cannot fail.
            let _ = write!(text, ":{port}");
        }
        Ok(Self::with_path(text, uri.path()))
    }

    /// Returns the address of a request without authority to this origin.
    pub(crate) fn at_origin(origin: &Origin, path: &str) -> Self {
        Self::with_path(origin.to_string(), path)
    }

    fn with_path(mut text: String, path: &str) -> Self {
        let origin_len = text.len();
        // `*` stands for the server as a whole, which has no path (RFC 9112 §3.3).
        text.push_str(if matches!(path, "" | "*") { "/" } else { path });
        Self { text, origin_len }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns scheme, host and port.
    pub(super) fn origin(&self) -> &str {
        &self.text[..self.origin_len]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn addresses_are_normalised_and_the_path_stays_as_it_is_sent() {
        for (uri, htu, origin) in [
            ("https://api.example.com/a", "https://api.example.com/a", "https://api.example.com"),
            ("https://api.example.com", "https://api.example.com/", "https://api.example.com"),
            ("https://api.example.com?q=1", "https://api.example.com/", "https://api.example.com"),
            ("https://api.example.com/a?q=1&r=/b", "https://api.example.com/a", "https://api.example.com"),
            ("https://api.example.com/a?", "https://api.example.com/a", "https://api.example.com"),
            ("https://api.example.com/a#f", "https://api.example.com/a", "https://api.example.com"),
            ("HTTPS://API.Example.com:443/A", "https://api.example.com/A", "https://api.example.com"),
            ("https://api.example.com:0443/", "https://api.example.com/", "https://api.example.com"),
            ("https://api.example.com:/", "https://api.example.com/", "https://api.example.com"),
            ("https://api.example.com:8443/", "https://api.example.com:8443/", "https://api.example.com:8443"),
            ("https://api.example.com:80/", "https://api.example.com:80/", "https://api.example.com:80"),
            ("http://api.example.com:80/", "http://api.example.com/", "http://api.example.com"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
            ("http://[2001:DB8::1]:80/x", "http://[2001:db8::1]/x", "http://[2001:db8::1]"),
            ("https://u:p@api.example.com/", "https://api.example.com/", "https://api.example.com"),
            ("wss://api.example.com:443/events", "https://api.example.com/events", "https://api.example.com"),
            ("ws://api.example.com/events", "http://api.example.com/events", "http://api.example.com"),
            ("https://a.example/%7Eu/%c3%BC/a%2Fb", "https://a.example/%7Eu/%c3%BC/a%2Fb", "https://a.example"),
            ("https://a.example/b/../c/./d//", "https://a.example/b/../c/./d//", "https://a.example"),
            ("https://a.example./", "https://a.example./", "https://a.example."),
        ] {
            let parsed = Htu::new(&uri.parse().unwrap()).unwrap();
            assert_eq!((parsed.as_str(), parsed.origin()), (htu, origin), "{uri}");
        }
    }

    #[test]
    fn an_address_that_is_not_whole_is_an_error() {
        for uri in ["/a", "*", "api.example.com", "api.example.com:443", "ftp://a.example/", "https://a.example:99999/"]
        {
            let error = Htu::new(&uri.parse().unwrap()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{uri}");
        }
    }

    proptest! {
        #[test]
        fn a_normalised_address_stays_the_same(
            scheme in "https?|wss?|HTTPS",
            host in "[a-zA-Z0-9]{1,9}(\\.[a-zA-Z0-9]{1,9}){0,2}",
            port in prop::option::of(any::<u16>()),
            path in "(/[a-zA-Z0-9._~%-]{0,9}){0,3}",
            query in prop::option::of("[a-z=&/?]{0,9}"),
        ) {
            let port = port.map(|port| format!(":{port}")).unwrap_or_default();
            let query = query.map(|query| format!("?{query}")).unwrap_or_default();
            let Ok(uri) = format!("{scheme}://{host}{port}{path}{query}").parse::<Uri>() else { return Ok(()) };
            let htu = Htu::new(&uri).unwrap();
            let again = Htu::new(&htu.as_str().parse().unwrap()).unwrap();
            prop_assert_eq!(again.as_str(), htu.as_str());
            prop_assert_eq!(again.origin(), htu.origin());
            prop_assert!(!htu.as_str().contains('?'));
        }
    }
}
