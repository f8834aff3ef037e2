//! The check of proofs by the servers of a login (RFC 9449 §4.3).

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    digest::{SHA256, digest},
    signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey},
};
use serde_json::Value;

/// What the servers of a login know about its proofs.
pub(crate) struct ProofCheck {
    /// The thumbprint of the login's key.
    jkt: String,
    /// The identifiers of all proofs.
    seen: Mutex<HashSet<String>>,
}

impl ProofCheck {
    pub(crate) fn new(jkt: &str) -> Self {
        Self { jkt: jkt.to_owned(), seen: Mutex::default() }
    }

    /// Checks the only proof of a request that carries this token, and returns its nonce.
    ///
    /// The time of issue is not checked: the client's clock steps, and the nonce replaces it (RFC 9449 §11.1).
    pub(crate) fn check(
        &self,
        (method, url): (&str, &str),
        proofs: &[&str],
        access_token: Option<&str>,
    ) -> Result<Option<String>, String> {
        let [proof] = proofs else { return Err(format!("{} proofs", proofs.len())) };
        let (signed, signature) = proof.rsplit_once('.').ok_or("not a JWS")?;
        let (header, claims) = signed.split_once('.').ok_or("not a JWS")?;
        let (header, claims) = (object(header)?, object(claims)?);
        if header["typ"] != "dpop+jwt" || header["alg"] != "ES256" {
            return Err(format!("the header {header}"));
        }
        let jwk = &header["jwk"];
        let (x, y) = (text(jwk, "x")?, text(jwk, "y")?);
        if jwk.as_object().is_none_or(|members| members.len() != 4) {
            return Err("more than a public key".into());
        }
        // RFC 7638: the required members in alphabetical order.
        if sha256(&format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#)) != self.jkt {
            return Err("another key".into());
        }
        let point = [vec![4], decoded(x)?, decoded(y)?].concat();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            .verify(signed.as_bytes(), &decoded(signature)?)
            .map_err(|_| "the signature")?;

        if (text(&claims, "htm")?, text(&claims, "htu")?) != (method, url) {
            return Err(format!("{claims} for {method} {url}"));
        }
        if claims.get("ath").and_then(Value::as_str).map(str::to_owned) != access_token.map(sha256) {
            return Err(format!("{claims} for another token"));
        }
        let id = text(&claims, "jti")?;
        if !self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned()) {
            return Err(format!("the identifier {id} again"));
        }
        Ok(claims.get("nonce").and_then(Value::as_str).map(str::to_owned))
    }
}

/// The nonce of a proof.
pub(crate) fn nonce_of(proof: &str) -> Option<String> {
    let claims = object(proof.split('.').nth(1)?).ok()?;
    Some(claims.get("nonce")?.as_str()?.to_owned())
}

fn text<'a>(object: &'a Value, member: &str) -> Result<&'a str, String> {
    object[member].as_str().ok_or_else(|| format!("no {member}"))
}

fn object(part: &str) -> Result<Value, String> {
    serde_json::from_slice(&decoded(part)?).map_err(|why| why.to_string())
}

fn decoded(part: &str) -> Result<Vec<u8>, String> {
    URL_SAFE_NO_PAD.decode(part).map_err(|why| why.to_string())
}

fn sha256(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}
