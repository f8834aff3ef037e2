//! Client assertions (RFC 7521 §4.2, RFC 7523 §2.2 and §3, and the draft that updates them).

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use http::header::AUTHORIZATION;
use serde_json::json;
use tower_oauth2::ErrorKind;
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::{RevocationEndpoint, TokenEndpoint};
use tower_oauth2::form::Form;
use tower_oauth2::jwt::{Algorithm, Claims, Draft, Key, signer_fn};
use tower_oauth2::source::source_fn;
use tower_oauth2::{Error, Token};

use crate::support::{ISSUER, Received, Server, TOKEN_URL, decoded, pem, printed};

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn key() -> Key {
    Key::from_pem(pem("p256.pkcs8.pem")).unwrap().id("k1")
}

async fn sent(client: Client) -> Received {
    let server = Server::default();
    let endpoint = TokenEndpoint::new(TOKEN_URL, client).unwrap();
    endpoint.token(&server.transport(), Form::new("client_credentials")).await.unwrap();
    server.take_one()
}

fn unix_now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

/// A1, A11.
#[tokio::test]
async fn the_form_has_the_assertion_and_no_other_authentication() {
    let form = Form::new("client_credentials").param("client_secret", "another").param("client_assertion", "another");
    for client in [
        Client::private_key_jwt("id", key()).audience(ISSUER),
        Client::secret_jwt("id", SECRET).audience(ISSUER),
        Client::assertion("id", source_fn(async |_| Ok("e30.e30.c2ln".to_owned()))),
    ] {
        let server = Server::default();
        let endpoint = TokenEndpoint::new(TOKEN_URL, client).unwrap();
        endpoint.token(&server.transport(), form.clone()).await.unwrap();
        let request = server.take_one();
        assert_eq!(request.get("client_assertion_type"), JWT_BEARER);
        assert_eq!(request.get("client_assertion").split('.').count(), 3);
        assert_eq!(request.get("client_id"), "id");
        assert!(!request.form.contains_key("client_secret"));
        assert!(!request.headers.contains_key(AUTHORIZATION));
        assert_eq!(request.pairs.len(), 4, "{:?}", request.form.keys());
    }
}

/// A2, A4, A6, A9, A10.
#[tokio::test]
async fn the_claims_name_the_client_and_the_audience() {
    let before = unix_now();
    let request = sent(Client::private_key_jwt("s6BhdRkqt3", key()).audience(ISSUER)).await;
    let (header, claims) = decoded(request.get("client_assertion"));
    assert_eq!(header, json!({"typ": "client-authentication+jwt", "alg": "ES256", "kid": "k1"}));
    assert_eq!((&claims["iss"], &claims["sub"]), (&json!("s6BhdRkqt3"), &json!("s6BhdRkqt3")));
    assert_eq!(claims["aud"], ISSUER, "text, not a list");
    let (iat, exp) = (claims["iat"].as_u64().unwrap(), claims["exp"].as_u64().unwrap());
    assert!((before..=unix_now()).contains(&iat));
    assert_eq!(exp - iat, 60);
    assert_eq!(claims.get("nbf"), None);
    assert_eq!(claims["jti"].as_str().unwrap().len(), 43);
}

/// A2: a client's assertion speaks for the client.
#[test]
fn claims_of_another_client_are_an_error_of_the_builder() {
    for claims in [
        Claims::signed_by(key()).issuer("another"),
        Claims::signed_by(key()).subject("another"),
        Claims::signed_by(key()).claim("iss", "another"),
        Claims::signed_by(key()).claim("jti", "always the same"),
        Claims::signed_by(key()).lifetime(Duration::from_millis(999)),
    ] {
        let client = Client::private_key_jwt("id", claims).audience(ISSUER);
        assert_eq!(TokenEndpoint::new(TOKEN_URL, client).unwrap_err().kind(), ErrorKind::Configuration);
    }
    let claims = Claims::signed_by(key()).issuer("id").subject("id");
    TokenEndpoint::new(TOKEN_URL, Client::private_key_jwt("id", claims).audience(ISSUER)).unwrap();
}

