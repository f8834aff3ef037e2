//! Loads the certificates that the system trusts.

use std::env;

use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

use crate::error::{Error, ErrorKind};

/// Returns a TLS configuration that trusts the certificates of the system, and has no client certificate.
///
/// # Errors
///
/// [`ErrorKind::Configuration`] if there is no trusted certificate.
pub(super) fn tls_config() -> Result<ClientConfig, Error> {
    // An explicit provider, because the process-wide default belongs to the application.
    let builder = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(|why| Error::new(ErrorKind::Configuration, "TLS cannot be set up").with_source(why))?;
    Ok(builder.with_root_certificates(roots()?).with_no_client_auth())
}

fn roots() -> Result<RootCertStore, Error> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Certificates that cannot be parsed are skipped.
    roots.add_parsable_certificates(found.certs);
    if !roots.is_empty() {
        return Ok(roots);
    }
    let error = Error::new(ErrorKind::Configuration, advice());
    Err(match found.errors.into_iter().next() {
        Some(why) => error.with_source(why),
        None => error,
    })
}

/// Returns the advice for the user if there is no trusted certificate.
fn advice() -> String {
    let set: Vec<_> = ["SSL_CERT_FILE", "SSL_CERT_DIR"]
        .into_iter()
        .filter_map(|name| Some(format!("`{name}` ({})", env::var_os(name)?.display())))
        .collect();
    if set.is_empty() {
        return "the system has no trusted certificates; install its certificates (on Debian the package `ca-certificates`), or set \
                `SSL_CERT_FILE` to a PEM file"
            .to_owned();
    }
    format!(
        "{} has no certificate that can be read; set it to certificates in PEM form, or remove it",
        set.join(" or ")
    )
}
