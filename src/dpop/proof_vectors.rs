//! The proofs of RFC 9449, and our own proofs, verified with the public key that each of them contains.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderValue, Method, Uri};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::{Value, json};

use super::proof::Proving;
use super::{Dpop, DpopNonce, Htu, ProofRequest, ServerRole};
use crate::error::{Error, ErrorKind};
use crate::jose::{Algorithm, Draft, Key, PublicJwk, Signed, signer_fn};
use crate::token::{Token, access_token_hash};

const HEADER: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19";

/// RFC 9449 §4.1, §5 and §7.1: claims and signature.
const PROOFS: [&str; 3] = [
    "eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg",
    "eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjY1Mjk2fQ.pAqut2IRDm_De6PR93SYmGBPXpwrAk90e8cP2hjiaG5QsGSuKDYW7_X620BxqhvYC8ynrrvZLTk41mSRroapUA",
    "eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA",
];

fn decode(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// Verifies an ES256 proof with the key in its header, and returns header and claims.
fn verified(proof: &str) -> (Value, Value) {
    let (signed, signature) = proof.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let (header, claims) = (decode(header), decode(claims));
    let number = |name: &str| URL_SAFE_NO_PAD.decode(header["jwk"][name].as_str().unwrap()).unwrap();
    let point = [&[4][..], &number("x"), &number("y")].concat();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    assert_eq!(signature.len(), 64);
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed.as_bytes(), &signature).unwrap();
    (header, claims)
}

fn text(value: &HeaderValue) -> &str {
    assert!(value.is_sensitive());
    value.to_str().unwrap()
}

#[test]
fn the_proofs_of_the_rfc_verify_with_its_key() {
    for (proof, iat) in PROOFS.iter().zip([1_562_262_616, 1_562_265_296, 1_562_262_618]) {
        let (header, claims) = verified(&format!("{HEADER}.{proof}"));
        assert_eq!((&header["typ"], &claims["iat"]), (&json!("dpop+jwt"), &json!(iat)));
        let jwk = PublicJwk::parse(&header["jwk"].to_string(), Algorithm::Es256).unwrap();
        assert_eq!(jwk.thumbprint(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    }
}

#[tokio::test]
async fn d1_d2_a_proof_has_the_public_key_and_the_request() {
    let key = Key::generate().unwrap().id("kid");
    let dpop = Dpop::new(key.clone());
    let uri = Uri::from_static("https://API.example.com:443/a%2Fb?q=1");
    let token = Token::bearer("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU").unwrap();
    let (header, claims) = verified(text(&dpop.proof(&Method::GET, &uri, Some(&token)).await.unwrap()));
    let public: Value = serde_json::from_str(&key.to_public_jwk()).unwrap();
    let jwk = json!({"crv": "P-256", "kty": "EC", "x": public["x"], "y": public["y"]});
    assert_eq!(header, json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}));
    assert_eq!(
        (&claims["htm"], &claims["htu"], &claims["ath"]),
        (&json!("GET"), &json!("https://api.example.com/a%2Fb"), &json!("fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"))
    );
    assert_eq!(URL_SAFE_NO_PAD.decode(claims["jti"].as_str().unwrap()).unwrap().len(), 16);
    let names: Vec<&str> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["ath", "htm", "htu", "iat", "jti"]);
    assert_eq!(dpop.thumbprint(), key.thumbprint());
    assert_eq!(format!("{dpop:?}"), format!("Dpop {{ thumbprint: {:?}, .. }}", key.thumbprint()));
}

#[tokio::test]
async fn d3_each_proof_is_new() {
    let dpop = Dpop::new(Key::generate().unwrap());
    let uri = Uri::from_static("https://auth.example.com/token");
    let mut seen = std::collections::HashSet::new();
    for _ in 0..100 {
        let (_, claims) = verified(text(&dpop.proof(&Method::POST, &uri, None).await.unwrap()));
        assert!(seen.insert(claims["jti"].to_string()));
        assert_eq!(claims.get("ath"), None);
    }
}

#[tokio::test]
async fn d6_d7_the_last_nonce_goes_to_the_server_that_gave_it() {
    let dpop = Dpop::new(Key::generate().unwrap());
    let uri = Uri::from_static("https://one.example.com/");
    let (token, headers) = (Token::bearer("a").unwrap(), |nonce| {
        HeaderMap::from_iter([("dpop-nonce".parse().unwrap(), HeaderValue::from_static(nonce))])
    });
    dpop.clone().observe(&uri, &headers("first"));
    dpop.observe(&Uri::from_static("HTTPS://ONE.example.com:443/other?x"), &headers("second"));
    dpop.observe(&uri, &headers("not valid"));
    dpop.observe(&Uri::from_static("/relative"), &headers("lost"));
    let nonce = async |uri: &Uri, token| {
        verified(text(&dpop.proof(&Method::GET, uri, token).await.unwrap())).1["nonce"].clone()
    };
    assert_eq!(nonce(&uri, Some(&token)).await, json!("second"));
    assert_eq!(nonce(&uri, None).await, Value::Null, "the authorization server has nonces of its own");
    assert_eq!(nonce(&Uri::from_static("https://one.example.com:8443/"), Some(&token)).await, Value::Null);

    let given = dpop.keep_nonce(ServerRole::AuthorizationServer, &Htu::new(&uri).unwrap(), &headers("as")).unwrap();
    assert_eq!(given.as_str(), "as");
    assert_eq!((nonce(&uri, Some(&token)).await, nonce(&uri, None).await), (json!("second"), json!("as")));
}

