//! Selects the proxy of each destination.

use std::fmt;

use http::Uri;
use http::uri::Scheme;

use super::no_proxy;
use super::proxy::{Proxy, ProxyRule};
use super::proxy_environment::ProxyVariables;
use crate::error::Error;
use crate::into_url::is_loopback;

/// The configured proxies.
pub(super) struct Proxies {
    https: Option<ProxyRule>,
    http: Option<ProxyRule>,
}

/// How to connect to a host.
pub(super) enum ProxyRoute {
    /// Connect to the host itself.
    Direct,
    /// Send the request to an HTTP proxy.
    Forward(Proxy),
    /// Open a tunnel through an HTTP proxy (RFC 9110 §9.3.6).
    Tunnel(Proxy),
    /// Connect through a SOCKS proxy (RFC 1928).
    Socks(Proxy),
}

impl Proxies {
    /// Parses the proxies of the environment.
    ///
    /// # Errors
    ///
    /// As [`ProxyRule::new`].
    pub(super) fn new(variables: &ProxyVariables) -> Result<Self, Error> {
        let variables = variables.without_client_headers();
        let no_proxy = no_proxy::normalize(variables.no_proxy()?);
        let rule = |(variable, value)| ProxyRule::new(variable, value, &no_proxy);
        Ok(Self { https: variables.https()?.map(rule).transpose()?, http: variables.http()?.map(rule).transpose()? })
    }

    /// Returns how to connect to the host of `destination`.
    pub(super) fn route(&self, destination: &Uri) -> ProxyRoute {
        if destination.host().is_none_or(is_loopback) {
            return ProxyRoute::Direct;
        }
        let is_https = destination.scheme() == Some(&Scheme::HTTPS);
        let rule = if is_https { &self.https } else { &self.http };
        match rule.as_ref().and_then(|rule| rule.for_destination(destination)) {
            None => ProxyRoute::Direct,
            Some(proxy) if proxy.is_socks() => ProxyRoute::Socks(proxy),
            Some(proxy) if is_https || proxy.basic_auth().is_some() => ProxyRoute::Tunnel(proxy),
            Some(proxy) => ProxyRoute::Forward(proxy),
        }
    }
}

/// Prints only the names of the variables, because a value may contain a password.
impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variable = |rule: &Option<ProxyRule>| rule.as_ref().map(ProxyRule::variable);
        f.debug_struct("Proxies").field("https", &variable(&self.https)).field("http", &variable(&self.http)).finish()
    }
}

#[cfg(test)]
mod tests {
    #[cfg(unix)]
    use std::ffi::OsStr;

    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> Result<Proxies, Error> {
        Proxies::new(&ProxyVariables::read(|name| {
            let (_, value) = variables.iter().find(|(known, _)| *known == name)?;
            Some(value.into())
        }))
    }

    /// Returns a description of the route to an address.
    fn route(variables: &[(&str, &str)], destination: &'static str) -> String {
        match proxies(variables).unwrap().route(&Uri::from_static(destination)) {
            ProxyRoute::Direct => "direct".to_owned(),
            ProxyRoute::Forward(proxy) => format!("forward {proxy}"),
            ProxyRoute::Tunnel(proxy) => format!("tunnel {proxy}"),
            ProxyRoute::Socks(proxy) => format!("socks {proxy}"),
        }
    }

    #[test]
    fn the_variable_for_each_scheme() {
        let (http, https) = ("http://api.example.com/", "https://api.example.com/");
        for (variables, destination, expected) in [
            (&[][..], https, "direct"),
            (&[("HTTPS_PROXY", "p:1")], https, "tunnel http://p:1 (`HTTPS_PROXY`)"),
            (&[("HTTPS_PROXY", "p:1")], http, "direct"),
            (&[("HTTPS_PROXY", " p:1\n")], https, "tunnel http://p:1 (`HTTPS_PROXY`)"),
            (&[("HTTP_PROXY", "p:1")], http, "forward http://p:1 (`HTTP_PROXY`)"),
            (&[("HTTP_PROXY", "p:1")], https, "direct"),
            (&[("HTTPS_PROXY", "p:1"), ("https_proxy", "p:2")], https, "tunnel http://p:2 (`https_proxy`)"),
            (&[("HTTPS_PROXY", "p:1"), ("https_proxy", "")], https, "tunnel http://p:1 (`HTTPS_PROXY`)"),
            (&[("ALL_PROXY", "p:1"), ("HTTPS_PROXY", "p:2")], https, "tunnel http://p:2 (`HTTPS_PROXY`)"),
            (&[("ALL_PROXY", "p:1"), ("HTTPS_PROXY", "p:2")], http, "forward http://p:1 (`ALL_PROXY`)"),
            (&[("HTTP_PROXY", "p:1"), ("REQUEST_METHOD", "GET")], http, "direct"),
            (&[("http_proxy", "p:1"), ("REQUEST_METHOD", "GET")], http, "forward http://p:1 (`http_proxy`)"),
            (&[("HTTP_PROXY", "no good"), ("REQUEST_METHOD", "GET")], http, "direct"),
            (&[("ALL_PROXY", "https://p")], https, "tunnel https://p (`ALL_PROXY`)"),
            (&[("ALL_PROXY", "http://u:hunter2@p:1/")], https, "tunnel http://p:1 (`ALL_PROXY`)"),
            (&[("ALL_PROXY", "http://u:hunter2@p:1/")], http, "tunnel http://p:1 (`ALL_PROXY`)"),
            (&[("ALL_PROXY", "http://[2001:db8::1]:1")], https, "tunnel http://[2001:db8::1]:1 (`ALL_PROXY`)"),
            (&[("ALL_PROXY", "socks5://u:hunter2@p")], https, "socks socks5://p:1080 (`ALL_PROXY`)"),
            (&[("ALL_PROXY", "socks5h://p:1")], http, "socks socks5h://p:1 (`ALL_PROXY`)"),
        ] {
            assert_eq!(route(variables, destination), expected, "{variables:?} {destination}");
        }
    }

