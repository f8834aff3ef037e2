//! DPoP (RFC 9449): a proof names a normalised address, or the address is an error. A nonce is kept if it is the only valid one, and a 401
//! demands it only in a challenge for DPoP. A public JWK is a key, or an error that repeats nothing of it.
//!
//! The first line of an input is `uri`, `jwk` with an algorithm, or `api`. The rest is an address, a JWK, or the response of an API.

#![no_main]

use std::future::ready;
use std::io;
use std::str::FromStr;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tower::{Layer, ServiceExt, service_fn};
use tower_oauth2::client::Client;
use tower_oauth2::dpop::Dpop;
use tower_oauth2::grant::ClientCredentials;
use tower_oauth2::jwt::{Algorithm, Draft, Key, Signed, signer_fn};
use tower_oauth2::retry::{RejectionReason, TokenRejected};
use tower_oauth2::{Challenge, Error, ErrorKind, OAuth2Layer, Token};
use tower_oauth2_fuzz::{API_URL, Ending, Request, ServerResponse, TOKEN_URL, error_text, in_virtual_time};

const NONCE: &str = "dpop-nonce";

/// The SHA-256 digest of the token `a`.
const ATH: &str = "ypeBEsobvcr6wjGzmiPcTaeG7_gUfE5yuYB3ha_uSLs";

/// No text of an error that does not depend on the input has a word of this length.
const MIN_WORD: usize = 24;

static KEY: LazyLock<Key> =
    LazyLock::new(|| Key::from_pem(include_str!("../../tests/signing/keys/p256.pkcs8.pem")).unwrap());

fuzz_target!(|input: &[u8]| -> Corpus {
    let Some(at) = input.iter().position(|byte| *byte == b'\n') else { return Corpus::Reject };
    let (kind, rest) = (String::from_utf8_lossy(&input[..at]), &input[at + 1..]);
    match kind.split_once(' ').unwrap_or((&kind, "")) {
        ("uri", _) => match Uri::try_from(rest) {
            Ok(uri) => check_address(&uri),
            Err(_) => return Corpus::Reject,
        },
        ("jwk", algorithm) => match (std::str::from_utf8(rest), algorithm_of(algorithm)) {
            (Ok(text), Some(algorithm)) => check_jwk(text, algorithm),
            _ => return Corpus::Reject,
        },
        ("api", _) => in_virtual_time(Duration::from_secs(1), check_response(ServerResponse::parse(rest))),
        _ => return Corpus::Reject,
    }
    Corpus::Keep
});

fn prove(dpop: &Dpop, uri: &Uri, token: Option<&Token>) -> Result<HeaderValue, Error> {
    in_virtual_time(Duration::from_secs(1), dpop.proof(&Method::GET, uri, token))
}

/// Returns header and claims of a proof.
fn decoded(proof: &HeaderValue) -> (Value, Map<String, Value>) {
    assert!(proof.is_sensitive());
    let parts: Vec<&str> = proof.to_str().unwrap().split('.').collect();
    assert_eq!(parts.len(), 3);
    let part = |at: usize| URL_SAFE_NO_PAD.decode(parts[at]).unwrap();
    (serde_json::from_slice(&part(0)).unwrap(), serde_json::from_slice(&part(1)).unwrap())
}

