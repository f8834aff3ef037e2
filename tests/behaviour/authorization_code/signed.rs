//! Request objects (RFC 9101): what is signed, and what the browser and the server get.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tower_oauth2::client::Client;
use tower_oauth2::grant::AuthorizationCode;
use tower_oauth2::jwt::{Algorithm, Claims, Draft, signer_fn};
use tower_oauth2::{Error, ErrorKind};

use super::par_server::{PAR_URL, ParServer, decoded, get, query, signer};
use super::{AUTHORIZATION_URL, grant};
use crate::support::TOKEN_URL;

const ISSUER: &str = "https://auth.example.com";
const REDIRECT_URI: &str = "https://app.example.com/callback";

fn claims() -> Claims {
    Claims::signed_by(signer()).audience(ISSUER)
}

/// Returns the request object of a login that is not pushed, and the state.
async fn signed(grant: AuthorizationCode) -> Result<(Value, Value), Error> {
    let server = ParServer::default();
    let login = grant.begin(&server.transport(), REDIRECT_URI).await?;
    assert!(server.received().is_empty());
    let decoded = decoded(get(&query(login.url()), "request").unwrap());
    assert_eq!(decoded.1["state"], login.state());
    Ok(decoded)
}

/// R1, R5.
#[tokio::test]
async fn the_url_has_the_client_id_and_the_request_object_only() {
    let grant = grant().scope("read").unwrap().request_object(claims());
    let login = grant.begin(&ParServer::default().transport(), REDIRECT_URI).await.unwrap();
    let query = query(login.url());
    let names: Vec<_> = query.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["tenant", "client_id", "request"], "and the endpoint's own query");
    assert_eq!(get(&query, "client_id"), Some("id"));

    let (header, claims) = decoded(get(&query, "request").unwrap());
    assert_eq!(header, json!({"typ": "oauth-authz-req+jwt", "alg": "ES256", "kid": "k1"}));
    let names: BTreeSet<_> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "aud",
        "client_id",
        "code_challenge",
        "code_challenge_method",
        "exp",
        "iat",
        "iss",
        "jti",
        "nbf",
        "redirect_uri",
        "response_type",
        "scope",
        "state",
    ];
    assert_eq!(names, BTreeSet::from(expected));
    for (name, value) in [
        ("iss", "id"),
        ("client_id", "id"),
        ("aud", ISSUER),
        ("response_type", "code"),
        ("redirect_uri", REDIRECT_URI),
        ("code_challenge_method", "S256"),
        ("scope", "read"),
        ("state", login.state()),
    ] {
        assert_eq!(claims[name], value, "{name}");
    }
}

/// R2.
#[tokio::test]
async fn a_request_object_is_short_lived_and_used_once() {
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let grant = grant().request_object(claims());
    let before = now();
    let (_, one) = signed(grant.clone()).await.unwrap();
    let (_, two) = signed(grant).await.unwrap();
    let (iat, exp) = (one["iat"].as_u64().unwrap(), one["exp"].as_u64().unwrap());
    assert!((before..=now()).contains(&iat));
    assert_eq!((exp - iat, &one["nbf"]), (60, &one["iat"]));
    for name in ["jti", "state", "code_challenge"] {
        assert_eq!(one[name].as_str().unwrap().len(), 43);
        assert_ne!(one[name], two[name], "{name}");
    }

    let slow = claims().backdate(Duration::from_secs(10)).lifetime(Duration::from_secs(300));
    let (_, claims) = signed(super::grant().request_object(slow)).await.unwrap();
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["nbf"].as_u64().unwrap(), 310);
    assert_eq!(claims["nbf"], claims["iat"]);
}

/// R3.
#[tokio::test]
async fn a_signed_request_can_be_pushed() {
    for (client, names) in [
        (Client::public("id"), &["client_id", "request"][..]),
        (Client::basic("id", "secret"), &["client_id", "request"]),
        (
            Client::private_key_jwt("id", signer()).audience(ISSUER),
            &["client_assertion", "client_assertion_type", "client_id", "request"],
        ),
    ] {
        let server = ParServer::default();
        let grant = AuthorizationCode::new(AUTHORIZATION_URL, TOKEN_URL, client).unwrap().scope("read").unwrap();
        let grant = grant.param("prompt", "login").request_object(claims()).pushed(PAR_URL).unwrap();
        let login = grant.begin(&server.transport(), REDIRECT_URI).await.unwrap();
        let push = server.take_one();
        assert_eq!(push.names(), names);
        let (_, claims) = decoded(push.get("request"));
        assert_eq!((&claims["scope"], &claims["prompt"]), (&json!("read"), &json!("login")));
        let url = "https://auth.example.com/authorize?tenant=7&client_id=id&request_uri=urn%3Aexample%3A1";
        assert_eq!(login.url().as_str(), url);
    }
}

