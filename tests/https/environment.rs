//! Proxies from the environment of the process.

use bytes::Bytes;
use http_body_util::Full;
use tower_oauth2::{ErrorKind, https};

use crate::child_process::{certificate, in_child_with};
use crate::requests::{get, report};

#[test]
fn the_proxy_in_the_environment_is_used() {
    let certificate = certificate().to_str().unwrap();
    // No process listens on port 1.
    let variables = [("SSL_CERT_FILE", certificate), ("HTTPS_PROXY", "http://127.0.0.1:1")];
    in_child_with("environment::the_proxy_in_the_environment_is_used", &variables, async || {
        let client = https::client::<Full<Bytes>>().unwrap();
        let error = report(&*get(&client, "https://api.example.com/").await.unwrap_err());
        assert!(error.contains("the proxy http://127.0.0.1:1 (`HTTPS_PROXY`)"), "{error}");
    });
}

#[test]
fn the_error_of_an_invalid_proxy_address_does_not_print_it() {
    let certificate = certificate().to_str().unwrap();
    let variables = [("SSL_CERT_FILE", certificate), ("ALL_PROXY", "http://alice:hunter/2@proxy.example.com")];
    in_child_with("environment::the_error_of_an_invalid_proxy_address_does_not_print_it", &variables, async || {
        let error = https::client::<Full<Bytes>>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().contains("`ALL_PROXY`"), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter"), "{error:?}");
        assert!(https::builder().proxies_from(|_| None).build::<Full<Bytes>>().is_ok());
    });
}
