//! DPoP proofs, as libraries of other projects read them.

use std::process::Command;

use http::{HeaderMap, HeaderValue, Method, Uri};
use serde_json::{Value, json};
use tower_oauth2::Token;
use tower_oauth2::dpop::Dpop;
use tower_oauth2::jwt::{Algorithm, Key};

use crate::foreign_verifiers::{compare, installation, run, script};
use crate::support::pem;

/// A proof by each algorithm for a token request, for an API request, and for an API that demands a nonce.
async fn cases(algorithms: &[(&str, Algorithm)]) -> Value {
    let mut cases = Vec::new();
    for (name, algorithm) in algorithms {
        let key = Key::from_pem(pem(name)).unwrap().algorithm(*algorithm).unwrap().id("k");
        let remote = Dpop::signed_by(&key.to_public_jwk(), *algorithm, key.clone()).unwrap();
        for dpop in [Dpop::new(key.clone()), remote] {
            cases.push(case(&dpop, *algorithm, Method::POST, "https://auth.example.com/token", None, None).await);
            let url = "https://api.example.com/a%20b/?q=1";
            cases.push(case(&dpop, *algorithm, Method::GET, url, Some("Kz~8mXK1EalYznwH"), None).await);
            let url = "http://127.0.0.1:8080";
            cases.push(case(&dpop, *algorithm, Method::DELETE, url, Some("a"), Some("n.0-_~")).await);
        }
    }
    cases.into()
}

async fn case(
    dpop: &Dpop,
    algorithm: Algorithm,
    method: Method,
    url: &'static str,
    token: Option<&str>,
    nonce: Option<&'static str>,
) -> Value {
    let uri = Uri::from_static(url);
    if let Some(nonce) = nonce {
        let mut headers = HeaderMap::new();
        headers.insert("DPoP-Nonce", HeaderValue::from_static(nonce));
        dpop.observe(&uri, &headers);
    }
    let carried = token.map(|token| Token::bearer(token).unwrap());
    let proof = dpop.proof(&method, &uri, carried.as_ref()).await.unwrap();
    json!({
        "proof": proof.to_str().unwrap(), "method": method.as_str(), "url": url, "token": token, "nonce": nonce,
        "algorithm": algorithm.as_str(), "thumbprint": dpop.thumbprint(),
    })
}

const ALL: [(&str, Algorithm); 6] = [
    ("p256.pkcs8.pem", Algorithm::Es256),
    ("p384.sec1.pem", Algorithm::Es384),
    ("rsa2048.pkcs8.pem", Algorithm::Rs256),
    ("rsa2048.pkcs8.pem", Algorithm::Ps256),
    ("ed25519.pkcs8.pem", Algorithm::EdDsa),
    // PyJWT supports it as EdDSA only.
    ("ed25519.pkcs8.pem", Algorithm::Ed25519),
];

#[tokio::test]
async fn jose_accepts_the_proofs_of_each_algorithm() {
    let Some(directory) = installation() else { return };
    let cases = cases(&ALL).await;
    let results = run(Command::new("node").arg(script("dpop.mjs")).arg(directory), &cases);
    compare(&cases, &results, true);
}

#[tokio::test]
async fn joserfc_accepts_the_proofs_of_each_algorithm() {
    let Some(directory) = installation() else { return };
    let cases = cases(&ALL).await;
    let python = directory.join("venv/bin/python");
    let results = run(Command::new(python).arg(script("dpop.py")).arg("joserfc"), &cases);
    compare(&cases, &results, true);
}

#[tokio::test]
async fn pyjwt_accepts_the_proofs_of_each_algorithm() {
    let Some(directory) = installation() else { return };
    let cases = cases(&ALL[..5]).await;
    let python = directory.join("venv/bin/python");
    let results = run(Command::new(python).arg(script("dpop.py")).arg("pyjwt"), &cases);
    compare(&cases, &results, false);
}