/// A3.
#[tokio::test]
async fn each_request_has_a_fresh_assertion() {
    let server = Server::default();
    let endpoint = TokenEndpoint::new(TOKEN_URL, Client::private_key_jwt("id", key()).audience(ISSUER)).unwrap();
    for _ in 0..20 {
        endpoint.token(&server.transport(), Form::new("client_credentials")).await.unwrap();
    }
    let ids: BTreeSet<String> =
        server.take().iter().map(|request| decoded(request.get("client_assertion")).1["jti"].to_string()).collect();
    assert_eq!(ids.len(), 20);
}

/// A5: the revocation endpoint is no audience of its own.
#[tokio::test]
async fn every_endpoint_of_the_server_gets_the_same_audience() {
    let server = Server::default();
    let client = Client::private_key_jwt("id", key()).audience(ISSUER);
    let endpoint = RevocationEndpoint::new("https://auth.example.com/revoke", client).unwrap();
    endpoint.revoke(&server.transport(), &Token::bearer("a").unwrap()).await.unwrap();
    let (_, claims) = decoded(server.take_one().get("client_assertion"));
    assert_eq!(claims["aud"], ISSUER);
}

/// A6.
#[tokio::test]
async fn the_type_of_the_token_can_be_changed_or_left_out() {
    for (typ, expected) in [(Some("JWT"), json!("JWT")), (None, json!(null))] {
        let claims = Claims::signed_by(key()).typ(typ);
        let request = sent(Client::private_key_jwt("id", claims).audience(ISSUER)).await;
        assert_eq!(decoded(request.get("client_assertion")).0["typ"], expected);
    }
}

/// A7.
#[test]
fn without_an_audience_the_builder_returns_an_error() {
    for client in [Client::private_key_jwt("id", key()), Client::secret_jwt("id", SECRET)] {
        let error = TokenEndpoint::new(TOKEN_URL, client).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().contains("`audience`"), "{error}");
    }
}

/// A8.
#[tokio::test]
async fn a_signer_with_the_wrong_family_of_algorithms_is_an_error() {
    let hmac = signer_fn(async |draft: Draft| Ok(draft.header(Algorithm::Hs256, None)?.signed(b"a tag")));
    let server = Server::default();
    let endpoint = TokenEndpoint::new(TOKEN_URL, Client::private_key_jwt("id", hmac).audience(ISSUER)).unwrap();
    let error = endpoint.token(&server.transport(), Form::new("client_credentials")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Proof);
    assert!(error.to_string().contains("HS256"), "{error}");
    assert!(server.take().is_empty(), "nothing is sent");
}

#[tokio::test]
async fn a_secret_signs_by_hmac_and_has_the_length_of_the_hash() {
    for (algorithm, length) in [(Algorithm::Hs256, 32), (Algorithm::Hs384, 48), (Algorithm::Hs512, 64)] {
        let client = |length| Client::secret_jwt_with("id", "s".repeat(length), algorithm).audience(ISSUER);
        let request = sent(client(length)).await;
        assert_eq!(decoded(request.get("client_assertion")).0["alg"], algorithm.to_string());
        let error = TokenEndpoint::new(TOKEN_URL, client(length - 1)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().contains(&format!("at least {length} bytes")), "{error}");
    }
    // With the line break of a file, it would sign, and the server would reject each signature.
    for secret in [format!("{SECRET}\n"), format!("{SECRET}é")] {
        let error = TokenEndpoint::new(TOKEN_URL, Client::secret_jwt("id", &secret).audience(ISSUER)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(!printed(&error).contains(SECRET), "{error}");
    }
    let error = TokenEndpoint::new(TOKEN_URL, Client::secret_jwt_with("id", SECRET, Algorithm::Es256).audience(ISSUER));
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Configuration);
}

