//! The two steps to a signed token: the signer chooses the header, and then signs the bytes (RFC 7515 §5.1).

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use zeroize::Zeroizing;

use super::{Algorithm, FixedHeader, Members};
use crate::error::{Error, ErrorKind};

/// Which algorithms may sign: a server that confused the two would verify an HMAC with a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AlgorithmFamily {
    Asymmetric,
    #[cfg_attr(not(feature = "jwt"), allow(dead_code, reason = "only `Client::secret_jwt` uses HMAC"))]
    Hmac,
}

/// The claims of a token that has no header and no signature yet: what a [`Signer`](super::Signer) is given.
///
/// `Debug` prints nothing of the claims.
pub struct Draft {
    header: DraftHeader,
    claims: String,
}

/// What is known of the header before the signer chooses the rest.
enum DraftHeader {
    Open { typ: Option<String>, family: AlgorithmFamily },
    Fixed(Arc<FixedHeader>),
}

impl Draft {
    pub(crate) fn new(typ: Option<&str>, family: AlgorithmFamily, claims: Members) -> Self {
        Self { header: DraftHeader::Open { typ: typ.map(str::to_owned), family }, claims: claims.encode() }
    }

    /// Creates a draft whose header is fixed. `claims` is a JSON object.
    pub(crate) fn with_header(header: Arc<FixedHeader>, claims: &[u8]) -> Self {
        Self { header: DraftHeader::Fixed(header), claims: URL_SAFE_NO_PAD.encode(claims) }
    }

    /// Sets the header: the algorithm, and the id of the key that signs, if the server needs it to choose among the client's keys.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Proof`] if the algorithm does not fit the client authentication: `private_key_jwt` is signed by an asymmetric
    /// algorithm, `client_secret_jwt` by HMAC. A DPoP proof has the algorithm and the key that [`Dpop::signed_by`] was given, and no key
    /// id.
    ///
    /// [`Dpop::signed_by`]: crate::dpop::Dpop::signed_by
    pub fn header(self, algorithm: Algorithm, key_id: Option<&str>) -> Result<SigningInput, Error> {
        let (typ, family) = match self.header {
            DraftHeader::Open { typ, family } => (typ, family),
            DraftHeader::Fixed(header) => return SigningInput::with_header(&header, algorithm, self.claims),
        };
        if algorithm.is_hmac() != (family == AlgorithmFamily::Hmac) {
            let expected = match family {
                AlgorithmFamily::Asymmetric => "an asymmetric algorithm, such as ES256",
                AlgorithmFamily::Hmac => "HMAC, such as HS256",
            };
            return Err(Error::new(
                ErrorKind::Proof,
                format!("the signer uses {algorithm}, but this token is signed by {expected}"),
            ));
        }
        let mut header = Members::default();
        if let Some(typ) = typ {
            header.set("typ", typ);
        }
        header.set("alg", algorithm.as_str());
        if let Some(key_id) = key_id {
            header.set("kid", key_id);
        }
        Ok(SigningInput::new(algorithm, header, self.claims))
    }
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let typ = match &self.header {
            DraftHeader::Open { typ, .. } => typ.as_deref(),
            DraftHeader::Fixed(header) => header.members().text("typ"),
        };
        f.debug_struct("Draft").field("typ", &typ).finish_non_exhaustive()
    }
}

/// The bytes that a signer signs: header and claims, encoded ([RFC 7515 §5.1]).
///
/// [RFC 7515 §5.1]: https://www.rfc-editor.org/rfc/rfc7515#section-5.1
pub struct SigningInput {
    algorithm: Algorithm,
    header: Members,
    /// Whether the header names the key itself.
    is_fixed: bool,
    claims: String,
    /// The encoded header and the encoded claims, with a dot between them.
    text: Zeroizing<String>,
}

impl SigningInput {
    fn new(algorithm: Algorithm, header: Members, claims: String) -> Self {
        let text = Zeroizing::new(format!("{}.{claims}", header.encode()));
        Self { algorithm, header, is_fixed: false, claims, text }
    }

    fn with_header(header: &FixedHeader, algorithm: Algorithm, claims: String) -> Result<Self, Error> {
        if algorithm != header.algorithm() {
            return Err(Error::new(
                ErrorKind::Proof,
                format!("the signer uses {algorithm}, but this proof is signed by {}", header.algorithm()),
            ));
        }
        let text = Zeroizing::new(format!("{}.{claims}", header.encoded()));
        Ok(Self { algorithm, header: header.members().clone(), is_fixed: true, claims, text })
    }

    /// Sets a further member of the header, such as `x5t#S256`. It does not change `alg`, which [`Draft::header`] has set, and it does
    /// not change the header of a DPoP proof, which names the key itself.
    #[must_use]
    pub fn member(mut self, name: &str, value: impl Into<Value>) -> Self {
        if name == "alg" || self.is_fixed {
            return self;
        }
        self.header.set(name, value);
        Self::new(self.algorithm, self.header, self.claims)
    }

    #[cfg(all(test, feature = "jwt"))]
    pub(super) fn for_vector(header: Members, claims: &Members) -> Self {
        Self::new(Algorithm::Rs256, header, claims.encode())
    }

    /// Returns the bytes to sign.
    pub fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// Appends the signature, in the form of [RFC 7518 §3]: ECDSA signatures are two numbers of fixed length, see
    /// [`raw_from_der`](super::raw_from_der). With a signature of another length, or an empty one, the token is not sent: the error is
    /// [`ErrorKind::Proof`].
    ///
    /// [RFC 7518 §3]: https://www.rfc-editor.org/rfc/rfc7518#section-3
    pub fn signed(self, signature: &[u8]) -> Signed {
        let mut text = self.text;
        text.push('.');
        text.push_str(&URL_SAFE_NO_PAD.encode(signature));
        Signed { text, algorithm: self.algorithm, signature_len: signature.len() }
    }
}

impl fmt::Debug for SigningInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningInput").field("header", &self.header).finish_non_exhaustive()
    }
}

/// A signed token in the compact form ([RFC 7515 §7.1]). `Debug` prints nothing of it.
///
/// [RFC 7515 §7.1]: https://www.rfc-editor.org/rfc/rfc7515#section-7.1
pub struct Signed {
    text: Zeroizing<String>,
    algorithm: Algorithm,
    signature_len: usize,
}

impl Signed {
    /// Returns the token: header, claims and signature, with dots between them.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Checks the length of the signature, which is wrong if a KMS returned DER.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let (algorithm, length) = (self.algorithm, self.signature_len);
        match algorithm.ecdsa_number_len().map(|number| 2 * number) {
            Some(expected) if length != expected => Err(Error::new(
                ErrorKind::Proof,
                format!(
                    "the signer returned {length} bytes, but a signature of {algorithm} has {expected}; convert DER with \
                     `jwt::raw_from_der`"
                ),
            )),
            None if length == 0 => Err(Error::new(ErrorKind::Proof, "the signer returned an empty signature")),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signed([secret])")
    }
}
