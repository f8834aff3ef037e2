//! Any PEM text, JWK or DER is a key, or an error that repeats nothing of it. A key that is accepted signs, and another implementation
//! verifies the signature with the public JWK. An ECDSA signature that is converted from DER is valid if and only if the DER is.
//!
//! The first line of an input is `pem`, `jwk`, `es256` or `es384`. The rest is the text of a key, or a signature in DER over `message` by
//! the key of `tests/signing/keys`.

#![no_main]

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::{Corpus, fuzz_target};
use ring::signature::{self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};
use serde_json::Value;
use tower_oauth2::jwt::{Algorithm, Claims, Key, raw_from_der};
use tower_oauth2::{Error, ErrorKind};
use tower_oauth2_fuzz::{error_text, in_virtual_time};

/// Every algorithm that a key in memory signs by.
const ALGORITHMS: [Algorithm; 10] = [
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
    Algorithm::EdDsa,
    Algorithm::Ed25519,
];

/// No text of an error that does not depend on the input has a word of this length.
const MIN_WORD: usize = 24;

fuzz_target!(|input: &[u8]| -> Corpus {
    let Some(at) = input.iter().position(|byte| *byte == b'\n') else { return Corpus::Reject };
    let (kind, rest) = (&input[..at], &input[at + 1..]);
    match kind {
        b"pem" => check_key(rest, Key::from_pem(rest)),
        b"jwk" => match std::str::from_utf8(rest) {
            Ok(text) => check_key(rest, Key::from_jwk(text)),
            Err(_) => return Corpus::Reject,
        },
        b"es256" => check_der(
            rest,
            Algorithm::Es256,
            include_str!("../../tests/signing/keys/p256.pkcs8.pem"),
            [&signature::ECDSA_P256_SHA256_ASN1, &signature::ECDSA_P256_SHA256_FIXED],
        ),
        b"es384" => check_der(
            rest,
            Algorithm::Es384,
            include_str!("../../tests/signing/keys/p384.pkcs8.pem"),
            [&signature::ECDSA_P384_SHA384_ASN1, &signature::ECDSA_P384_SHA384_FIXED],
        ),
        _ => return Corpus::Reject,
    }
    Corpus::Keep
});

fn check_key(input: &[u8], outcome: Result<Key, Error>) {
    let key = match outcome {
        Ok(key) => key,
        Err(error) => return check_error(input, &error),
    };
    assert_eq!(key.thumbprint().len(), 43);
    let mut is_signed = false;
    for algorithm in ALGORITHMS {
        match key.clone().algorithm(algorithm) {
            Ok(key) => {
                sign_and_verify(key, algorithm);
                is_signed = true;
            }
            Err(error) => check_error(input, &error),
        }
    }
    assert!(is_signed);
    // The text is no certificate of this key, or has one.
    if let Err(error) = key.certificate(input) {
        check_error(input, &error);
    }
}

fn check_error(input: &[u8], error: &Error) {
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let text = error_text(error);
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(byte);
    for word in input.split(|byte| !is_word(byte)).filter(|word| word.len() >= MIN_WORD) {
        for part in word.windows(MIN_WORD) {
            assert!(!text.contains(std::str::from_utf8(part).unwrap()), "{text}");
        }
    }
}

fn sign_and_verify(key: Key, algorithm: Algorithm) {
    let jwk: Value = serde_json::from_str(&key.to_public_jwk()).unwrap();
    assert_eq!(jwk["alg"], algorithm.as_str());
    assert!(["d", "p", "q", "dp", "dq", "qi"].iter().all(|private| jwk.get(private).is_none()));
    let jwt = in_virtual_time(Duration::from_secs(1), Claims::signed_by(key).sign()).unwrap();
    let (message, signature) = jwt.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let number = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    let verified = match algorithm {
        Algorithm::Es256 | Algorithm::Es384 => {
            let point = [&[4][..], &number("x"), &number("y")].concat();
            let verification: &dyn VerificationAlgorithm = match algorithm {
                Algorithm::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
                _ => &signature::ECDSA_P384_SHA384_FIXED,
            };
            UnparsedPublicKey::new(verification, point).verify(message.as_bytes(), &signature)
        }
        Algorithm::EdDsa | Algorithm::Ed25519 => {
            UnparsedPublicKey::new(&signature::ED25519, number("x")).verify(message.as_bytes(), &signature)
        }
        _ => {
            let parameters = rsa_parameters(algorithm);
            let public = RsaPublicKeyComponents { n: number("n"), e: number("e") };
            public.verify(parameters, message.as_bytes(), &signature)
        }
    };
    assert!(verified.is_ok(), "{algorithm}");
}

fn rsa_parameters(algorithm: Algorithm) -> &'static RsaParameters {
    match algorithm {
        Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
        _ => &signature::RSA_PSS_2048_8192_SHA512,
    }
}

fn check_der(der: &[u8], algorithm: Algorithm, key: &str, [asn1, fixed]: [&'static dyn VerificationAlgorithm; 2]) {
    let jwk: Value = serde_json::from_str(&Key::from_pem(key).unwrap().to_public_jwk()).unwrap();
    let number = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    let point = [&[4][..], &number("x"), &number("y")].concat();
    let is_valid = UnparsedPublicKey::new(asn1, &point).verify(b"message", der).is_ok();
    match raw_from_der(algorithm, der) {
        Ok(raw) => {
            assert_eq!(raw.len() % 32, 0);
            assert_eq!(UnparsedPublicKey::new(fixed, &point).verify(b"message", &raw).is_ok(), is_valid);
        }
        Err(error) => {
            assert!(!is_valid);
            assert_eq!(error.kind(), ErrorKind::Proof);
        }
    }
}