/// A9.
#[tokio::test]
async fn claims_can_be_backdated_and_live_longer() {
    let claims = Claims::signed_by(key()).backdate(Duration::from_secs(10)).lifetime(Duration::from_secs(300));
    let request = sent(Client::private_key_jwt("id", claims).audience(ISSUER)).await;
    let (_, claims) = decoded(request.get("client_assertion"));
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 310);
    // At their ends: numbers do not overflow.
    let claims = Claims::signed_by(key()).backdate(Duration::MAX).lifetime(Duration::MAX);
    let request = sent(Client::private_key_jwt("id", claims).audience(ISSUER)).await;
    let (_, claims) = decoded(request.get("client_assertion"));
    assert_eq!((claims["iat"].as_u64(), claims["exp"].as_u64()), (Some(0), Some(u64::MAX)));
}

#[tokio::test]
async fn further_claims_are_signed() {
    let claims = Claims::signed_by(key()).claim("roles", json!(["a", "b"])).claim("roles", "c");
    let request = sent(Client::private_key_jwt("id", claims).audience(ISSUER)).await;
    assert_eq!(decoded(request.get("client_assertion")).1["roles"], "c");
}

/// A key in a KMS that changes while the program runs.
#[tokio::test]
async fn a_signer_names_the_key_of_each_signature() {
    let keys = ["first", "second"].map(|id| key().id(id));
    let number = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let signer = signer_fn(move |draft| {
        let key = keys[number.fetch_add(1, std::sync::atomic::Ordering::SeqCst)].clone();
        async move { tower_oauth2::jwt::Signer::sign(&key, draft).await }
    });
    let server = Server::default();
    let endpoint = TokenEndpoint::new(TOKEN_URL, Client::private_key_jwt("id", signer).audience(ISSUER)).unwrap();
    for id in ["first", "second"] {
        endpoint.token(&server.transport(), Form::new("client_credentials")).await.unwrap();
        assert_eq!(decoded(server.take_one().get("client_assertion")).0["kid"], id);
    }
}

/// A KMS returns DER, and the signer passes it on. The server would say no more than `invalid_client`.
#[tokio::test]
async fn a_signature_of_the_wrong_length_is_not_sent() {
    let server = Server::default();
    for (algorithm, length, is_sent) in [
        (Algorithm::Es256, 64, true),
        (Algorithm::Es256, 71, false),
        (Algorithm::Es256, 0, false),
        (Algorithm::Es384, 96, true),
        (Algorithm::Es384, 64, false),
        (Algorithm::Es512, 132, true),
        (Algorithm::Es256k, 64, true),
        (Algorithm::EdDsa, 114, true),
        (Algorithm::Ps256, 0, false),
    ] {
        let signer =
            signer_fn(move |draft: Draft| async move { Ok(draft.header(algorithm, None)?.signed(&vec![1; length])) });
        let endpoint = TokenEndpoint::new(TOKEN_URL, Client::private_key_jwt("id", signer).audience(ISSUER)).unwrap();
        match endpoint.token(&server.transport(), Form::new("client_credentials")).await {
            Ok(_) => assert!(is_sent, "{algorithm} {length}"),
            Err(error) => {
                assert!(!is_sent, "{error}");
                assert_eq!(error.kind(), ErrorKind::Proof);
                assert!(length == 0 || error.to_string().contains("raw_from_der"), "{error}");
            }
        }
        assert_eq!(server.take().len(), usize::from(is_sent));
    }
}

/// Entra ID finds the key by its certificate.
#[tokio::test]
async fn the_digest_of_the_certificate_is_in_the_header() {
    let key = Key::from_pem(pem("rsa2048.pkcs8.pem")).unwrap().certificate(pem("rsa2048.certificate.pem")).unwrap();
    let key = key.algorithm(Algorithm::Ps256).unwrap();
    let request = sent(Client::private_key_jwt("id", key).audience(ISSUER)).await;
    let (header, _) = decoded(request.get("client_assertion"));
    assert_eq!(header["alg"], "PS256");
    assert_eq!(header["x5t#S256"].as_str().unwrap().len(), 43);
}

#[tokio::test]
async fn another_assertion_type_is_sent() {
    let saml = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer";
    let client = Client::assertion("id", source_fn(async |_| Ok("PHNhbWw+".to_owned()))).assertion_type(saml);
    assert_eq!(sent(client).await.get("client_assertion_type"), saml);
    let client = Client::assertion("id", source_fn(async |_| Ok("a".to_owned()))).assertion_type("");
    assert_eq!(TokenEndpoint::new(TOKEN_URL, client).unwrap_err().kind(), ErrorKind::Configuration);
}