fn check_address(uri: &Uri) {
    let (dpop, token) = (Dpop::new(KEY.clone()), Token::dpop("a").unwrap());
    let outcome = prove(&dpop, uri, Some(&token));
    let is_web = uri
        .scheme_str()
        .is_some_and(|scheme| ["https", "http", "wss", "ws"].iter().any(|web| scheme.eq_ignore_ascii_case(web)));
    let proof = match outcome {
        Ok(proof) => proof,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Configuration);
            // A port, or text after the brackets of an IPv6 address, which `Uri` accepts.
            let follows_host =
                uri.authority().and_then(|authority| authority.as_str().rsplit('@').next()) != uri.host();
            assert!(!is_web || uri.host().is_none_or(str::is_empty) || follows_host, "{uri}: {error}");
            return dpop.observe(uri, &nonce("n"));
        }
    };
    assert!(is_web && uri.host().is_some_and(|host| !host.is_empty()), "{uri}");
    let (_, claims) = decoded(&proof);
    assert_eq!((&claims["htm"], &claims["ath"], claims.get("nonce")), (&json!("GET"), &json!(ATH), None));
    let htu = claims["htu"].as_str().unwrap();
    let (scheme, rest) = htu.split_once("://").unwrap();
    let (authority, _) = rest.split_once('/').unwrap();
    assert!(["https", "http"].contains(&scheme) && authority == authority.to_ascii_lowercase(), "{htu}");
    assert!(!htu.contains(['?', '#']) && !authority.contains('@'), "{htu}");
    assert!(htu.ends_with(if uri.path().is_empty() { "/" } else { uri.path() }), "{uri}: {htu}");
    // What is normalised stays the same, and is the same server.
    let Ok(normalised) = Uri::from_str(htu) else {
        // `Uri` accepts an `@` between the brackets of an IPv6 address, and its host is then a part of them.
        let host = uri.host().unwrap();
        return assert_ne!(host.contains('['), host.contains(']'), "{htu}");
    };
    dpop.observe(uri, &nonce("n"));
    let (_, again) = decoded(&prove(&dpop, &normalised, Some(&token)).unwrap());
    assert_eq!((&again["htu"], again.get("nonce")), (&claims["htu"], Some(&json!("n"))));
    assert_ne!(again["jti"], claims["jti"]);
    // The nonce of an API is not sent to the authorization server.
    let (_, other) = decoded(&prove(&dpop, &normalised, None).unwrap());
    assert_eq!((other.get("nonce"), other.get("ath")), (None, None));
}

fn nonce(value: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(http::HeaderName::from_static(NONCE), HeaderValue::from_static(value))])
}

fn check_jwk(text: &str, algorithm: Algorithm) {
    let length = if algorithm == Algorithm::Es384 { 96 } else { 64 };
    let signer = signer_fn(move |draft: Draft| {
        ready(draft.header(algorithm, None).map(|input| -> Signed { input.signed(&vec![1; length]) }))
    });
    let dpop = match Dpop::signed_by(text, algorithm, signer) {
        Ok(dpop) => dpop,
        Err(error) => return check_error(text, &error),
    };
    let (header, _) = decoded(&prove(&dpop, &Uri::from_static(API_URL), None).unwrap());
    assert_eq!((&header["typ"], &header["alg"]), (&json!("dpop+jwt"), &json!(algorithm.as_str())));
    let jwk = header["jwk"].as_object().unwrap();
    let given: Map<String, Value> = serde_json::from_str(text).unwrap();
    assert!(jwk.iter().all(|(name, value)| given.get(name) == Some(value)), "{header}");
    let names: &[&str] = match jwk["kty"].as_str().unwrap() {
        "EC" => &["crv", "kty", "x", "y"],
        "OKP" => &["crv", "kty", "x"],
        "RSA" => &["e", "kty", "n"],
        kty => panic!("{kty}"),
    };
    // RFC 7638 §3: the members in the order of their names, without blanks.
    let members: Vec<String> = names.iter().map(|name| format!("{:?}:{}", name, jwk[*name])).collect();
    assert_eq!(members.len(), jwk.len());
    let thumbprint = URL_SAFE_NO_PAD.encode(Sha256::digest(format!("{{{}}}", members.join(","))));
    assert_eq!(dpop.thumbprint(), thumbprint);
}

fn check_error(input: &str, error: &Error) {
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let text = error_text(error);
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(byte);
    for word in input.as_bytes().split(|byte| !is_word(byte)).filter(|word| word.len() >= MIN_WORD) {
        for part in word.windows(MIN_WORD) {
            assert!(!text.contains(std::str::from_utf8(part).unwrap()), "{text}");
        }
    }
}

fn algorithm_of(name: &str) -> Option<Algorithm> {
    let all =
        [Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa, Algorithm::Ed25519, Algorithm::Rs256, Algorithm::Hs256];
    all.into_iter().find(|algorithm| algorithm.as_str() == name)
}

