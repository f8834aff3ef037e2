//! The key of a client, and the proofs that it signs.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, Uri};

use super::htu::Htu;
use super::nonces::{DpopNonce, NonceStore, ServerRole};
use super::proof::{DpopProof, ProofRequest, Proving, header_value};
use super::proof_claims::ProofClaims;
use crate::error::Error;
#[cfg(doc)]
use crate::error::ErrorKind;
#[cfg(feature = "jwt")]
use crate::jose::Key;
use crate::jose::{Algorithm, BoxSigner, Draft, FixedHeader, PublicJwk, Signer};
use crate::token::{Token, access_token_hash};

/// The key that a client's tokens are bound to, with the nonces of the servers that it talks to ([RFC 9449]).
///
/// Give it to `dpop` of a [grant](crate::grant). Clones share key and nonces, so create it once. `Debug` prints the thumbprint only. The
/// [guide](crate::docs::dpop) has more.
///
/// ```
/// # #[cfg(feature = "jwt")]
/// # fn main() -> Result<(), tower_oauth2::Error> {
/// use tower_oauth2::{dpop::Dpop, jwt::Key};
///
/// // A program whose login outlives the process keeps its key: `Key::generate_pem` once, `Key::from_pem` at each start.
/// let dpop = Dpop::new(Key::generate()?);
/// assert_eq!(dpop.thumbprint().len(), 43);
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "jwt"))]
/// # fn main() {}
/// ```
///
/// # Security
///
/// Anyone who has the key and a token can use both. A file that contains the key and the tokens protects neither: keep the key in the keyring of
/// the system or in a KMS, or at least in a file that only its owner can read.
///
/// [RFC 9449]: https://www.rfc-editor.org/rfc/rfc9449
#[derive(Clone)]
pub struct Dpop {
    shared: Arc<SharedKey>,
    backdate: Duration,
    allows_bearer: bool,
}

struct SharedKey {
    signer: ProofSigner,
    header: Arc<FixedHeader>,
    thumbprint: String,
    nonces: NonceStore,
}

enum ProofSigner {
    #[cfg(feature = "jwt")]
    InMemory(Key),
    Remote(BoxSigner),
}

