use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, Method};
use ring::{
    digest::{SHA256, digest},
    signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey},
};
use serde_json::Value;

use super::{registry::opaque, response::ServerResponse};

/// How old a proof may be, in seconds.
const LIFETIME: u64 = 60;

/// The DPoP proofs of one server (RFC 9449 §4.3): the nonce that it demands, and the proofs that were used.
pub(crate) struct Proofs {
    /// Scheme, host and port of the server.
    origin: String,
    state: Mutex<State>,
}

struct State {
    nonce: String,
    used: HashSet<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProofError {
    /// The proof is missing or wrong, or was used before.
    Invalid,
    /// The proof lacks the nonce of the server.
    Nonce,
}

impl Proofs {
    pub(crate) fn new(origin: String) -> Self {
        Self { origin, state: Mutex::new(State { nonce: opaque(), used: HashSet::new() }) }
    }

    /// Demands another nonce from now on.
    pub(crate) fn change_nonce(&self) {
        self.lock().nonce = opaque();
    }

    /// Adds the nonce for the next proof to a response.
    pub(crate) fn add_nonce(&self, response: &mut ServerResponse) {
        if let Ok(nonce) = HeaderValue::from_str(&self.lock().nonce) {
            response.headers_mut().insert("dpop-nonce", nonce);
        }
    }

    /// Verifies the proof of a request, and returns the thumbprint of its key. A request to the API carries an access token.
    pub(crate) fn verify(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        access_token: Option<&str>,
    ) -> Result<String, ProofError> {
        let mut all = headers.get_all("dpop").iter();
        let (Some(proof), None) = (all.next(), all.next()) else { return Err(ProofError::Invalid) };
        let (thumbprint, claims) = proof.to_str().ok().and_then(signed).ok_or(ProofError::Invalid)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        let issued_at = claims["iat"].as_u64().unwrap_or_default();
        let is_for_this_request = claims["htm"] == method.as_str()
            && claims["htu"] == format!("{}{path}", self.origin)
            && claims["ath"].as_str() == access_token.map(|token| hash(token.as_bytes())).as_deref();
        if !is_for_this_request || !(now - LIFETIME..=now).contains(&issued_at) {
            return Err(ProofError::Invalid);
        }
        let mut state = self.lock();
        let id = claims["jti"].as_str().ok_or(ProofError::Invalid)?;
        if !state.used.insert(id.to_owned()) {
            return Err(ProofError::Invalid);
        }
        if claims["nonce"].as_str() == Some(&state.nonce) { Ok(thumbprint) } else { Err(ProofError::Nonce) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProofError {
    /// The error code of a token endpoint (RFC 9449 §5, §8).
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Invalid => "invalid_dpop_proof",
            Self::Nonce => "use_dpop_nonce",
        }
    }

    /// The challenge of an API (RFC 9449 §7.1, §9).
    pub(crate) fn challenge(self) -> &'static str {
        match self {
            Self::Invalid => "DPoP error=\"invalid_dpop_proof\", algs=\"ES256\"",
            Self::Nonce => "DPoP error=\"use_dpop_nonce\", algs=\"ES256\"",
        }
    }
}

/// Returns the thumbprint of the key in the header, and the claims that this key has signed.
fn signed(jwt: &str) -> Option<(String, Value)> {
    let (signed, signature) = jwt.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let json = |text: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(text).ok()?).ok();
    let (header, claims) = (json(header)?, json(claims)?);
    let jwk = header.get("jwk")?;
    // A private key must not be sent.
    let is_public_key = jwk["kty"] == "EC" && jwk["crv"] == "P-256" && jwk.get("d").is_none();
    if !is_public_key || header["typ"] != "dpop+jwt" || header["alg"] != "ES256" {
        return None;
    }
    let (x, y) = (jwk["x"].as_str()?, jwk["y"].as_str()?);
    let point = [vec![4], URL_SAFE_NO_PAD.decode(x).ok()?, URL_SAFE_NO_PAD.decode(y).ok()?].concat();
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed.as_bytes(), &signature).ok()?;
    // RFC 7638 §3.
    let thumbprint = hash(format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#).as_bytes());
    Some((thumbprint, claims))
}

fn hash(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, bytes))
}
