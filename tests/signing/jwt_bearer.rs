//! The JWT bearer grant (RFC 7523 §2.1).

use std::time::Duration;

use http::header::AUTHORIZATION;
use serde_json::json;
use tower_oauth2::client::Client;
use tower_oauth2::grant::JwtBearer;
use tower_oauth2::jwt::{Claims, Key};
use tower_oauth2::source::source_fn;
use tower_oauth2::store::MemoryStore;
use tower_oauth2::{ErrorKind, OAuth2Layer, Token};

use crate::support::{ISSUER, Server, TOKEN_URL, decoded, pem};

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

fn claims() -> Claims {
    Claims::signed_by(Key::from_pem(pem("p256.pkcs8.pem")).unwrap()).issuer("robot@example.com").audience(TOKEN_URL)
}

fn grant() -> JwtBearer {
    JwtBearer::new(TOKEN_URL, Client::none(), claims()).unwrap()
}

/// J1, J2, J4.
#[tokio::test]
async fn the_form_has_one_assertion_and_the_scope() {
    let server = Server::default();
    let layer = OAuth2Layer::new(grant().scope("read write").unwrap()).token_service(server.service());
    layer.tokens().get().await.unwrap();
    let request = server.take_one();
    assert_eq!(request.get("grant_type"), JWT_BEARER);
    assert_eq!(request.get("scope"), "read write");
    assert_eq!(request.pairs.len(), 3);
    assert!(!request.headers.contains_key(AUTHORIZATION));
    let (header, claims) = decoded(request.get("assertion"));
    assert_eq!(header["typ"], "JWT");
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!("robot@example.com"), &json!(TOKEN_URL)));
    assert_eq!(claims.get("sub"), None, "it is sent only if it is set");
}

/// J2: every client authentication.
#[tokio::test]
async fn the_client_may_authenticate_by_any_method() {
    let key = Key::from_pem(pem("p256.pkcs8.pem")).unwrap();
    for (client, pairs) in [
        (Client::basic("id", "secret"), 2),
        (Client::post("id", "secret"), 4),
        (Client::public("id"), 3),
        (Client::private_key_jwt("id", key).audience(ISSUER), 5),
    ] {
        let server = Server::default();
        let grant = JwtBearer::new(TOKEN_URL, client, claims().subject("alice")).unwrap();
        OAuth2Layer::new(grant).token_service(server.service()).tokens().get().await.unwrap();
        let request = server.take_one();
        assert_eq!(request.pairs.len(), pairs, "{:?}", request.form.keys());
        assert_eq!(decoded(request.get("assertion")).1["sub"], "alice");
    }
}

/// J3, J4.
#[test]
fn claims_need_an_issuer_and_an_audience() {
    let signed = || Claims::signed_by(Key::from_pem(pem("p256.pkcs8.pem")).unwrap());
    for (claims, missing) in [(signed().audience(TOKEN_URL), "`Claims::issuer`"), (signed().issuer("i"), "`audience`")]
    {
        let error = JwtBearer::new(TOKEN_URL, Client::none(), claims).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().contains(missing), "{error}");
    }
}

/// J4, J5: the refresh is the grant itself, with a fresh assertion.
#[tokio::test]
async fn each_token_request_has_a_fresh_assertion() {
    let server = Server::default();
    let tokens = OAuth2Layer::new(grant()).token_service(server.service()).tokens();
    tokens.get().await.unwrap();
    tokens.refresh().await.unwrap();
    let requests = server.take();
    let ids: Vec<_> = requests.iter().map(|request| decoded(request.get("assertion")).1["jti"].clone()).collect();
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0], ids[1]);
    assert!(requests.iter().all(|request| request.get("grant_type") == JWT_BEARER));
}

/// J5: `invalid_grant` is about the assertion.
#[tokio::test(start_paused = true)]
async fn a_rejected_assertion_is_no_dead_refresh_token() {
    let token = json!({"access_token": "a", "refresh_token": "r", "token_type": "Bearer", "expires_in": 60});
    let invalid = json!({"error": "invalid_grant"});
    let server =
        Server::default().respond(200, token).respond(400, json!({"error": "invalid_scope"})).respond(400, invalid);
    let tokens = OAuth2Layer::new(grant()).token_service(server.service()).tokens();
    tokens.get().await.unwrap();
    let error = tokens.refresh().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidGrant);
    assert_eq!(server.take().len(), 3, "the refresh token, and then the grant itself");
    assert_eq!(tokens.peek().unwrap().refresh_token(), Some("r"));
}

/// J6.
#[tokio::test(start_paused = true)]
async fn without_a_lifetime_the_default_applies() {
    let token = |text| json!({"access_token": text, "token_type": "Bearer"});
    let server = Server::default().respond(200, token("a")).respond(200, token("b"));
    let layer = OAuth2Layer::new(grant()).default_lifetime(Duration::from_secs(600)).token_service(server.service());
    let tokens = layer.tokens();
    assert_eq!(tokens.get().await.unwrap().access_token(), "a");
    tokio::time::sleep(Duration::from_secs(601)).await;
    assert_eq!(tokens.get().await.unwrap().access_token(), "b");
}

/// J7.
#[tokio::test(start_paused = true)]
async fn a_rejected_assertion_is_not_sent_again_before_the_back_off() {
    let server = Server::default().respond(400, json!({"error": "invalid_grant"}));
    let assertion = source_fn(async |_| Ok("e30.e30.c2ln".to_owned()));
    let grant = JwtBearer::new(TOKEN_URL, Client::none(), assertion).unwrap();
    let tokens = OAuth2Layer::new(grant).token_service(server.service()).tokens();
    for _ in 0..10 {
        assert_eq!(tokens.get().await.unwrap_err().kind(), ErrorKind::InvalidGrant);
    }
    assert_eq!(server.take().len(), 1);
    tokio::time::sleep(Duration::from_secs(60)).await;
    tokens.get().await.unwrap();
    assert_eq!(server.take().len(), 1);
}

/// J8.
#[tokio::test]
async fn a_store_needs_a_subject_and_keeps_two_apart() {
    let server = Server::default();
    let store = MemoryStore::new();
    let unnamed = grant().persisted(store.clone());
    assert_eq!(unnamed.load().await.unwrap_err().kind(), ErrorKind::Configuration);
    assert_eq!(unnamed.clear().await.unwrap_err().kind(), ErrorKind::Configuration);
    let error = OAuth2Layer::new(unnamed).token_service(server.service()).tokens().get().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("subject"), "{error}");
    // A name that is empty is none, such as that of an environment variable that is not set.
    let empty = grant().persisted(store.clone()).subject("").refresh_without_store();
    assert_eq!(empty.load().await.unwrap_err().kind(), ErrorKind::Configuration);
    let emptied = grant().persisted(store.clone()).subject("alice").subject("");
    assert_eq!(emptied.save(Token::bearer("a").unwrap()).await.unwrap_err().kind(), ErrorKind::Configuration);
    assert!(server.take().is_empty());

    let token = async |subject: &str| {
        let grant = grant().persisted(store.clone()).subject(subject);
        OAuth2Layer::new(grant).token_service(server.service()).tokens().get().await.unwrap().access_token().to_owned()
    };
    let (alice, bob) = (token("alice").await, token("bob").await);
    assert_ne!(alice, bob);
    assert_eq!((token("alice").await, token("bob").await), (alice, bob));
    assert_eq!(server.take().len(), 2);
}