impl Dpop {
    /// Creates it from a key in memory, which signs in place, without waiting.
    ///
    /// ES256 is the best choice: each server supports it, and it is fast. An RSA key is slow: each API request waits for its signature, in
    /// `call`.
    ///
    /// ```
    /// use tower_oauth2::{OAuth2Layer, client::Client, dpop::Dpop, grant::ClientCredentials, jwt::Key};
    ///
    /// # fn main() -> Result<(), tower_oauth2::Error> {
    /// let dpop = Dpop::new(Key::generate()?); // ES256
    /// let client = Client::basic("id", "secret");
    /// let grant = ClientCredentials::new("https://auth.example.com/token", client)?.dpop(dpop.clone());
    /// let layer = OAuth2Layer::new(grant).origin("https://api.example.com")?;
    /// # let _ = layer;
    /// assert!(format!("{dpop:?}").contains(dpop.thumbprint()));
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "jwt")]
    pub fn new(key: Key) -> Self {
        let (jwk, algorithm) = (key.public_jwk(), key.signs_by());
        Self::with_signer(&jwk, algorithm, ProofSigner::InMemory(key))
    }

    /// Creates it from a key in a KMS or an HSM. The signer is called for each request, and each request waits for it.
    ///
    /// `public_jwk` is the public key as a JWK ([RFC 7517]): a proof contains it. The signer signs by `algorithm` and by this key only, so
    /// its key does not rotate.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower_oauth2::Error> {
    /// use http::{Method, Uri};
    /// use tower_oauth2::{dpop::Dpop, jwt::{Algorithm, Draft, signer_fn}};
    ///
    /// # struct Kms;
    /// # impl Kms { async fn sign(_: &[u8]) -> Vec<u8> { vec![7; 64] } }
    /// let public = r#"{"kty": "EC", "crv": "P-256", "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
    ///                  "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"}"#;
    /// let signer = signer_fn(async |draft: Draft| {
    ///     let input = draft.header(Algorithm::Es256, None)?;
    ///     let signature = Kms::sign(input.bytes()).await;
    ///     Ok(input.signed(&signature))
    /// });
    /// let dpop = Dpop::signed_by(public, Algorithm::Es256, signer)?;
    /// assert_eq!(dpop.thumbprint(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    ///
    /// let uri = Uri::from_static("https://auth.example.com/token");
    /// assert_eq!(dpop.proof(&Method::POST, &uri, None).await?.to_str().unwrap().split('.').count(), 3);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if the text is no public JWK, if it holds a private key, and for a key of another algorithm.
    ///
    /// [RFC 7517]: https://www.rfc-editor.org/rfc/rfc7517
    pub fn signed_by(public_jwk: &str, algorithm: Algorithm, signer: impl Signer) -> Result<Self, Error> {
        let jwk = PublicJwk::parse(public_jwk, algorithm)?;
        Ok(Self::with_signer(&jwk, algorithm, ProofSigner::Remote(BoxSigner::new(signer))))
    }

    /// Puts the time of each proof (`iat`) this far into the past, for a server whose clock is slow; 0 by default. The time is rounded down to
    /// seconds.
    ///
    /// Servers accept a proof for some seconds or minutes, so use a few seconds. A server that demands nonces may ignore the time.
    #[must_use]
    pub fn backdate(self, by: Duration) -> Self {
        Self { backdate: by, ..self }
    }

    /// Accepts a Bearer token from a server that could bind it to the key and did not ([RFC 9449 §5]). It is then sent as such. By default
    /// the response is an error.
    ///
    /// # Security
    ///
    /// A stolen token of this kind can be used without the key. The refresh token of a public client is bound to the key even then.
    ///
    /// [RFC 9449 §5]: https://www.rfc-editor.org/rfc/rfc9449#section-5
    #[must_use]
    pub fn dangerous_allow_bearer(self) -> Self {
        Self { allows_bearer: true, ..self }
    }

    /// Returns the SHA-256 thumbprint of the public key ([RFC 7638]): 43 characters. It is the `jkt` of a bound token, and the `dpop_jkt`
    /// of an authorization request.
    ///
    /// [RFC 7638]: https://www.rfc-editor.org/rfc/rfc7638
    pub fn thumbprint(&self) -> &str {
        &self.shared.thumbprint
    }

    /// Signs the value of the header `DPoP` for a request that goes through no layer. The layer and
    /// [`Tokens::authorize`](crate::Tokens::authorize) add the header themselves.
    ///
    /// With a token the request goes to an API, and carries the token in `Authorization`. Without one it goes to the authorization server.
    /// A proof is good for one request: one that is sent again needs another proof. Give the headers of an API's response to
    /// [`observe`](Self::observe).
    ///
    /// ```
    /// # #[cfg(feature = "jwt")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower_oauth2::Error> {
    /// use http::{Method, Uri};
    /// use tower_oauth2::{dpop::Dpop, jwt::Key};
    ///
    /// let dpop = Dpop::new(Key::generate()?);
    /// let uri = Uri::from_static("https://auth.example.com/token");
    /// let (one, two) = (dpop.proof(&Method::POST, &uri, None).await?, dpop.proof(&Method::POST, &uri, None).await?);
    /// assert_ne!(one, two);
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "jwt"))]
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Configuration`] if the address has no scheme or no host.
    /// - [`ErrorKind::Proof`] if the key cannot sign. The errors of a signer pass unchanged.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops that of the signer. There is no timeout.
    pub async fn proof(&self, method: &Method, uri: &Uri, token: Option<&Token>) -> Result<HeaderValue, Error> {
        let ath = token.map(|token| access_token_hash(token.access_token()));
        let role = if token.is_some() { ServerRole::Api } else { ServerRole::AuthorizationServer };
        let request = ProofRequest { role, method, htu: Htu::new(uri)?, ath: ath.as_deref(), nonce: None };
        let proof = match self.prove(request)? {
            Proving::Done(proof) => proof,
            Proving::Signing(signing) => signing.await?,
        };
        Ok(proof.value)
    }

    /// Keeps the `DPoP-Nonce` of an API's response, whatever its status: the next proof for this API contains it ([RFC 9449 §9]). Call it
    /// for requests that go through no layer.
    ///
    /// `uri` is the address of the request. Headers with two nonces, or with one that has other characters than the RFC allows or more
    /// than 1024 bytes, change nothing.
    ///
    /// ```
    /// # #[cfg(feature = "jwt")]
    /// # fn main() -> Result<(), tower_oauth2::Error> {
    /// use http::{HeaderMap, Uri};
    /// use tower_oauth2::{dpop::Dpop, jwt::Key};
    ///
    /// # let mut headers = HeaderMap::new();
    /// # headers.insert("dpop-nonce", "8IBTHwOdqNKAWeKl7plt8g==".parse().unwrap());
    /// let dpop = Dpop::new(Key::generate()?);
    /// let uri = Uri::from_static("https://api.example.com/things");
    /// // The response to a request to this address, with `headers`:
    /// dpop.observe(&uri, &headers);
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "jwt"))]
    /// # fn main() {}
    /// ```
    ///
    /// [RFC 9449 §9]: https://www.rfc-editor.org/rfc/rfc9449#section-9
    pub fn observe(&self, uri: &Uri, headers: &HeaderMap) {
        if let Ok(htu) = Htu::new(uri) {
            self.keep_nonce(ServerRole::Api, &htu, headers);
        }
    }

    fn with_signer(jwk: &PublicJwk, algorithm: Algorithm, signer: ProofSigner) -> Self {
        let shared = SharedKey {
            signer,
            header: Arc::new(FixedHeader::new("dpop+jwt", algorithm, jwk.to_value())),
            thumbprint: jwk.thumbprint(),
            nonces: NonceStore::default(),
        };
        Self { shared: Arc::new(shared), backdate: Duration::ZERO, allows_bearer: false }
    }
}