/// A15.
#[tokio::test(start_paused = true)]
async fn a_signer_that_never_returns_ends_with_the_token_timeout() {
    let server = Server::default();
    let never = signer_fn(|_| std::future::pending::<Result<tower_oauth2::jwt::Signed, Error>>());
    let endpoint = TokenEndpoint::new(TOKEN_URL, Client::private_key_jwt("id", never).audience(ISSUER)).unwrap();
    let began = tokio::time::Instant::now();
    let error = endpoint.token(&server.transport(), Form::new("client_credentials")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Proof);
    assert!(error.is_transient());
    assert_eq!(began.elapsed(), Duration::from_secs(30));
    assert!(server.take().is_empty());
}

#[tokio::test]
async fn an_error_of_the_signer_passes_unchanged() {
    let fails = signer_fn(async |_| Err(Error::caused_by(ErrorKind::Overloaded, "the KMS is overloaded")));
    let endpoint = TokenEndpoint::new(TOKEN_URL, Client::private_key_jwt("id", fails).audience(ISSUER)).unwrap();
    let error = endpoint.token(&Server::default().transport(), Form::new("client_credentials")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Overloaded);
    assert!(printed(&error).contains("the KMS is overloaded"));
}

/// A13: the server has the secret that signs, and repeats it or the assertion.
#[tokio::test]
async fn an_error_that_repeats_the_secret_or_the_assertion_loses_its_description() {
    for client in
        [Client::secret_jwt("id", SECRET), Client::private_key_jwt("id", key())].map(|client| client.audience(ISSUER))
    {
        let server = Server::default();
        let endpoint = TokenEndpoint::new(TOKEN_URL, client).unwrap().map_response({
            let server = server.clone();
            move |response| {
                let assertion = server.take_one().get("client_assertion").to_owned();
                let text = format!("no such client: {SECRET} {assertion}");
                let body = json!({"error": "invalid_client", "error_description": text, "error_uri": text});
                response.map(|_| body.to_string().into())
            }
        });
        let error = endpoint.token(&server.transport(), Form::new("client_credentials")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ClientRejected);
        let oauth = error.oauth().unwrap();
        assert_eq!((oauth.error(), oauth.description(), oauth.uri()), ("invalid_client", None, None));
        assert!(!printed(&error).contains(SECRET) && !printed(&error).contains("eyJ"));
    }
    let echo = Server::default()
        .respond(401, json!({"error": "invalid_client", "error_description": format!("the secret {SECRET} is old")}));
    let endpoint = TokenEndpoint::new(TOKEN_URL, Client::secret_jwt("id", SECRET).audience(ISSUER)).unwrap();
    let error = endpoint.token(&echo.transport(), Form::new("client_credentials")).await.unwrap_err();
    assert!(!printed(&error).contains(SECRET), "{error}");
}

/// A server that expects another audience: the error says which option to set.
#[tokio::test]
async fn a_rejected_client_leads_to_the_audience() {
    let server = Server::default().respond(401, json!({"error": "invalid_client"}));
    let endpoint = TokenEndpoint::new(TOKEN_URL, Client::private_key_jwt("id", key()).audience(ISSUER)).unwrap();
    let error = endpoint.token(&server.transport(), Form::new("client_credentials")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ClientRejected);
    assert!(error.hint().contains("`Client::audience`"), "{}", error.hint());
}

/// T1: a client that its certificate authenticates sends its id, and no secret.
#[tokio::test]
async fn a_client_with_a_certificate_sends_its_id_alone() {
    let request = sent(Client::tls("id")).await;
    assert!(!request.headers.contains_key(AUTHORIZATION));
    assert_eq!(request.pairs.len(), 2);
    assert_eq!(request.get("client_id"), "id");
    assert_eq!(TokenEndpoint::new(TOKEN_URL, Client::tls("")).unwrap_err().kind(), ErrorKind::Configuration);
}
