//! A private key in a file that another program replaces now and then.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::file::FileReader;
use crate::error::{Error, ErrorKind};
use crate::jose::{Algorithm, Draft, Key, Signed, Signer};
use crate::sync::{Mutex, lock};

/// A [`Signer`] whose private key is in a file: PEM or JWK. It reads the file for each token, and parses it when it has changed.
///
/// While the file is missing or half written, the last good key signs. Clones share it.
///
/// ```
/// use tower_oauth2::{client::Client, jwt::KeyFile};
///
/// let key = KeyFile::new("/etc/oauth/key.pem").thumbprint_as_id();
/// let client = Client::private_key_jwt("id", key).audience("https://auth.example.com");
/// # let _ = client;
/// ```
///
/// # Errors
///
/// [`ErrorKind::Proof`] if the file has never held a key that can sign. The error names the path and what is wrong, and nothing of the
/// content.
#[derive(Clone)]
pub struct KeyFile {
    reader: FileReader,
    id: KeyId,
    algorithm: Option<Algorithm>,
    has_certificate: bool,
    last: Arc<Mutex<Option<(Fingerprint, Key)>>>,
}

/// The SHA-256 digest that identifies a file's content.
type Fingerprint = [u8; 32];

#[derive(Clone, Debug)]
enum KeyId {
    /// The `kid` of a JWK, and none for PEM.
    OfFile,
    Fixed(String),
    Thumbprint,
}

impl KeyFile {
    /// Names the file. It may be missing until the first token request.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let reader = FileReader::new(path.into());
        Self { reader, id: KeyId::OfFile, algorithm: None, has_certificate: false, last: Arc::default() }
    }

    /// Sets the key id, for a server that requires a fixed id.
    #[must_use]
    pub fn id(mut self, kid: impl Into<String>) -> Self {
        self.id = KeyId::Fixed(kid.into());
        self
    }

    /// Uses the thumbprint of the key as its id ([RFC 7638]), so that a new key has a new id.
    ///
    /// [RFC 7638]: https://www.rfc-editor.org/rfc/rfc7638
    #[must_use]
    pub fn thumbprint_as_id(mut self) -> Self {
        self.id = KeyId::Thumbprint;
        self
    }

    /// Signs by another algorithm than the key's default: see [`Key::algorithm`].
    #[must_use]
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = Some(algorithm);
        self
    }

    /// Reads the key's certificate from the same file: see [`Key::certificate`].
    #[must_use]
    pub fn with_certificate(mut self) -> Self {
        self.has_certificate = true;
        self
    }

    /// Returns the key in the file, or the last good one.
    async fn key(&self) -> Result<Key, Error> {
        let error = match self.reader.read().await {
            Ok(text) => {
                let fingerprint = Sha256::digest(text.as_bytes()).into();
                if let Some((known, key)) = &*lock(&self.last)
                    && *known == fingerprint
                {
                    return Ok(key.clone());
                }
                match self.parse(&text) {
                    Ok(key) => {
                        *lock(&self.last) = Some((fingerprint, key.clone()));
                        return Ok(key);
                    }
                    Err(error) => {
                        let context = format!("the file `{}` holds no key that can sign", self.reader.path().display());
                        Error::new(ErrorKind::Proof, context).with_source(error)
                    }
                }
            }
            Err(error) => error,
        };
        let last = lock(&self.last).as_ref().map(|(_, key)| key.clone());
        last.ok_or(error)
    }

    fn parse(&self, text: &str) -> Result<Key, Error> {
        let mut key = if text.trim_start().starts_with('{') { Key::from_jwk(text)? } else { Key::from_pem(text)? };
        if let Some(algorithm) = self.algorithm {
            key = key.algorithm(algorithm)?;
        }
        if self.has_certificate {
            key = key.certificate(text)?;
        }
        Ok(match &self.id {
            KeyId::OfFile => key,
            KeyId::Fixed(id) => key.id(id),
            KeyId::Thumbprint => {
                let id = key.thumbprint().to_owned();
                key.id(id)
            }
        })
    }
}

impl Signer for KeyFile {
    async fn sign(&self, draft: Draft) -> Result<Signed, Error> {
        self.key().await?.sign(draft).await
    }
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyFile").field("path", &self.reader.path()).field("id", &self.id).finish_non_exhaustive()
    }
}
