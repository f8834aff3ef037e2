//! Parses and validates addresses.

use std::fmt;

use http::Uri;
use url::{Url, form_urlencoded};

use crate::error::{Error, ErrorKind};

/// A type that can be parsed as an address: `&str`, `String`, [`url::Url`] and [`http::Uri`], by value or by reference.
///
/// The address must be absolute, with the scheme `http` or `https` (also `ws` or `wss` for an [origin](crate::OAuth2Layer::origin)), and
/// without user name, password and fragment. Methods that take an address return [`ErrorKind::Configuration`] if it is not valid. The
/// query is kept.
///
/// ```
/// use tower_oauth2::{client::Client, endpoint::TokenEndpoint};
///
/// let url: url::Url = "https://auth.example.com/token".parse()?;
/// assert!(TokenEndpoint::new(&url, Client::public("id")).is_ok());
/// assert!(TokenEndpoint::new("auth.example.com/token", Client::public("id")).is_err());
/// # Ok::<_, url::ParseError>(())
/// ```
pub trait IntoUrl: sealed::Sealed {}

impl<T: sealed::Sealed> IntoUrl for T {}

/// Parses the address of an endpoint: `http` or `https`, with a host, without user information and fragment (RFC 6749 §3.1, §3.2).
///
/// The error does not repeat the address, because it may contain a password.
pub(crate) fn endpoint_url(name: &str, url: impl IntoUrl) -> Result<Url, Error> {
    parse(name, url, &["http", "https"], "must begin with https://")
}

/// Parses an identifier that is compared as text, such as an issuer. It is an address of an endpoint.
///
/// The URL parser ignores spaces around the address and line breaks within it, and the comparison does not.
pub(crate) fn identifier_url(name: &str, text: &str) -> Result<Url, Error> {
    if text.chars().any(|character| character.is_whitespace() || character.is_control()) {
        return Err(Error::argument(name, "must not contain spaces or line breaks"));
    }
    endpoint_url(name, text)
}

/// Parses the address of an origin, which may also be `ws` or `wss`.
pub(crate) fn origin_url(name: &str, url: impl IntoUrl) -> Result<Url, Error> {
    parse(name, url, &["http", "https", "ws", "wss"], "must begin with https:// or wss://")
}

fn parse(name: &str, url: impl IntoUrl, schemes: &[&str], required: &str) -> Result<Url, Error> {
    let url = url.parse_url().map_err(|why| Error::argument(name, why))?;
    if !schemes.contains(&url.scheme()) {
        return Err(Error::argument(name, required));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Error::argument(name, "must not contain a user name or password; give them to `Client`"));
    }
    if url.fragment().is_some() {
        return Err(Error::argument(name, "must not have a fragment (`#`), not even an empty one"));
    }
    Ok(url)
}

/// Parses the address of an endpoint into the type that requests use.
pub(crate) fn endpoint_uri(name: &str, url: impl IntoUrl) -> Result<Uri, Error> {
    let url = endpoint_url(name, url)?;
    Uri::try_from(url.as_str()).map_err(|why| Error::argument(name, why))
}

/// Validates a URI that is sent unchanged: it must be absolute and have no fragment (RFC 6749 §3.1.2, RFC 8707 §2).
pub(crate) fn check_absolute(name: &str, uri: &str) -> Result<(), Error> {
    match Url::parse(uri) {
        Err(why) => Err(Error::argument(name, format!("not an absolute URI ({why})"))),
        Ok(url) if url.fragment().is_some() => Err(Error::argument(name, "must not have a fragment")),
        Ok(_) => Ok(()),
    }
}

/// Replaces the query. A space is encoded as `%20`, because some servers do not decode `+` in a URL.
pub(crate) fn set_query<N: AsRef<str>, V: AsRef<str>>(url: &mut Url, pairs: impl IntoIterator<Item = (N, V)>) {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs);
    // A literal `+` has been encoded as `%2B`.
    url.set_query(Some(&query.finish().replace('+', "%20")));
}

