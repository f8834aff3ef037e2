//! Signatures and keys, as libraries of other projects read them: `jose` of npm, and `joserfc` and `PyJWT` of PyPI.
//!
//! If they cannot be installed, the tests pass and print `NOT RUN`; with `TOWER_OAUTH2_SERVERS=required` they fail, as in CI.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::TokenEndpoint;
use tower_oauth2::form::Form;
use tower_oauth2::jwt::{Algorithm, Key};

use crate::or_skip::or_skip;
use crate::support::{ISSUER, Server, TOKEN_URL, pem};

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// The directory of the installation.
pub(crate) fn installation() -> Option<&'static Path> {
    static INSTALLED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let installed = INSTALLED.get_or_init(|| {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("verifiers");
        let output = Command::new(script("install")).arg(&directory).output().map_err(|error| error.to_string())?;
        if output.status.success() { Ok(directory) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
    });
    or_skip("the installation of the verifiers", installed).map(PathBuf::as_path)
}

pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/signing/verifiers").join(name)
}

/// Runs a verifier with the cases as its input, and returns what it printed.
pub(crate) fn run(command: &mut Command, cases: &Value) -> Value {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(cases.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A client assertion by each algorithm, with the key that verifies it.
async fn cases() -> Vec<Value> {
    let key = |name: &str, algorithm| Key::from_pem(pem(name)).unwrap().algorithm(algorithm).unwrap().id("k");
    let keys = [
        key("p256.pkcs8.pem", Algorithm::Es256),
        key("p384.sec1.pem", Algorithm::Es384),
        key("rsa2048.pkcs1.pem", Algorithm::Rs256),
        key("rsa2048.pkcs8.pem", Algorithm::Rs384),
        key("rsa2048.pkcs8.pem", Algorithm::Rs512),
        key("rsa2048.pkcs8.pem", Algorithm::Ps256),
        key("rsa2048.pkcs8.pem", Algorithm::Ps384),
        key("rsa2048.pkcs8.pem", Algorithm::Ps512),
        key("ed25519.pkcs8.pem", Algorithm::EdDsa),
        key("ed25519.pkcs8.pem", Algorithm::Ed25519),
        Key::generate().unwrap(),
    ];
    let mut cases = Vec::new();
    for key in keys {
        let jwk: Value = serde_json::from_str(&key.to_public_jwk()).unwrap();
        let thumbprint = key.thumbprint().to_owned();
        let mut case = case(Client::private_key_jwt("id", key).audience(ISSUER), jwk).await;
        case["thumbprint"] = thumbprint.into();
        cases.push(case);
    }
    for algorithm in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
        let jwk = json!({"kty": "oct", "alg": algorithm.as_str(), "k": URL_SAFE_NO_PAD.encode(SECRET)});
        cases.push(case(Client::secret_jwt_with("id", SECRET, algorithm).audience(ISSUER), jwk).await);
    }
    cases
}

async fn case(client: Client, jwk: Value) -> Value {
    let server = Server::default();
    let endpoint = TokenEndpoint::new(TOKEN_URL, client).unwrap();
    endpoint.token(&server.transport(), Form::new("client_credentials")).await.unwrap();
    let jwt = server.take_one().get("client_assertion").to_owned();
    json!({"jwt": jwt, "algorithm": jwk["alg"], "jwk": jwk, "audience": ISSUER, "issuer": "id", "thumbprint": null})
}

fn without(cases: &[Value], algorithms: &[&str]) -> Value {
    cases.iter().filter(|case| !algorithms.contains(&case["algorithm"].as_str().unwrap())).cloned().collect()
}

/// Compares what a verifier has read with the cases that it was given.
pub(crate) fn compare(cases: &Value, results: &Value, has_thumbprints: bool) {
    let (cases, results) = (cases.as_array().unwrap(), results.as_array().unwrap());
    assert_eq!(cases.len(), results.len());
    for (case, result) in cases.iter().zip(results) {
        assert_eq!(case["algorithm"], result["algorithm"]);
        if has_thumbprints {
            assert_eq!(case["thumbprint"], result["thumbprint"], "{}", case["algorithm"]);
        }
    }
}

#[tokio::test]
async fn jose_verifies_each_algorithm() {
    let Some(directory) = installation() else { return };
    let cases = Value::from(cases().await);
    let results = run(Command::new("node").arg(script("jose.mjs")).arg(directory), &cases);
    compare(&cases, &results, true);
    assert!(results.as_array().unwrap().iter().all(|result| result["rejected"] == true), "other claims: {results}");
}

#[tokio::test]
async fn joserfc_verifies_each_algorithm() {
    let Some(directory) = installation() else { return };
    let cases = Value::from(cases().await);
    let python = directory.join("venv/bin/python");
    let results = run(Command::new(python).arg(script("verify.py")).arg("joserfc"), &cases);
    compare(&cases, &results, true);
}

#[tokio::test]
async fn pyjwt_verifies_each_algorithm() {
    let Some(directory) = installation() else { return };
    // PyJWT supports Ed25519 as EdDSA only.
    let cases = without(&cases().await, &["Ed25519"]);
    let python = directory.join("venv/bin/python");
    let results = run(Command::new(python).arg(script("verify.py")).arg("pyjwt"), &cases);
    compare(&cases, &results, false);
}
