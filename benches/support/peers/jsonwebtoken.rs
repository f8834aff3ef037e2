//! `jsonwebtoken`: signs claims of the caller. Its key is read from PEM once; each `encode` creates the key pair from DER.

use std::hint::black_box;

use ::jsonwebtoken::{EncodingKey, Header, encode, get_current_timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SystemRandom, generate};
use serde::Serialize;

use crate::Case;
use crate::signing::{AUDIENCE, Algorithm, CLIENT_ID, KEY_ID};

#[derive(Serialize)]
struct Claims {
    iss: &'static str,
    sub: &'static str,
    aud: &'static str,
    exp: u64,
    iat: u64,
    jti: String,
}

pub(super) fn assertions(algorithm: Algorithm) -> Case {
    let pem = algorithm.pem().as_bytes();
    let (algorithm_name, key) = match algorithm {
        Algorithm::Es256 => (::jsonwebtoken::Algorithm::ES256, EncodingKey::from_ec_pem(pem)),
        Algorithm::EdDsa => (::jsonwebtoken::Algorithm::EdDSA, EncodingKey::from_ed_pem(pem)),
        Algorithm::Ps256 => (::jsonwebtoken::Algorithm::PS256, EncodingKey::from_rsa_pem(pem)),
        Algorithm::Rs256 => (::jsonwebtoken::Algorithm::RS256, EncodingKey::from_rsa_pem(pem)),
    };
    let key = key.expect("a private key");
    let mut header = Header::new(algorithm_name);
    header.typ = Some("client-authentication+jwt".to_owned());
    header.kid = Some(KEY_ID.to_owned());
    let random = SystemRandom::new();
    Case::repeated(algorithm.case("`jsonwebtoken`"), move || {
        let now = get_current_timestamp();
        let id: [u8; 32] = generate(&random).expect("the system has random numbers").expose();
        let claims = Claims {
            iss: CLIENT_ID,
            sub: CLIENT_ID,
            aud: AUDIENCE,
            exp: now + 60,
            iat: now,
            jti: URL_SAFE_NO_PAD.encode(id),
        };
        black_box(encode(&header, &claims, &key).expect("the key signs"));
    })
}