/// Prints an address without its query, which may contain a key.
pub(crate) struct WithoutQuery<'a>(pub(crate) &'a str);

impl fmt::Debug for WithoutQuery<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.split_once('?') {
            Some((address, _)) => write!(f, "{address}?[secret]"),
            None => f.write_str(self.0),
        }
    }
}

/// Returns an error for `http` to a host that is not loopback.
pub(crate) fn deny_cleartext(name: &str, url: &Url) -> Result<(), Error> {
    if url.scheme() == "https" || url.host_str().is_some_and(is_loopback) {
        return Ok(());
    }
    let host = url.host_str().unwrap_or_default();
    Err(Error::new(ErrorKind::Cleartext, format!("the host of `{name}` is `{host}`")))
}

/// Returns whether the host of a URL is loopback: `localhost` and its subdomains (RFC 6761 §6.3), `127.0.0.0/8` or `[::1]`.
pub(crate) fn is_loopback(host: &str) -> bool {
    if let Some(v6) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return v6.parse().is_ok_and(|ip: std::net::Ipv6Addr| ip.is_loopback());
    }
    if let Ok(v4) = host.parse::<std::net::Ipv4Addr>() {
        return v4.is_loopback();
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let tail = name.len().checked_sub("localhost".len()).and_then(|at| name.split_at_checked(at));
    tail.is_some_and(|(head, tail)| tail.eq_ignore_ascii_case("localhost") && (head.is_empty() || head.ends_with('.')))
}

mod sealed {
    use super::{Uri, Url};

    pub trait Sealed {
        fn parse_url(self) -> Result<Url, String>;
    }

    impl Sealed for &str {
        fn parse_url(self) -> Result<Url, String> {
            Url::parse(self).map_err(|why| format!("not a URL ({why})"))
        }
    }

    impl Sealed for String {
        fn parse_url(self) -> Result<Url, String> {
            self.as_str().parse_url()
        }
    }

    impl Sealed for &String {
        fn parse_url(self) -> Result<Url, String> {
            self.as_str().parse_url()
        }
    }

    impl Sealed for Url {
        fn parse_url(self) -> Result<Url, String> {
            Ok(self)
        }
    }

    impl Sealed for &Url {
        fn parse_url(self) -> Result<Url, String> {
            Ok(self.clone())
        }
    }

    impl Sealed for Uri {
        fn parse_url(self) -> Result<Url, String> {
            self.to_string().parse_url()
        }
    }

    impl Sealed for &Uri {
        fn parse_url(self) -> Result<Url, String> {
            self.to_string().parse_url()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_endpoint_address_is_an_error() {
        for (url, why) in [
            ("", "not a URL"),
            ("auth.example.com/token", "not a URL"),
            ("https://", "not a URL"),
            ("ftp://auth.example.com/token", "https://"),
            ("wss://auth.example.com/token", "https://"),
            ("ws://127.0.0.1/token", "https://"),
            ("https://me:pw@auth.example.com/token", "user name"),
            ("https://auth.example.com/token#", "fragment"),
        ] {
            let error = endpoint_url("token_url", url).unwrap_err();
            let text = error.to_string();
            assert_eq!(error.kind(), ErrorKind::Configuration);
            assert!(text.contains("`token_url`") && text.contains(why), "{url}: {text}");
            assert!(!text.contains("pw@"), "{text}");
        }
    }

    #[test]
    fn loopback_hosts_are_recognized() {
        for (host, loopback) in [
            ("localhost", true),
            ("LocalHost.", true),
            ("api.localhost", true),
            ("127.0.0.1", true),
            ("127.8.9.10", true),
            ("[::1]", true),
            ("notlocalhost", false),
            ("localhost.example.com", false),
            ("10.0.0.1", false),
            ("[::2]", false),
            ("127.1", false),
            ("127.0.0.1.example.com", false),
            ("", false),
            ("жlocalhost", false),
        ] {
            assert_eq!(is_loopback(host), loopback, "{host}");
        }
    }
}
