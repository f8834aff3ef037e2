//! Tokens that are bound to a key (RFC 9449).

mod api_nonces;
mod api_requests;
mod authorization_requests;
mod keys;
mod mixed_tokens;
mod never_bearer;
mod nonces;
mod rejected_tokens;
mod remote_signers;
#[cfg(feature = "jwt")]
mod requests_of_grants;
mod retried_nonces;
mod signers;
mod slow_signers;
mod token_requests;
mod token_types;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Request, Response};
use serde_json::{Value, json};
use tower_oauth2::Token;
use tower_oauth2::client::Client;
use tower_oauth2::dpop::Dpop;
use tower_oauth2::grant::ClientCredentials;
use tower_oauth2::jwt::{Algorithm, Draft, signer_fn};

use crate::support::{Body, TOKEN_URL, answer};

/// A key with signatures that are not valid: `tests/signing` verifies those of real keys. The number is part of the public key.
pub(crate) fn dpop(number: u8) -> Dpop {
    let jwk = json!({"kty": "EC", "crv": "P-256", "x": format!("AAA{number}"), "y": "AAAA"}).to_string();
    let signer = signer_fn(async |draft: Draft| Ok(draft.header(Algorithm::Es256, None)?.signed(&[7; 64])));
    Dpop::signed_by(&jwk, Algorithm::Es256, signer).unwrap()
}

/// A key whose signatures are made in memory, without waiting. Without the feature there is none.
#[cfg(feature = "jwt")]
fn in_memory() -> Dpop {
    Dpop::new(tower_oauth2::jwt::Key::generate().unwrap())
}

#[cfg(not(feature = "jwt"))]
fn in_memory() -> Dpop {
    dpop(9)
}

fn bound(dpop: Dpop) -> ClientCredentials {
    ClientCredentials::new(TOKEN_URL, Client::basic("id", "secret")).unwrap().dpop(dpop)
}

/// The response of a server that has bound the token to the key.
pub(crate) fn bound_token(access_token: &str, expires_in: u64) -> Value {
    json!({"access_token": access_token, "token_type": "DPoP", "expires_in": expires_in})
}

/// A stored token that was issued for a key.
fn issued_for(thumbprint: &str) -> Token {
    let stored = json!({
        "access_token": "old", "token_type": "DPoP", "refresh_token": "r", "tower_oauth2": {"dpop_jkt": thumbprint}
    });
    serde_json::from_value(stored).unwrap()
}

fn expired(token: Token) -> Token {
    token.with_expires_in(Duration::ZERO)
}

/// The header and the claims of the only proof of a request.
pub(crate) fn proof<B>(request: &Request<B>) -> (Value, Value) {
    let mut all = request.headers().get_all("dpop").iter();
    let proof = all.next().expect("the request has a proof");
    assert_eq!(all.next(), None, "several proofs");
    assert!(proof.is_sensitive());
    let parts: Vec<&str> = proof.to_str().unwrap().split('.').collect();
    assert_eq!(parts.len(), 3);
    let part = |at: usize| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[at]).unwrap()).unwrap();
    (part(0), part(1))
}

/// The response of a server that demands this nonce.
fn demand(status: u16, nonce: &str) -> Response<Body> {
    with_nonce(answer(status, json!({"error": "use_dpop_nonce"})), nonce)
}

/// The response of an API that demands this nonce.
fn api_demand(nonce: &str) -> Response<Body> {
    with_nonce(unauthorized(r#"DPoP error="use_dpop_nonce", algs="ES256""#), nonce)
}

fn unauthorized(challenge: &str) -> Response<Body> {
    let mut response = answer(401, "");
    response.headers_mut().append("www-authenticate", challenge.parse().unwrap());
    response
}

pub(crate) fn with_nonce(mut response: Response<Body>, nonce: &str) -> Response<Body> {
    response.headers_mut().append("dpop-nonce", nonce.parse().unwrap());
    response
}
