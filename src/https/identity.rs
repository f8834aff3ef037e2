//! The certificate that a client presents, for mutual TLS (RFC 8705).

use std::fmt;
#[cfg(feature = "file-source")]
use std::path::{Path, PathBuf};
use std::sync::Arc;
#[cfg(feature = "file-source")]
use std::time::Duration;

use rustls::client::ResolvesClientCert;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, SignatureScheme};

#[cfg(feature = "file-source")]
use crate::clock;
use crate::error::Error;
#[cfg(any(doc, feature = "file-source"))]
use crate::error::ErrorKind;
#[cfg(feature = "file-source")]
use crate::source::read_small_file;
#[cfg(feature = "file-source")]
use crate::sync::{Mutex, lock};

/// A certificate with its private key, which a client presents in TLS handshakes ([RFC 8705]).
///
/// `Debug` does not print the key.
///
/// ```no_run
/// use bytes::Bytes;
/// use http_body_util::Full;
/// use tower_oauth2::{client::Client, https};
///
/// # fn main() -> Result<(), tower_oauth2::Error> {
/// let identity = https::Identity::from_files("/etc/tls/tls.crt", "/etc/tls/tls.key")?;
/// let http: https::HttpsClient<Full<Bytes>> = https::client_with_identity(identity)?;
/// let client = Client::tls("id");
/// # let _ = (http, client);
/// # Ok(())
/// # }
/// ```
///
/// [RFC 8705]: https://www.rfc-editor.org/rfc/rfc8705
#[derive(Clone)]
pub struct Identity {
    certificate: Certificate,
    resumes: bool,
}

#[derive(Clone, Debug)]
enum Certificate {
    Fixed(Arc<CertifiedKey>),
    #[cfg(feature = "file-source")]
    Files(Arc<CertificateFiles>),
}

impl Identity {
    /// Parses the certificate chain, with the client certificate first, and its private key from PEM.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if there is no certificate or no private key, if the key is encrypted, or if the key does not belong to
    /// the certificate.
    pub fn from_pem(certificates: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Result<Self, Error> {
        let certificate = certified_key(certificates.as_ref(), key.as_ref())?;
        Ok(Self { certificate: Certificate::Fixed(Arc::new(certificate)), resumes: true })
    }

    /// Reads the certificate chain and the private key from PEM files, which may be the same file.
    ///
    /// A handshake reads the files again, at most once per second, so that a new certificate is used when it is written. Open connections
    /// keep the old certificate. While a file is missing or incomplete, the last valid pair is used. Each connection uses a full handshake,
    /// as with [`without_resumption`](Self::without_resumption), because a resumed session keeps the certificate of its first handshake.
    ///
    /// # Errors
    ///
    /// The errors of [`from_pem`](Self::from_pem), and [`ErrorKind::Configuration`] if a file cannot be read, is no regular file, or is
    /// longer than 1 MiB.
    #[cfg(feature = "file-source")]
    pub fn from_files(certificates: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Result<Self, Error> {
        let files = CertificateFiles::open(certificates.into(), key.into())?;
        Ok(Self { certificate: Certificate::Files(Arc::new(files)), resumes: false })
    }

    /// Disables session resumption, so that each connection uses a full handshake. If a session is resumed, a server may identify the
    /// client by the certificate of an earlier handshake, although the certificate has changed.
    #[must_use]
    pub fn without_resumption(mut self) -> Self {
        self.resumes = false;
        self
    }

    pub(super) fn add_to(&self, tls: &mut ClientConfig) {
        tls.client_auth_cert_resolver = Arc::new(self.certificate.clone());
        if !self.resumes {
            tls.resumption = rustls::client::Resumption::disabled();
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("resumes", &self.resumes).finish_non_exhaustive()
    }
}

impl ResolvesClientCert for Certificate {
    fn resolve(&self, _root_hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(match self {
            Self::Fixed(certificate) => certificate.clone(),
            #[cfg(feature = "file-source")]
            Self::Files(files) => files.current(),
        })
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// The minimum time between two reads of the files.
#[cfg(feature = "file-source")]
const RELOAD_INTERVAL: Duration = Duration::from_secs(1);

#[cfg(feature = "file-source")]
#[derive(Debug)]
struct CertificateFiles {
    certificates: PathBuf,
    key: PathBuf,
    last: Mutex<LastValid>,
}

#[cfg(feature = "file-source")]
#[derive(Debug)]
struct LastValid {
    certificate: Arc<CertifiedKey>,
    /// The time of the last read, as [`clock::uptime`].
    read_at: Duration,
}

#[cfg(feature = "file-source")]
impl CertificateFiles {
    fn open(certificates: PathBuf, key: PathBuf) -> Result<Self, Error> {
        let certificate = Arc::new(read_files(&certificates, &key)?);
        let last = Mutex::new(LastValid { certificate, read_at: clock::uptime() });
        Ok(Self { certificates, key, last })
    }

    fn current(&self) -> Arc<CertifiedKey> {
        let now = clock::uptime();
        {
            let mut last = lock(&self.last);
            if now.saturating_sub(last.read_at) < RELOAD_INTERVAL {
                return last.certificate.clone();
            }
            // Concurrent handshakes use the last valid pair.
            last.read_at = now;
        }
        let read = read_files(&self.certificates, &self.key);
        let mut last = lock(&self.last);
        if let Ok(certificate) = read {
            last.certificate = Arc::new(certificate);
        }
        last.certificate.clone()
    }
}

#[cfg(feature = "file-source")]
fn read_files(certificates: &Path, key: &Path) -> Result<CertifiedKey, Error> {
    let read = |path: &Path| read_small_file(path, ErrorKind::Configuration);
    certified_key(&read(certificates)?, &read(key)?)
}

fn certified_key(certificates: &[u8], key: &[u8]) -> Result<CertifiedKey, Error> {
    let invalid = |why: &'static str| Error::argument("identity", why);
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificates).collect();
    let chain = chain.map_err(|_| invalid("the PEM of the certificates is not valid"))?;
    if chain.is_empty() {
        return Err(invalid("the PEM has no certificate (`-----BEGIN CERTIFICATE-----`)"));
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| {
        invalid(
            "the PEM has no private key that can be read; decrypt an encrypted key first, such as with `openssl pkey`",
        )
    })?;
    CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|why| {
        let why = match why {
            rustls::Error::InconsistentKeys(_) => "the private key does not belong to the certificate".to_owned(),
            why => format!("the certificate or the private key cannot be used ({why})"),
        };
        Error::argument("identity", why)
    })
}
