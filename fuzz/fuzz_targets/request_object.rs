//! A request object contains each parameter of the login, and nothing that the user sets replaces the parameters that protect the login.
//! What it cannot contain is an error. The browser gets the request object and the client id only.
//!
//! Each line of an input sets one thing: `scope`, `resource`, `details` (JSON), `param` with a name, `claim` with a name and JSON, or
//! `audience`. The rest of the line is the value.

#![no_main]

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::{Map, Value};
use tower::service_fn;
use tower_oauth2::client::Client;
use tower_oauth2::grant::AuthorizationCode;
use tower_oauth2::jwt::{Algorithm, Claims, Draft, Signed, signer_fn};
use tower_oauth2::transport::Transport;
use tower_oauth2::{Error, ErrorKind};
use tower_oauth2_fuzz::{Fields, Request, Response, TOKEN_URL, error_text, in_virtual_time};

const REDIRECT_URI: &str = "https://app.example/callback";
const AUDIENCE: &str = "https://auth.example.com";

/// What the login itself sends.
const OWN: [&str; 7] =
    ["client_id", "redirect_uri", "response_type", "state", "code_challenge", "code_challenge_method", "scope"];
/// What the object itself consists of (RFC 9101 §4).
const RESERVED: [&str; 9] = ["iss", "sub", "aud", "exp", "iat", "nbf", "jti", "request", "request_uri"];

fuzz_target!(|input: &[u8]| -> Corpus {
    let Ok(input) = std::str::from_utf8(input) else { return Corpus::Reject };
    let signer = signer_fn(async |draft: Draft| -> Result<Signed, Error> {
        Ok(draft.header(Algorithm::Es256, None)?.signed(&[1; 64]))
    });
    let mut claims = Claims::signed_by(signer).audience(AUDIENCE);
    let mut grant = AuthorizationCode::new(
        "https://auth.example.com/authorize?tenant=7&request=theirs&state=theirs",
        TOKEN_URL,
        Client::basic("id", "secret"),
    )
    .unwrap();
    let (mut params, mut audience) = (Vec::new(), AUDIENCE);
    for line in input.lines().take(32) {
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (name, value) = rest.split_once(' ').unwrap_or((rest, ""));
        let changed = match kind {
            "scope" => grant.clone().scope(rest),
            "resource" => grant.clone().resource(rest),
            "details" => match serde_json::from_str(rest) {
                Ok(details) => grant.clone().authorization_details(details),
                Err(_) => continue,
            },
            "param" => {
                // A parameter is not sent twice (RFC 6749 §3.1): the first value counts.
                if params.iter().all(|(taken, _)| *taken != name) {
                    params.push((name, value));
                }
                Ok(grant.clone().param(name, value))
            }
            "claim" => {
                if let Ok(value) = serde_json::from_str::<Value>(value) {
                    claims = claims.claim(name, value);
                }
                continue;
            }
            "audience" => {
                (claims, audience) = (claims.audience(rest), rest);
                continue;
            }
            _ => continue,
        };
        match changed {
            Ok(changed) => grant = changed,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Configuration, "{error}"),
        }
    }
    let grant = grant.request_object(claims);
    let http = Transport::new(service_fn(async |_: Request| -> std::io::Result<Response> { panic!("a request") }));
    match in_virtual_time(Duration::from_secs(1), grant.begin(&http, REDIRECT_URI)) {
        Ok(login) => {
            let query = Fields(login.url().query_pairs().into_owned().collect());
            let names: Vec<&str> = query.0.iter().map(|(name, _)| name.as_str()).collect();
            // The query of the endpoint is kept, but a parameter does not have two values.
            let is_replaced = params.iter().any(|(name, _)| *name == "tenant");
            let kept: &[&str] = if is_replaced { &[] } else { &["tenant"] };
            assert_eq!(names, [kept, &["client_id", "request"]].concat());
            check_object(&decoded(query.get("request").unwrap()), login.state(), audience, &params);
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Configuration, "{}", error_text(&error));
        }
    }
    Corpus::Keep
});

/// Returns the claims. None appears twice.
fn decoded(jwt: &str) -> Map<String, Value> {
    let parts: Vec<&str> = jwt.split('.').collect();
    assert_eq!(parts.len(), 3);
    let part = |at: usize| URL_SAFE_NO_PAD.decode(parts[at]).unwrap();
    let header: Value = serde_json::from_slice(&part(0)).unwrap();
    assert_eq!((&header["typ"], &header["alg"]), (&"oauth-authz-req+jwt".into(), &"ES256".into()));
    let text = part(1);
    let claims: Map<String, Value> = serde_json::from_slice(&text).unwrap();
    assert_eq!(serde_json::to_vec(&claims).unwrap().len(), text.len(), "a claim appears twice");
    claims
}

fn check_object(claims: &Map<String, Value>, state: &str, audience: &str, params: &[(&str, &str)]) {
    for (name, value) in [
        ("iss", "id"),
        ("aud", audience),
        ("client_id", "id"),
        ("redirect_uri", REDIRECT_URI),
        ("response_type", "code"),
        ("state", state),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(claims[name], value, "{name}");
    }
    // With `sub` the object would be an assertion of the client (§10.8).
    assert!(["sub", "request", "request_uri"].iter().all(|name| !claims.contains_key(*name)));
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 60);
    for (name, value) in params {
        let is_own = OWN.contains(name) || RESERVED.contains(name) || name.is_empty();
        if is_own || ["resource", "authorization_details"].contains(name) {
            continue;
        }
        // `max_age` is a number in an object (RFC 9101 §4), also one with leading zeros.
        let is_number = |sent: &Value| value.parse().is_ok_and(|number: u64| *sent == number);
        let is_sent = |sent: &Value| {
            *sent == *value || is_number(sent) || serde_json::from_str(value).is_ok_and(|typed: Value| *sent == typed)
        };
        let found = claims.get(*name).unwrap_or_else(|| panic!("{name} is missing"));
        assert!(is_sent(found) || found.as_array().is_some_and(|all| all.iter().any(is_sent)), "{name}: {found}");
    }
}