/// Sends two requests through a layer. The API responds to the first one with `first`.
async fn check_response(mut first: ServerResponse) {
    if first.ending == Ending::Silent {
        first.ending = Ending::Complete;
    }
    let grant = ClientCredentials::new(TOKEN_URL, Client::basic("id", "secret")).unwrap();
    let layer = OAuth2Layer::new(grant.dpop(Dpop::new(KEY.clone())));
    layer.tokens().set(Token::dpop("a").unwrap());
    let nonces = Arc::new(Mutex::new(Vec::new()));
    let api = layer.layer(service_fn({
        let (first, nonces) = (first.clone(), nonces.clone());
        move |request: Request| {
            let response = {
                let mut nonces = nonces.lock().unwrap();
                let is_first = nonces.is_empty();
                nonces.push(nonce_of(&request));
                if is_first { first.clone() } else { ServerResponse::parse(b"200") }
            };
            response.deliver()
        }
    }));
    let send = || api.clone().oneshot(http::Request::get(API_URL).body(Full::default()).unwrap());
    let given = given_nonce(&first.headers).filter(|_| first.ending != Ending::Fails);
    match send().await {
        Ok(mut response) => {
            let mark = response.extensions_mut().remove::<TokenRejected>();
            assert_eq!((response.status(), response.headers()), (first.status, &first.headers));
            if first.is_complete() {
                assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), first.body);
            }
            let has_token = layer.tokens().peek().is_some();
            let reason = mark.map(|mark| mark.reason());
            match proof_errors(&first) {
                // RFC 9449 §9: it needs the nonce. The token stays.
                Some(errors) if errors == ["use_dpop_nonce"] && given.is_some() => {
                    assert_eq!((reason, has_token), (Some(RejectionReason::Nonce), true));
                }
                Some(_) => assert_eq!((reason, has_token), (None, true)),
                None => assert_eq!(reason == Some(RejectionReason::Token), !has_token),
            }
        }
        Err(error) => {
            assert_eq!(first.ending, Ending::Fails);
            assert_eq!(error.downcast::<io::Error>().unwrap().kind(), io::ErrorKind::ConnectionRefused);
        }
    }
    // Each nonce is kept, whatever the status (§8.2).
    layer.tokens().set(Token::dpop("a").unwrap());
    send().await.unwrap();
    assert_eq!(*nonces.lock().unwrap(), [None, given]);
}

/// Checks the headers of a request, and returns the nonce of its proof.
fn nonce_of(request: &Request) -> Option<String> {
    let one = |name: &str| {
        let mut values = request.headers().get_all(name).iter();
        let value = values.next().unwrap();
        assert_eq!(values.next(), None);
        value
    };
    assert_eq!(one(AUTHORIZATION.as_str()), "DPoP a");
    let (_, claims) = decoded(one("dpop"));
    assert_eq!((&claims["htu"], &claims["ath"]), (&json!(API_URL), &json!(ATH)));
    claims.get("nonce").map(|nonce| nonce.as_str().unwrap().to_owned())
}

/// Returns the nonce of a response: the only one, if it is `1*NQCHAR` (§8.1) and not too long.
fn given_nonce(headers: &HeaderMap) -> Option<String> {
    let all: Vec<&HeaderValue> = headers.get_all(NONCE).iter().collect();
    let [value] = all[..] else { return None };
    let is_nqchar = |byte: &u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    let is_valid = !value.is_empty() && value.len() <= 1024 && value.as_bytes().iter().all(is_nqchar);
    is_valid.then(|| value.to_str().unwrap().to_owned())
}

/// Returns the errors of the challenges for DPoP, if the response is about the proof only.
fn proof_errors(response: &ServerResponse) -> Option<Vec<String>> {
    if response.status != StatusCode::UNAUTHORIZED {
        return None;
    }
    let challenges = Challenge::parse(&response.headers);
    let dpop = challenges.iter().filter(|challenge| challenge.scheme().eq_ignore_ascii_case("dpop"));
    let errors: Option<Vec<String>> = dpop.map(|challenge| challenge.error().map(str::to_owned)).collect();
    errors.filter(|errors| {
        !errors.is_empty() && errors.iter().all(|error| ["use_dpop_nonce", "invalid_dpop_proof"].contains(&&**error))
    })
}
