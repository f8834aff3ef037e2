//! Signed client assertions (RFC 7523 §3): by this crate, by the peer crates, and the signature alone.

use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding,
    RsaKeyPair,
};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use tower_oauth2::jwt::{Claims, Key};

use crate::Case;

pub(crate) const CLIENT_ID: &str = "reporting-service";
pub(crate) const AUDIENCE: &str = "https://auth.example.com";
pub(crate) const KEY_ID: &str = "2026-11";

#[derive(Clone, Copy)]
pub enum Algorithm {
    Es256,
    EdDsa,
    /// With a key of 2048 bits.
    Ps256,
    /// With the same key.
    Rs256,
}

impl Algorithm {
    /// The algorithms of the assertions.
    pub const ASSERTIONS: [Self; 3] = [Self::Es256, Self::EdDsa, Self::Rs256];
    /// The algorithms of the DPoP proofs.
    pub const PROOFS: [Self; 4] = [Self::Es256, Self::EdDsa, Self::Ps256, Self::Rs256];

    /// Returns the assertions or proofs of one burst, which takes at most about a millisecond with each crate. On a busy machine the scheduler
    /// interrupts longer bursts, so a median would be too large for the slowest crate.
    pub fn burst(self) -> u32 {
        match self {
            Self::Es256 | Self::EdDsa => 5,
            Self::Ps256 | Self::Rs256 => 1,
        }
    }

    pub(crate) fn pem(self) -> &'static str {
        match self {
            Self::Es256 => include_str!("../../tests/signing/keys/p256.pkcs8.pem"),
            Self::EdDsa => include_str!("../../tests/signing/keys/ed25519.pkcs8.pem"),
            Self::Ps256 | Self::Rs256 => include_str!("../../tests/signing/keys/rsa2048.pkcs8.pem"),
        }
    }

    /// Returns the name of a case of this algorithm.
    pub(crate) fn case(self, of: &str) -> String {
        let algorithm = match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Ps256 => "PS256",
            Self::Rs256 => "RS256",
        };
        format!("{algorithm}, {of}")
    }
}

/// Returns the cases of an algorithm. The first is the signature alone.
pub fn cases(algorithm: Algorithm) -> Vec<Case> {
    let key = Key::from_pem(algorithm.pem()).expect("a private key").id(KEY_ID);
    let claims = Claims::signed_by(key)
        .issuer(CLIENT_ID)
        .subject(CLIENT_ID)
        .audience(AUDIENCE)
        .typ(Some("client-authentication+jwt"));
    let sign = move || expect_ready(claims.sign()).expect("the key signs");
    let assertion = sign();
    let (input, _) = assertion.rsplit_once('.').expect("an assertion has three parts");
    #[allow(unused_mut, reason = "only the peer crates add more")]
    let mut cases = vec![
        signature_alone(algorithm, input.as_bytes().to_vec()),
        Case::repeated(algorithm.case("**tower-oauth2**"), move || drop(black_box(sign()))),
    ];
    #[cfg(feature = "peers")]
    cases.extend(crate::peers::assertions(algorithm));
    cases
}

/// Signs the same bytes each time, without encoding anything.
pub(crate) fn signature_alone(algorithm: Algorithm, input: Vec<u8>) -> Case {
    let name = algorithm.case("the signature alone (`ring`)");
    let key = PrivatePkcs8KeyDer::from_pem_slice(algorithm.pem().as_bytes()).expect("a private key");
    let key = key.secret_pkcs8_der();
    let random = SystemRandom::new();
    match algorithm {
        Algorithm::Es256 => {
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key, &random).expect("a P-256 key");
            Case::repeated(name, move || {
                black_box(pair.sign(&random, &input).expect("the key signs"));
            })
        }
        Algorithm::EdDsa => {
            let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(key).expect("an Ed25519 key");
            Case::repeated(name, move || {
                black_box(pair.sign(&input));
            })
        }
        Algorithm::Ps256 | Algorithm::Rs256 => {
            let encoding: &'static dyn RsaEncoding =
                if matches!(algorithm, Algorithm::Ps256) { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
            let pair = RsaKeyPair::from_pkcs8(key).expect("an RSA key");
            let mut signature = vec![0; pair.public().modulus_len()];
            Case::repeated(name, move || {
                pair.sign(encoding, &random, &input, &mut signature).expect("the key signs");
                black_box(&signature);
            })
        }
    }
}

/// Returns the output of a future that does not wait.
pub(crate) fn expect_ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a key in memory signs at once"),
    }
}