    #[test]
    fn excluded_and_loopback_hosts_are_connected_to_directly() {
        for (no_proxy, destination, is_direct) in [
            ("example.com", "https://example.com/", true),
            ("example.com", "https://API.example.com/", true),
            (".example.com", "https://api.example.com/", true),
            ("example.com", "https://notexample.com/", false),
            ("a.test , b.test", "https://b.test/", true),
            ("a.test b.test\tc.test", "https://c.test/", true),
            ("a.test b.test", "https://b.test/", true),
            ("Example.COM", "https://api.example.com/", true),
            ("example.com", "https://EXAMPLE.com:8443/x", true),
            ("example.com", "http://api.Example.Com/", true),
            ("example.com.", "https://api.example.com/", true),
            ("example.com", "https://example.com./", true),
            ("*.example.com", "https://api.example.com/", true),
            ("*.example.com", "https://notexample.com/", false),
            (" , ", "https://api.example.com/", false),
            ("*", "https://api.example.com/", true),
            ("10.0.0.0/8", "https://10.1.2.3/", true),
            ("2001:db8::/32", "https://[2001:db8::1]/", true),
            ("", "https://api.example.com/", false),
            ("", "https://localhost/", true),
            ("", "http://127.0.0.1:8080/", true),
            ("", "https://[::1]/", true),
            ("", "https://app.localhost/", true),
            ("", "/relative", true),
        ] {
            let variables = [("ALL_PROXY", "http://p:1"), ("NO_PROXY", no_proxy)];
            assert_eq!(route(&variables, destination) == "direct", is_direct, "{no_proxy:?} {destination}");
        }
    }

    #[test]
    fn the_error_of_an_invalid_value_does_not_repeat_the_value() {
        for value in [
            "http://u:hunter2@",
            "http://u:hunter2@:3128",
            "u:hunter2",
            "http://u:hunter/2@p:3128",
            "http://u:hunter?2@p:3128",
            "http://u:1#hunter@p:3128",
            "http://u:hunter@2@p:3128",
            "http://u:hunter2@p:port",
            "http://u:hunter2@p:99999",
            "http://u:hunter2@p:0",
            "http://u:hunter2@p:",
            "http://u:hunter2@p:3128/wpad.dat",
            "http://u:hun ter2@p:3128",
            "socks4://u:hunter2@p:1080",
            "ftp://u:hunter2@p:21",
            "http://",
            ":3128",
            "/hunter2",
        ] {
            let error = proxies(&[("HTTPS_PROXY", value)]).err().unwrap_or_else(|| panic!("{value} is accepted"));
            let text = format!("{error} {error:?}");
            assert!(text.contains("`HTTPS_PROXY`") && !text.contains("hunter"), "{value}: {text}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_not_text_is_an_error() {
        use std::os::unix::ffi::OsStrExt as _;

        for name in ["ALL_PROXY", "NO_PROXY"] {
            let variables = ProxyVariables::read(|known| (known == name).then(|| OsStr::from_bytes(b"p\xff").into()));
            assert!(Proxies::new(&variables).unwrap_err().to_string().contains(name));
        }
    }

    #[test]
    fn no_password_is_printed() {
        let variables = ProxyVariables::read(|name| (name == "ALL_PROXY").then(|| "http://u:hunter2@p:1".into()));
        let text = format!("{variables:?} {:?}", Proxies::new(&variables).unwrap());
        assert!(text.contains("ALL_PROXY") && !text.contains("hunter2"), "{text}");
    }
}
