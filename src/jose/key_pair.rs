//! A private key that is held in memory, and its signatures.

use ring::rand::SystemRandom;
use ring::rsa;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512, RsaEncoding, RsaKeyPair, Signature,
};

use super::Algorithm;
use crate::error::{Error, ErrorKind};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
}

impl Curve {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
        }
    }

    /// Returns the length in bytes of a coordinate, and of the private number.
    pub(super) fn number_len(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
        }
    }

    fn signing(self) -> &'static EcdsaSigningAlgorithm {
        match self {
            Self::P256 => &ECDSA_P256_SHA256_FIXED_SIGNING,
            Self::P384 => &ECDSA_P384_SHA384_FIXED_SIGNING,
        }
    }
}

pub(super) enum KeyPair {
    Ecdsa(Curve, EcdsaKeyPair),
    Rsa(Box<RsaKeyPair>),
    Ed25519(Ed25519KeyPair),
}

/// A signature in the form that a token carries. One of an elliptic curve needs no allocation.
pub(super) enum RawSignature {
    EllipticCurve(Signature),
    Rsa(Vec<u8>),
}

impl AsRef<[u8]> for RawSignature {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::EllipticCurve(signature) => signature.as_ref(),
            Self::Rsa(signature) => signature,
        }
    }
}

/// The public part of a key, as the numbers that a JWK contains (RFC 7518 §6, RFC 8037 §2).
pub(super) enum PublicPart {
    Ec { curve: Curve, x: Vec<u8>, y: Vec<u8> },
    Rsa { n: Vec<u8>, e: Vec<u8> },
    Okp { x: Vec<u8> },
}

/// The numbers that an RSA key consists of, big-endian.
pub(super) struct RsaNumbers<'a> {
    pub(super) n: &'a [u8],
    pub(super) e: &'a [u8],
    pub(super) d: &'a [u8],
    pub(super) p: &'a [u8],
    pub(super) q: &'a [u8],
    pub(super) dp: &'a [u8],
    pub(super) dq: &'a [u8],
    pub(super) qi: &'a [u8],
}

impl KeyPair {
    /// Creates a key from its private number and its public point, uncompressed.
    pub(super) fn ecdsa(curve: Curve, private: &[u8], public: &[u8]) -> Result<Self, Error> {
        EcdsaKeyPair::from_private_key_and_public_key(curve.signing(), private, public, &SystemRandom::new())
            .map(|pair| Self::Ecdsa(curve, pair))
            .map_err(|why| invalid(&format!("the {} key is invalid ({why})", curve.name())))
    }

    /// Generates a P-256 key in PKCS#8.
    pub(super) fn generate_pkcs8() -> Result<ring::pkcs8::Document, Error> {
        EcdsaKeyPair::generate_pkcs8(Curve::P256.signing(), &SystemRandom::new())
            .map_err(|_| Error::new(ErrorKind::Configuration, "the system has no randomness to give for a new key"))
    }

    pub(super) fn rsa_from_pkcs8(der: &[u8]) -> Result<Self, Error> {
        Self::rsa(RsaKeyPair::from_pkcs8(der))
    }

    pub(super) fn rsa_from_pkcs1(der: &[u8]) -> Result<Self, Error> {
        Self::rsa(RsaKeyPair::from_der(der))
    }

    pub(super) fn rsa_from_numbers(numbers: &RsaNumbers<'_>) -> Result<Self, Error> {
        let RsaNumbers { n, e, d, p, q, dp, dq, qi } = *numbers;
        let public_key = rsa::PublicKeyComponents { n, e };
        Self::rsa(RsaKeyPair::from_components(&rsa::KeyPairComponents {
            public_key,
            d,
            p,
            q,
            dP: dp,
            dQ: dq,
            qInv: qi,
        }))
    }