/// What the layer and the token endpoint use.
impl Dpop {
    /// Makes a proof for a request. With a key in memory it is ready at once.
    pub(crate) fn prove(&self, mut request: ProofRequest<'_>) -> Result<Proving, Error> {
        let shared = &self.shared;
        let nonce = request.nonce.take().or_else(|| shared.nonces.get(request.role, request.htu.origin()));
        let claims = ProofClaims::new(&request, nonce.as_ref(), self.backdate)?;
        match &shared.signer {
            #[cfg(feature = "jwt")]
            ProofSigner::InMemory(key) => {
                let value = header_value(sign_in_memory(key, &shared.header, &claims)?)?;
                Ok(Proving::Done(DpopProof { value, htu: request.htu, nonce }))
            }
            ProofSigner::Remote(signer) => {
                let draft = claims.with_json(|claims| Ok(Draft::with_header(shared.header.clone(), claims)))?;
                let signer = signer.clone();
                let htu = request.htu;
                Ok(Proving::Signing(Box::pin(async move {
                    let signed = signer.sign(draft).await?;
                    signed.check()?;
                    Ok(DpopProof { value: header_value(signed.as_str().to_owned())?, htu, nonce })
                })))
            }
        }
    }

    /// Keeps the nonce of a response to a request to this address, and returns it; `None` if there is not exactly one that is valid.
    pub(crate) fn keep_nonce(&self, role: ServerRole, htu: &Htu, headers: &HeaderMap) -> Option<DpopNonce> {
        DpopNonce::text(headers).map(|nonce| self.shared.nonces.set(role, htu.origin(), nonce))
    }

    /// Returns whether proofs are signed in memory, without waiting.
    pub(crate) fn signs_in_memory(&self) -> bool {
        !matches!(self.shared.signer, ProofSigner::Remote(_))
    }

    /// Returns whether a server may issue a Bearer token instead.
    pub(crate) fn allows_bearer(&self) -> bool {
        self.allows_bearer
    }
}

/// Returns the signed token: encoded header, claims and signature. The text has no spare capacity, so a header takes it as it is.
#[cfg(feature = "jwt")]
fn sign_in_memory(key: &Key, header: &FixedHeader, claims: &ProofClaims<'_>) -> Result<String, Error> {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    claims.with_json(|claims| {
        let encoded = |bytes: usize| base64::encoded_len(bytes, false).unwrap_or_default();
        let length = header.encoded().len() + encoded(claims.len()) + encoded(key.signature_len()) + 2;
        let mut text = String::with_capacity(length);
        text.push_str(header.encoded());
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut text);
        let signature = key.sign_bytes(text.as_bytes())?;
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut text);
        Ok(text)
    })
}

impl fmt::Debug for Dpop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dpop").field("thumbprint", &self.shared.thumbprint).finish_non_exhaustive()
    }
}
