//! Addresses as users have them, read strictly.

use http::Uri;
use url::Url;

use crate::error::{Error, ErrorKind};

/// What an address can be given as: `&str`, `String`, [`url::Url`] or [`http::Uri`].
///
/// It is absolute, `http` or `https`, and holds neither a user name nor a password nor a fragment: whoever takes it refuses all
/// else with [`ErrorKind::Configuration`]. Its query is kept.
pub trait IntoUrl: sealed::Sealed {}

impl<T: sealed::Sealed> IntoUrl for T {}

/// Reads an address that requests are sent to: `http` or `https`, a host, no user information, no fragment
/// (RFC 6749 §3.1, §3.2). What is wrong with it is told without repeating it, for it may hold a password.
pub(crate) fn endpoint_url(name: &str, url: impl IntoUrl) -> Result<Url, Error> {
    let url = url.read().map_err(|why| Error::argument(name, why))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Error::argument(name, "must begin with https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Error::argument(name, "must not hold a user name or password; give them to `Client`"));
    }
    if url.fragment().is_some() {
        return Err(Error::argument(name, "must not have a fragment (`#`), not even an empty one"));
    }
    Ok(url)
}

/// As [`endpoint_url`], in the form that requests have.
pub(crate) fn endpoint_uri(name: &str, url: impl IntoUrl) -> Result<Uri, Error> {
    let url = endpoint_url(name, url)?;
    Uri::try_from(url.as_str()).map_err(|why| Error::argument(name, why))
}

/// Checks a URI that is sent as it was written: absolute, without fragment (RFC 6749 §3.1.2, RFC 8707 §2).
pub(crate) fn check_absolute(name: &str, uri: &str) -> Result<(), Error> {
    match Url::parse(uri) {
        Err(why) => Err(Error::argument(name, format!("not an absolute URI ({why})"))),
        Ok(url) if url.fragment().is_some() => Err(Error::argument(name, "must not have a fragment")),
        Ok(_) => Ok(()),
    }
}

/// Refuses cleartext to anything but this machine.
pub(crate) fn refuse_cleartext(name: &str, url: &Url) -> Result<(), Error> {
    if url.scheme() == "https" || url.host_str().is_some_and(is_loopback) {
        return Ok(());
    }
    let host = url.host_str().unwrap_or_default();
    Err(Error::new(ErrorKind::Cleartext, format!("`{name}` goes to `{host}`")))
}

/// Whether a host, as it stands in a URL, is this machine: `localhost` and below (RFC 6761 §6.3), `127.0.0.0/8`, `[::1]`.
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
        fn read(self) -> Result<Url, String>;
    }

    impl Sealed for &str {
        fn read(self) -> Result<Url, String> {
            Url::parse(self).map_err(|why| format!("not a URL ({why})"))
        }
    }

    impl Sealed for String {
        fn read(self) -> Result<Url, String> {
            self.as_str().read()
        }
    }

    impl Sealed for &String {
        fn read(self) -> Result<Url, String> {
            self.as_str().read()
        }
    }

    impl Sealed for Url {
        fn read(self) -> Result<Url, String> {
            Ok(self)
        }
    }

    impl Sealed for Uri {
        fn read(self) -> Result<Url, String> {
            self.to_string().read()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_no_endpoint() {
        for (url, why) in [
            ("", "not a URL"),
            ("auth.example.com/token", "not a URL"),
            ("https://", "not a URL"),
            ("ftp://auth.example.com/token", "https://"),
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
    fn knows_this_machine() {
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
