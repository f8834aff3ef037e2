//! The address of the server, and the check that tokens may be sent to it.

use std::net::Ipv6Addr;

use redis::{Client, ConnectionAddr, IntoConnectionInfo};
use rustls::crypto::{CryptoProvider, ring};

use crate::error::{Error, ErrorKind};
use crate::into_url;

/// Creates a client for the server at this URL, without connecting.
///
/// The error for an invalid URL does not repeat the URL, which may contain a password.
pub(super) fn client(url: &str, cleartext: bool) -> Result<Client, Error> {
    let wrong = || Error::argument("url", "it must look like `rediss://user:password@redis.example.com:6379/0`");
    let info = url.into_connection_info().map_err(|_| wrong())?;
    match info.addr() {
        ConnectionAddr::Tcp(host, _) if !cleartext && !is_local(host) => {
            let why = format!("`url` leads to `{host}` without encryption; use `rediss://` or `dangerous_cleartext`");
            return Err(Error::new(ErrorKind::Cleartext, why));
        }
        ConnectionAddr::TcpTls { insecure: true, .. } => {
            return Err(Error::argument(
                "url",
                "`#insecure` disables the verification of the server; add its certificate to the trusted ones",
            ));
        }
        // Without a default provider, and with two providers in the build, the client would panic when it connects.
        ConnectionAddr::TcpTls { .. } if CryptoProvider::get_default().is_none() => {
            let _ = ring::default_provider().install_default();
        }
        _ => {}
    }
    Client::open(info).map_err(|_| wrong())
}

/// Returns whether the host is the local machine. The host of an IPv6 address has no brackets here.
fn is_local(host: &str) -> bool {
    into_url::is_loopback(host) || host.parse().is_ok_and(|address: Ipv6Addr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleartext_is_allowed_to_this_machine_only() {
        let url = "redis://:hunter2@";
        for host in ["127.0.0.1", "127.8.0.1:6380", "[::1]", "localhost:1", "LOCALHOST"] {
            assert!(client(&format!("{url}{host}"), false).is_ok(), "{host}");
        }
        for host in ["10.0.0.1", "redis", "localhost.example", "[::2]"] {
            let error = client(&format!("{url}{host}"), false).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Cleartext);
            assert!(!format!("{error} {error:?}").contains("hunter2"));
            assert!(client(&format!("{url}{host}"), true).is_ok(), "{host}");
        }
        assert!(client("redis+unix:///run/redis.sock", false).is_ok());
        assert!(client("rediss://:hunter2@redis.example", false).is_ok());
        assert!(client("rediss://:hunter2@redis.example/#insecure", false).is_err());
    }

    #[test]
    fn an_invalid_url_is_not_repeated() {
        for url in ["", "redis://:hunter2@", "http://:hunter2@localhost", "redis://:hunter2@localhost/x", "hunter2"] {
            let error = client(url, true).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }
}
