//! The key that the tokens of a login are bound to (RFC 9449).

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use fastrand::Rng;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use serde_json::json;
use tokio::time::sleep;
use tower::BoxError;
use tower_oauth2::{
    Error, ErrorKind,
    dpop::Dpop,
    jwt::{Algorithm, Draft, signer_fn},
};

/// A key in memory, which signs at once. It needs the feature `jwt`.
#[cfg(feature = "jwt")]
pub(crate) fn in_memory(_: Rng) -> Result<Dpop, BoxError> {
    Ok(Dpop::new(tower_oauth2::jwt::Key::generate()?))
}

#[cfg(not(feature = "jwt"))]
pub(crate) fn in_memory(rng: Rng) -> Result<Dpop, BoxError> {
    remote(rng)
}

/// A key of a signer that takes some milliseconds, as one in another process does.
pub(crate) fn remote(rng: Rng) -> Result<Dpop, BoxError> {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).map_err(|_| "no key")?;
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random)
        .map_err(|why| why.to_string())?;
    let (x, y) = key.public_key().as_ref()[1..].split_at(32);
    let coordinate = |bytes| URL_SAFE_NO_PAD.encode(bytes);
    let jwk = json!({ "kty": "EC", "crv": "P-256", "x": coordinate(x), "y": coordinate(y) }).to_string();
    let shared = Arc::new((key, Mutex::new(rng)));
    let signer = signer_fn(move |draft: Draft| {
        let shared = shared.clone();
        async move {
            let (key, rng) = &*shared;
            let micros = rng.lock().unwrap_or_else(PoisonError::into_inner).u64(0..4_000);
            sleep(Duration::from_micros(micros)).await;
            let input = draft.header(Algorithm::Es256, None)?;
            let signature = key.sign(&SystemRandom::new(), input.bytes());
            let signature = signature.map_err(|_| Error::caused_by(ErrorKind::Proof, "no signature"))?;
            Ok(input.signed(signature.as_ref()))
        }
    });
    Ok(Dpop::signed_by(&jwk, Algorithm::Es256, signer)?)
}