#[test]
fn a_request_that_is_sent_again_has_the_nonce_of_its_own_response() {
    let dpop = Dpop::new(Key::generate().unwrap());
    let (uri, ath) = (Uri::from_static("https://api.example.com/"), access_token_hash("a"));
    let nonce = |text| {
        DpopNonce::from_headers(&HeaderMap::from_iter([(
            "dpop-nonce".parse().unwrap(),
            HeaderValue::from_static(text),
        )]))
    };
    dpop.keep_nonce(
        ServerRole::Api,
        &Htu::new(&uri).unwrap(),
        &HeaderMap::from_iter([("dpop-nonce".parse().unwrap(), HeaderValue::from_static("of-another"))]),
    );
    let htu = Htu::new(&uri).unwrap();
    let request =
        ProofRequest { role: ServerRole::Api, method: &Method::PUT, htu, ath: Some(&ath), nonce: nonce("own") };
    let Proving::Done(proof) = dpop.prove(request).unwrap() else { panic!("the key is in memory") };
    assert_eq!(verified(text(&proof.value)).1["nonce"], json!("own"));
    assert_eq!(proof.nonce, nonce("own"));
}

#[tokio::test]
async fn d25_the_time_can_be_put_into_the_past() {
    let now = || crate::clock::now().unix_millis() / 1000;
    let uri = Uri::from_static("https://auth.example.com/token");
    let dpop = Dpop::new(Key::generate().unwrap());
    for (dpop, by) in [(dpop.clone(), 0), (dpop.backdate(std::time::Duration::from_secs(20)), 20)] {
        let before = now();
        let (_, claims) = verified(text(&dpop.proof(&Method::POST, &uri, None).await.unwrap()));
        let iat = claims["iat"].as_u64().unwrap();
        assert!((before - by..=now() - by).contains(&iat), "{iat}");
    }
}

#[test]
fn an_address_without_a_host_cannot_be_proven() {
    let dpop = Dpop::new(Key::generate().unwrap());
    let proof = dpop.proof(&Method::GET, &Uri::from_static("/path"), None).now_or_never().unwrap();
    assert_eq!(proof.unwrap_err().kind(), ErrorKind::Configuration);
}

/// A signer that signs by the key, whatever the draft is for, and adds members to the header.
async fn sign(key: Key, algorithm: Algorithm, draft: Draft) -> Result<Signed, Error> {
    let input = draft.header(algorithm, Some("kid"))?.member("jwk", json!({"kty": "oct"})).member("x5t#S256", "x");
    let signature = key.sign_bytes(input.bytes())?;
    Ok(input.signed(signature.as_ref()))
}

#[tokio::test]
async fn a_signer_gets_the_header_of_the_proof_and_cannot_change_it() {
    let key = Key::generate().unwrap();
    let signer = |algorithm| {
        let key = key.clone();
        signer_fn(move |draft| sign(key.clone(), algorithm, draft))
    };
    let uri = Uri::from_static("https://auth.example.com/token");
    let dpop = Dpop::signed_by(&key.to_public_jwk(), Algorithm::Es256, signer(Algorithm::Es256)).unwrap();
    let (header, _) = verified(text(&dpop.proof(&Method::POST, &uri, None).await.unwrap()));
    let names: Vec<&str> = header.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["alg", "jwk", "typ"]);
    assert_eq!(dpop.thumbprint(), key.thumbprint());

    let other = Dpop::signed_by(&key.to_public_jwk(), Algorithm::Es256, signer(Algorithm::Es384)).unwrap();
    let error = other.proof(&Method::POST, &uri, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Proof);
    assert!(error.to_string().contains("ES384"), "{error}");
}

#[tokio::test]
async fn a_signature_in_der_is_not_sent() {
    let key = Key::generate().unwrap();
    let signer = signer_fn(async |draft: Draft| Ok(draft.header(Algorithm::Es256, None)?.signed(&[7; 70])));
    let dpop = Dpop::signed_by(&key.to_public_jwk(), Algorithm::Es256, signer).unwrap();
    let error = dpop.proof(&Method::POST, &Uri::from_static("https://a.example/"), None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Proof);
    assert!(error.to_string().contains("raw_from_der"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_signer_that_never_returns_ends_with_the_timeout() {
    let key = Key::generate().unwrap();
    let signer = signer_fn(async |_: Draft| std::future::pending().await);
    let dpop = Dpop::signed_by(&key.to_public_jwk(), Algorithm::Es256, signer).unwrap();
    let uri = Uri::from_static("https://a.example/");
    let request = ProofRequest {
        role: ServerRole::AuthorizationServer,
        method: &Method::POST,
        htu: Htu::new(&uri).unwrap(),
        ath: None,
        nonce: None,
    };
    let proving = dpop.prove(request).unwrap();
    let error = proving.within(std::time::Duration::from_secs(30)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Proof);
}

#[test]
fn a_private_key_is_not_published() {
    let private = r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"AA"}"#;
    let error = Dpop::signed_by(private, Algorithm::Es256, Key::generate().unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
}
