use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::Value;

/// Signed assertions (RFC 7523 §3): the public keys of their issuers, and the assertions that were used.
#[derive(Default)]
pub(crate) struct Assertions(Mutex<State>);

#[derive(Default)]
struct State {
    keys: Vec<IssuerKey>,
    used: HashSet<String>,
}

struct IssuerKey {
    issuer: String,
    id: Option<String>,
    /// The point of P-256, uncompressed.
    point: Vec<u8>,
}

impl Assertions {
    /// Registers a public key of an issuer: a JWK of P-256.
    pub(crate) fn register(&self, issuer: &str, jwk: &str) {
        let key = serde_json::from_str(jwk).ok().and_then(|jwk: Value| {
            let coordinate = |name: &str| URL_SAFE_NO_PAD.decode(jwk.get(name)?.as_str()?).ok();
            let id = jwk.get("kid").and_then(Value::as_str).map(str::to_owned);
            Some(IssuerKey {
                issuer: issuer.to_owned(),
                id,
                point: [vec![4], coordinate("x")?, coordinate("y")?].concat(),
            })
        });
        self.lock().keys.extend(key);
    }

    /// Removes all keys of an issuer.
    pub(crate) fn remove(&self, issuer: &str) {
        self.lock().keys.retain(|key| key.issuer != issuer);
    }

    /// Verifies an assertion and returns its claims. An assertion with an id (`jti`) can be used once, if the caller says so.
    pub(crate) fn verify(&self, jwt: &str, audiences: &[&str], once: bool) -> Option<Value> {
        let (signed, signature) = jwt.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let json = |text: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(text).ok()?).ok();
        let (header, claims) = (json(header)?, json(claims)?);
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let mut state = self.lock();
        let issuer = claims.get("iss")?.as_str()?;
        let id = header.get("kid").and_then(Value::as_str);
        let is_signed = header.get("alg")? == "ES256"
            && state.keys.iter().filter(|key| key.issuer == issuer && (id.is_none() || key.id.as_deref() == id)).any(
                |key| {
                    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &key.point)
                        .verify(signed.as_bytes(), &signature)
                        .is_ok()
                },
            );
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
        let is_meant_for_us = audiences.contains(&claims.get("aud")?.as_str()?);
        let is_current = claims.get("exp")?.as_u64()? > now;
        let is_new = !once || state.used.insert(claims.get("jti")?.as_str()?.to_owned());
        (is_signed && is_meant_for_us && is_current && is_new).then_some(claims)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
