//! Private keys that are held in memory.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::key_pair::{KeyPair, PublicPart};
use super::{Algorithm, Draft, PublicJwk, Signed, Signer, jwk, pem};
use crate::error::Error;

/// A private key in memory: P-256, P-384, RSA of 2048 to 4096 bits, or Ed25519.
///
/// Clones share the key. `Debug` prints the algorithm and the key id.
///
/// ```
/// use tower_oauth2::jwt::Key;
///
/// # fn main() -> Result<(), tower_oauth2::Error> {
/// let key = Key::from_pem(Key::generate_pem()?)?.id("2026-11");
/// assert_eq!(format!("{key:?}"), r#"Key { algorithm: Es256, id: Some("2026-11") }"#);
/// // For the client's registration at the authorization server.
/// assert!(key.to_public_jwk().contains(r#""kty":"EC""#));
/// # Ok(())
/// # }
/// ```
///
/// For other keys, and for keys in a KMS or an HSM, implement [`Signer`].
#[derive(Clone)]
pub struct Key(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    pair: Arc<KeyPair>,
    algorithm: Algorithm,
    id: Option<String>,
    thumbprint: String,
    /// The SHA-256 digest of a certificate for the key, for the header `x5t#S256`.
    certificate: Option<String>,
}

impl Key {
    /// Reads the private key of a PEM text: PKCS#8, PKCS#1 or SEC1. The key determines the algorithm: ES256, ES384, RS256 or EdDSA.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) for a text without a private key or with several, an encrypted or
    /// damaged key, and a key of another kind or size.
    pub fn from_pem(pem: impl AsRef<[u8]>) -> Result<Self, Error> {
        Ok(Self::new(pem::key_pair(pem.as_ref())?))
    }

    /// Reads a private JWK ([RFC 7517]), whose `kid` and `alg` apply.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) for a JWK without private part, a set of keys, and a key of another
    /// kind or size.
    ///
    /// [RFC 7517]: https://www.rfc-editor.org/rfc/rfc7517
    pub fn from_jwk(jwk: &str) -> Result<Self, Error> {
        let jwk = jwk::read(jwk)?;
        let key = jwk.id.into_iter().fold(Self::new(jwk.pair), Self::id);
        match jwk.algorithm {
            Some(algorithm) => key.algorithm(algorithm),
            None => Ok(key),
        }
    }

    /// Generates a P-256 key, which signs by ES256. It exists in this process only: register
    /// [its public part](Self::to_public_jwk) at the server.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if the system has no randomness to give.
    pub fn generate() -> Result<Self, Error> {
        Self::from_pem(Self::generate_pem()?)
    }

    /// Generates a P-256 key as PKCS#8 text, for a program that keeps its key.
    ///
    /// # Errors
    ///
    /// As [`generate`](Self::generate).
    ///
    /// # Security
    ///
    /// The text holds the private key. Anyone who reads it can act as the client.
    pub fn generate_pem() -> Result<String, Error> {
        let der = KeyPair::generate_pkcs8()?;
        let text = Zeroizing::new(STANDARD.encode(der.as_ref()));
        let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
        // RFC 7468 §2: 64 characters a line.
        for (at, character) in text.chars().enumerate() {
            if at > 0 && at % 64 == 0 {
                pem.push('\n');
            }
            pem.push(character);
        }
        pem.push_str("\n-----END PRIVATE KEY-----\n");
        Ok(pem)
    }

    /// Sets the key id, which stands in the header as `kid`. Servers that know several keys of a client need it.
    #[must_use]
    pub fn id(self, kid: impl Into<String>) -> Self {
        self.change(|inner| inner.id = Some(kid.into()))
    }

    /// Signs by another algorithm that fits the key: RS384, RS512, PS256, PS384 or PS512 for an RSA key, and `Ed25519` in place of
    /// `EdDSA`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if the key cannot sign by this algorithm.
    pub fn algorithm(self, algorithm: Algorithm) -> Result<Self, Error> {
        if !self.0.pair.supports(algorithm) {
            let own = self.0.pair.default_algorithm();
            return Err(Error::argument(
                "algorithm",
                format!("this key cannot sign by {algorithm}; it signs by {own}"),
            ));
        }
        Ok(self.change(|inner| inner.algorithm = algorithm))
    }

    /// Adds the digest of the key's certificate to the header (`x5t#S256`), by which Entra ID finds the key. The first certificate of
    /// the PEM text counts.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) for a text without a certificate, and for the certificate of
    /// another key.
    pub fn certificate(self, pem: impl AsRef<[u8]>) -> Result<Self, Error> {
        let certificate = pem::certificate(pem.as_ref())?;
        if !self.public_part().is_in(&certificate) {
            return Err(Error::argument("certificate", "this is the certificate of another key"));
        }
        let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(&certificate));
        Ok(self.change(|inner| inner.certificate = Some(digest)))
    }

    /// Returns the SHA-256 thumbprint of the public key ([RFC 7638]): 43 characters.
    ///
    /// [RFC 7638]: https://www.rfc-editor.org/rfc/rfc7638
    pub fn thumbprint(&self) -> &str {
        &self.0.thumbprint
    }

    /// Returns the public part as a JWK, with `alg`, `use` and, if it is set, `kid`: for the client's registration.
    pub fn to_public_jwk(&self) -> String {
        self.public_part().to_jwk(self.0.algorithm, self.0.id.as_deref())
    }

    /// Returns the algorithm that the key signs by.
    pub(crate) fn signs_by(&self) -> Algorithm {
        self.0.algorithm
    }

    /// Returns the public part as a JWK without `alg`, `use` and `kid`.
    pub(crate) fn public_jwk(&self) -> PublicJwk {
        self.public_part().public_jwk()
    }

    /// Signs bytes, in the form that a token carries.
    pub(crate) fn sign_bytes(&self, bytes: &[u8]) -> Result<impl AsRef<[u8]> + use<>, Error> {
        self.0.pair.sign(self.0.algorithm, bytes)
    }

    /// Returns the length in bytes of each signature.
    pub(crate) fn signature_len(&self) -> usize {
        self.0.pair.signature_len()
    }

    fn new(pair: KeyPair) -> Self {
        let (algorithm, thumbprint) = (pair.default_algorithm(), pair.public_part().public_jwk().thumbprint());
        Self(Arc::new(Inner { pair: Arc::new(pair), algorithm, id: None, thumbprint, certificate: None }))
    }

    fn public_part(&self) -> PublicPart {
        self.0.pair.public_part()
    }

    fn change(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
}

impl Signer for Key {
    async fn sign(&self, draft: Draft) -> Result<Signed, Error> {
        let mut input = draft.header(self.0.algorithm, self.0.id.as_deref())?;
        if let Some(certificate) = &self.0.certificate {
            input = input.member("x5t#S256", certificate.as_str());
        }
        let signature = self.sign_bytes(input.bytes())?;
        Ok(input.signed(signature.as_ref()))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("algorithm", &self.0.algorithm).field("id", &self.0.id).finish()
    }
}
