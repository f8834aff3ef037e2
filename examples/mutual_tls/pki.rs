//! A certificate authority, and the certificates that it issues, in a directory for temporary files.

use std::{env, fs, path::PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tower::BoxError;
use tower_oauth2::https::Identity;

pub(crate) struct Pki {
    directory: PathBuf,
    authority: Issuer<'static, KeyPair>,
    is_owner: bool,
}

impl Pki {
    /// Makes a certificate authority, and a certificate for the servers.
    pub(crate) fn create() -> Result<Self, BoxError> {
        let directory = env::temp_dir().join(format!("mutual_tls-{}", std::process::id()));
        fs::create_dir_all(&directory)?;
        let (mut params, key) = (CertificateParams::default(), KeyPair::generate()?);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        fs::write(directory.join("ca.pem"), params.self_signed(&key)?.pem())?;
        fs::write(directory.join("ca.key"), key.serialize_pem())?;
        let pki = Self { authority: Issuer::new(params, key), directory, is_owner: true };
        let (certificate, key) = pki.issue(CertificateParams::new(["localhost".to_owned()])?)?;
        fs::write(pki.path("server.pem"), certificate)?;
        fs::write(pki.path("server.key"), key)?;
        Ok(pki)
    }

    /// Opens the certificate authority that another process has made.
    pub(crate) fn open(directory: PathBuf) -> Result<Self, BoxError> {
        let key = KeyPair::from_pem(&fs::read_to_string(directory.join("ca.key"))?)?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Ok(Self { authority: Issuer::new(params, key), directory, is_owner: false })
    }

    pub(crate) fn directory(&self) -> &PathBuf {
        &self.directory
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Writes a new certificate and a new key of the client.
    pub(crate) fn issue_client_certificate(&self, name: &str) -> Result<(), BoxError> {
        let (certificate, key) = self.issue(client_params(name))?;
        fs::write(self.path("client.key"), key)?;
        Ok(fs::write(self.path("client.pem"), certificate)?)
    }

    /// Issues a certificate that is in no file.
    pub(crate) fn identity_of(&self, name: &str) -> Result<Identity, BoxError> {
        let (certificate, key) = self.issue(client_params(name))?;
        Ok(Identity::from_pem(certificate, key)?)
    }

    fn issue(&self, params: CertificateParams) -> Result<(String, String), BoxError> {
        let key = KeyPair::generate()?;
        Ok((params.signed_by(&key, &self.authority)?.pem(), key.serialize_pem()))
    }
}

fn client_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

impl Drop for Pki {
    fn drop(&mut self) {
        if self.is_owner {
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}
