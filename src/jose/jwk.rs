//! JSON Web Keys: private ones are read, public ones are printed (RFC 7517, RFC 7638, RFC 8037).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::key_pair::{Curve, KeyPair, PublicPart, RsaNumbers, invalid};
use super::{Algorithm, Members, PublicJwk};
use crate::error::Error;

/// A private key that was read from a JWK, with the JWK's `kid` and `alg`.
pub(super) struct PrivateJwk {
    pub(super) pair: KeyPair,
    pub(super) id: Option<String>,
    pub(super) algorithm: Option<Algorithm>,
}

/// Reads a private JWK.
pub(super) fn read(jwk: &str) -> Result<PrivateJwk, Error> {
    // The parser's error would repeat parts of the text.
    let jwk: Jwk = Jwk(serde_json::from_str(jwk).map_err(|_| invalid("the JWK is no JSON object"))?);
    if jwk.0.contains_key("keys") {
        return Err(invalid("this is a set of keys; pass one of its members"));
    }
    if jwk.text("use").is_some_and(|usage| usage != "sig") {
        return Err(invalid("the JWK is not for signatures (`use`)"));
    }
    let algorithm = match jwk.text("alg") {
        Some(name) => Some(
            Algorithm::from_name(name)
                .ok_or_else(|| invalid("the `alg` of the JWK is not known; remove it, or use a `Signer`"))?,
        ),
        None => None,
    };
    let pair = match (jwk.text("kty"), jwk.text("crv")) {
        (Some("EC"), Some("P-256")) => elliptic(&jwk, Curve::P256)?,
        (Some("EC"), Some("P-384")) => elliptic(&jwk, Curve::P384)?,
        (Some("RSA"), _) => rsa(&jwk)?,
        (Some("OKP"), Some("Ed25519")) => KeyPair::ed25519_from_seed(&jwk.private("d")?, &jwk.number("x")?)?,
        (Some("oct"), _) => {
            return Err(invalid("the JWK holds a shared secret (`oct`), no private key; use `Client::secret_jwt`"));
        }
        (Some("EC" | "OKP"), _) => {
            return Err(invalid(
                "the curve of the JWK (`crv`) is not supported: only P-256, P-384 and Ed25519; use a `Signer` for others",
            ));
        }
        _ => return Err(invalid("the JWK has no `kty` that is known: `EC`, `RSA` or `OKP`")),
    };
    Ok(PrivateJwk { pair, id: jwk.text("kid").map(str::to_owned), algorithm })
}

fn elliptic(jwk: &Jwk, curve: Curve) -> Result<KeyPair, Error> {
    let point = [&[4][..], &jwk.number("x")?, &jwk.number("y")?].concat();
    KeyPair::ecdsa(curve, &jwk.private("d")?, &point)
}

fn rsa(jwk: &Jwk) -> Result<KeyPair, Error> {
    let d = jwk.private("d")?;
    let part = |name| {
        jwk.number(name)
            .map_err(|_| invalid("the RSA key of the JWK needs `n`, `e`, `d`, `p`, `q`, `dp`, `dq` and `qi`"))
    };
    KeyPair::rsa_from_numbers(&RsaNumbers {
        n: &part("n")?,
        e: &part("e")?,
        d: &d,
        p: &part("p")?,
        q: &part("q")?,
        dp: &part("dp")?,
        dq: &part("dq")?,
        qi: &part("qi")?,
    })
}

struct Jwk(Map<String, Value>);

impl Jwk {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    fn number(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
        let number = self.text(name).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        number.map(Zeroizing::new).ok_or_else(|| invalid(&format!("`{name}` of the JWK is missing, or no base64url")))
    }

    fn private(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
        if self.0.contains_key(name) { self.number(name) } else { Err(invalid("the JWK has no private part (`d`)")) }
    }
}

impl PublicPart {
    /// Returns the members that the thumbprint covers, in the order of their names.
    fn members(&self) -> Members {
        let mut members = Members::default();
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Ec { curve, x, y } => {
                members.set("crv", curve.name());
                members.set("kty", "EC");
                members.set("x", number(x));
                members.set("y", number(y));
            }
            Self::Rsa { n, e } => {
                members.set("e", number(e));
                members.set("kty", "RSA");
                members.set("n", number(n));
            }
            Self::Okp { x } => {
                members.set("crv", "Ed25519");
                members.set("kty", "OKP");
                members.set("x", number(x));
            }
        }
        members
    }

    /// Returns the public key as a JWK.
    pub(super) fn public_jwk(&self) -> PublicJwk {
        PublicJwk::new(self.members())
    }

    pub(super) fn to_jwk(&self, algorithm: Algorithm, id: Option<&str>) -> String {
        let mut members = self.members();
        members.set("alg", algorithm.as_str());
        members.set("use", "sig");
        if let Some(id) = id {
            members.set("kid", id);
        }
        members.to_json()
    }

    /// Returns whether a certificate contains this key: the bytes of its public number.
    pub(super) fn is_in(&self, certificate: &[u8]) -> bool {
        let (Self::Ec { x: number, .. } | Self::Rsa { n: number, .. } | Self::Okp { x: number }) = self;
        certificate.windows(number.len()).any(|window| window == number)
    }
}
