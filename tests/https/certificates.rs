//! Trusted certificates, and systems whose certificates cannot be read.

use std::error::Error as _;
use std::path::Path;

use bytes::Bytes;
use http_body_util::Full;
use tower_oauth2::{ErrorKind, https};

use crate::child_process::{certificate, in_child_with};
use crate::requests::{get, report, with};
use crate::server::Server;

/// Returns the error of a process without trusted certificates.
fn client_error() -> tower_oauth2::Error {
    let error = https::client::<Full<Bytes>>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    error
}

#[test]
fn an_empty_file_is_an_error_that_names_the_variable() {
    let variables = [("SSL_CERT_FILE", "/dev/null")];
    in_child_with("certificates::an_empty_file_is_an_error_that_names_the_variable", &variables, async || {
        let error = client_error().to_string();
        assert!(error.contains("`SSL_CERT_FILE` (/dev/null)"), "{error}");
    });
}

#[test]
fn a_missing_file_is_an_error_with_its_cause() {
    let variables = [("SSL_CERT_FILE", "/not/there.pem")];
    in_child_with("certificates::a_missing_file_is_an_error_with_its_cause", &variables, async || {
        let error = client_error();
        assert!(error.source().is_some() && report(&error).contains("/not/there.pem"), "{}", report(&error));
    });
}

#[test]
fn an_empty_folder_is_an_error() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-certificates");
    std::fs::create_dir_all(&folder).unwrap();
    let variables = [("SSL_CERT_DIR", folder.to_str().unwrap())];
    in_child_with("certificates::an_empty_folder_is_an_error", &variables, async || {
        let error = client_error().to_string();
        assert!(error.contains("`SSL_CERT_DIR` ("), "{error}");
    });
}

#[test]
fn certificates_that_can_be_read_are_trusted() {
    let variables = [("SSL_CERT_FILE", certificate().to_str().unwrap()), ("SSL_CERT_DIR", "/not/there")];
    in_child_with("certificates::certificates_that_can_be_read_are_trusted", &variables, async || {
        let server = Server::https().await;
        let client = with(&[]).build().unwrap();
        let url = format!("https://localhost:{}/", server.address.port());
        assert_eq!(get(&client, url).await.unwrap(), "HTTP/2.0 /");
    });
}

#[test]
fn other_certificates_are_not_trusted() {
    in_child_with("certificates::other_certificates_are_not_trusted", &[("SSL_CERT_FILE", other())], async || {
        let server = Server::https().await;
        let url = format!("https://localhost:{}/", server.address.port());
        let error = report(&*get(&with(&[]).build().unwrap(), url).await.unwrap_err());
        assert!(error.contains("invalid peer certificate"), "{error}");
    });
}

/// Returns the path of a certificate that the server does not use.
fn other() -> &'static str {
    static CERTIFICATE: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    CERTIFICATE.get_or_init(|| {
        let folder = certificate().parent().unwrap();
        let command = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=other \
                       -keyout other-key.pem -out other.pem";
        let output =
            std::process::Command::new("openssl").args(command.split_whitespace()).current_dir(folder).output();
        assert!(output.unwrap().status.success());
        folder.join("other.pem").to_str().unwrap().to_owned()
    })
}