/// R4.
#[tokio::test]
async fn numbers_and_json_are_not_text() {
    let grant = grant()
        .resource("https://a.example/")
        .unwrap()
        .resource("https://b.example/")
        .unwrap()
        .authorization_details(json!([{"type": "payment", "amount": 7}]))
        .unwrap()
        .param("max_age", "3600")
        .param("claims", r#"{"id_token": {"acr": {"essential": true}}}"#)
        .param("nonce", "7")
        .request_object(claims());
    let (_, claims) = signed(grant).await.unwrap();
    assert_eq!(claims["max_age"], 3600);
    assert_eq!(claims["claims"], json!({"id_token": {"acr": {"essential": true}}}));
    assert_eq!(claims["authorization_details"], json!([{"type": "payment", "amount": 7}]));
    assert_eq!(claims["resource"], json!(["https://a.example/", "https://b.example/"]));
    assert_eq!(claims["nonce"], "7");
    let (_, claims) =
        signed(super::grant().resource("https://a.example/").unwrap().request_object(self::claims())).await.unwrap();
    assert_eq!(claims["resource"], "https://a.example/");
}

/// R1: neither a parameter nor a claim of the user replaces what the protocol prescribes.
#[tokio::test]
async fn parameters_cannot_replace_the_claims_of_the_protocol() {
    let mut grant = grant().request_object(claims().claim("state", "mine").claim("tenant", 7).claim("nbf", 1));
    for name in ["request", "request_uri", "iss", "sub", "aud", "exp", "iat", "nbf", "jti", "client_id", "state"] {
        grant = grant.param(name, "attack");
    }
    let (_, claims) = signed(grant).await.unwrap();
    assert!(!claims.to_string().contains("attack"), "{claims}");
    assert_eq!(claims.get("sub"), None);
    assert_eq!(claims["nbf"], claims["iat"]);
    assert_eq!(claims["tenant"], 7);
}

/// The issuer of the server is the audience, unless the claims have one.
#[tokio::test]
async fn the_issuer_is_the_default_audience() {
    let grant = || grant().issuer("https://issuer.example/7");
    let (_, claims) = signed(grant().request_object(signer())).await.unwrap();
    assert_eq!(claims["aud"], "https://issuer.example/7");
    let (_, claims) = signed(grant().request_object(self::claims())).await.unwrap();
    assert_eq!(claims["aud"], ISSUER);
}

#[tokio::test]
async fn the_type_can_be_changed() {
    let (header, _) = signed(grant().request_object(claims().typ(Some("JWT")))).await.unwrap();
    assert_eq!(header["typ"], "JWT");
    let (header, _) = signed(grant().request_object(claims().typ(None))).await.unwrap();
    assert_eq!(header.get("typ"), None);
}

#[tokio::test]
async fn claims_that_cannot_be_signed_are_a_configuration_error() {
    for (claims, named) in [
        (Claims::signed_by(signer()), "`Claims::audience`"),
        (claims().issuer("another"), "client id"),
        (claims().subject("id"), "no subject"),
        (claims().claim("request", "x"), "`request`"),
        (claims().claim("request_uri", "urn:x"), "`request_uri`"),
        (claims().claim("aud", "another"), "`aud`"),
        (claims().claim("jti", "always the same"), "`jti`"),
        (claims().lifetime(Duration::from_millis(999)), "lifetime"),
    ] {
        let grant = grant().request_object(claims);
        let error = grant.authorization_url(REDIRECT_URI).unwrap_err();
        assert!(error.to_string().contains("call `begin`"), "{error}");
        let error = signed(grant).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().contains(named), "{error}");
    }
    signed(grant().request_object(claims().issuer("id"))).await.unwrap();
}

/// R1: `none` is not an algorithm, and an HMAC needs the secret of the client.
#[tokio::test]
async fn only_an_asymmetric_signature_is_sent() {
    let hmac = signer_fn(async |draft: Draft| Ok(draft.header(Algorithm::Hs256, None)?.signed(b"a tag")));
    let empty =
        signer_fn(async |draft: Draft| Ok(draft.header(Algorithm::Es256, None)?.member("alg", "none").signed(b"")));
    for claims in [Claims::signed_by(hmac), Claims::signed_by(empty)] {
        let error = signed(grant().request_object(claims.audience(ISSUER))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Proof, "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_signer_that_fails_or_never_returns_sends_nothing() {
    let never = signer_fn(|_| std::future::pending::<Result<tower_oauth2::jwt::Signed, Error>>());
    let fails = signer_fn(async |_| Err(Error::caused_by(ErrorKind::Overloaded, "the KMS is overloaded")));
    for (claims, kind) in
        [(Claims::signed_by(never), ErrorKind::Proof), (Claims::signed_by(fails), ErrorKind::Overloaded)]
    {
        let server = ParServer::default();
        let grant = grant().request_object(claims.audience(ISSUER)).pushed(PAR_URL).unwrap();
        let error = grant.begin(&server.transport(), REDIRECT_URI).await.unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.is_transient(), "{error}");
        assert!(server.received().is_empty());
    }
}