    fn rsa(pair: Result<RsaKeyPair, ring::error::KeyRejected>) -> Result<Self, Error> {
        let pair = pair.map_err(|why| {
            invalid(&format!("the RSA key is invalid ({why}); it must have between 2048 and 4096 bits and an exponent of 65537 or more"))
        })?;
        // `ring` does not check every number of the key, but every signature.
        let mut signature = vec![0; pair.public().modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), b"", &mut signature)
            .map_err(|_| invalid("the numbers of the RSA key do not belong together, so it cannot sign"))?;
        Ok(Self::Rsa(Box::new(pair)))
    }

    pub(super) fn ed25519_from_pkcs8(der: &[u8]) -> Result<Self, Error> {
        // OpenSSL writes version 1, without the public part, so there is nothing to check the key against (briansmith/ring#740).
        Self::ed25519(Ed25519KeyPair::from_pkcs8_maybe_unchecked(der))
    }

    pub(super) fn ed25519_from_seed(seed: &[u8], public: &[u8]) -> Result<Self, Error> {
        Self::ed25519(Ed25519KeyPair::from_seed_and_public_key(seed, public))
    }

    fn ed25519(pair: Result<Ed25519KeyPair, ring::error::KeyRejected>) -> Result<Self, Error> {
        pair.map(Self::Ed25519).map_err(|why| invalid(&format!("the Ed25519 key is invalid ({why})")))
    }

    /// Returns the algorithm that the key signs by, unless another one is chosen.
    pub(super) fn default_algorithm(&self) -> Algorithm {
        match self {
            Self::Ecdsa(Curve::P256, _) => Algorithm::Es256,
            Self::Ecdsa(Curve::P384, _) => Algorithm::Es384,
            Self::Rsa(_) => Algorithm::Rs256,
            Self::Ed25519(_) => Algorithm::EdDsa,
        }
    }

    /// Returns whether the key can sign by this algorithm.
    pub(super) fn supports(&self, algorithm: Algorithm) -> bool {
        match self {
            Self::Rsa(_) => rsa_encoding(algorithm).is_some(),
            Self::Ed25519(_) => matches!(algorithm, Algorithm::EdDsa | Algorithm::Ed25519),
            Self::Ecdsa(..) => algorithm == self.default_algorithm(),
        }
    }

    /// Signs, in the form that a token carries.
    pub(super) fn sign(&self, algorithm: Algorithm, bytes: &[u8]) -> Result<RawSignature, Error> {
        let failed = |_| Error::new(ErrorKind::Proof, "signing failed: the system has no randomness to give");
        match self {
            Self::Ecdsa(_, pair) => {
                pair.sign(&SystemRandom::new(), bytes).map(RawSignature::EllipticCurve).map_err(failed)
            }
            Self::Ed25519(pair) => Ok(RawSignature::EllipticCurve(pair.sign(bytes))),
            Self::Rsa(pair) => {
                let encoding = rsa_encoding(algorithm)
                    .ok_or_else(|| Error::new(ErrorKind::Proof, format!("an RSA key does not sign by {algorithm}")))?;
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(encoding, &SystemRandom::new(), bytes, &mut signature).map_err(failed)?;
                Ok(RawSignature::Rsa(signature))
            }
        }
    }

    /// Returns the length in bytes of each signature.
    pub(super) fn signature_len(&self) -> usize {
        match self {
            Self::Ecdsa(curve, _) => 2 * curve.number_len(),
            Self::Ed25519(_) => 64,
            Self::Rsa(pair) => pair.public().modulus_len(),
        }
    }

    pub(super) fn public_part(&self) -> PublicPart {
        match self {
            Self::Ecdsa(curve, pair) => {
                // Uncompressed: the byte 4, x, y (SEC1 §2.3.3).
                let point = pair.public_key().as_ref();
                let (x, y) = point[1..].split_at(curve.number_len());
                PublicPart::Ec { curve: *curve, x: x.to_vec(), y: y.to_vec() }
            }
            Self::Rsa(pair) => {
                let public = rsa::PublicKeyComponents::<Vec<u8>>::from(pair.public());
                PublicPart::Rsa { n: public.n, e: public.e }
            }
            Self::Ed25519(pair) => PublicPart::Okp { x: pair.public_key().as_ref().to_vec() },
        }
    }
}

/// Creates the error for a key that cannot be used.
pub(super) fn invalid(why: &str) -> Error {
    Error::argument("key", why)
}

fn rsa_encoding(algorithm: Algorithm) -> Option<&'static dyn RsaEncoding> {
    Some(match algorithm {
        Algorithm::Rs256 => &RSA_PKCS1_SHA256,
        Algorithm::Rs384 => &RSA_PKCS1_SHA384,
        Algorithm::Rs512 => &RSA_PKCS1_SHA512,
        Algorithm::Ps256 => &RSA_PSS_SHA256,
        Algorithm::Ps384 => &RSA_PSS_SHA384,
        Algorithm::Ps512 => &RSA_PSS_SHA512,
        _ => return None,
    })
}
