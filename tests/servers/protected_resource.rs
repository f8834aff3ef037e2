//! A login from the address of the API alone (RFC 9728): its metadata names the server, at which the program registers.

use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::json;
use tower::Layer;
use tower_oauth2::client::Client;
use tower_oauth2::grant::{ClientCredentials, Grant, ProtectedResource};
use tower_oauth2::store::MemoryStore;
use tower_oauth2::{ErrorKind, OAuth2Layer};

use crate::authorization_code::LOGIN_TIMEOUT;
use crate::oidc_provider::{ExclusiveServer, server};
use crate::plain::{self, call, failed_call, get, send};
use crate::step_up::{Service, api, repeating};
use crate::user::User;

/// A grant for the API of the server. Alice logs in.
fn grant(server: &ExclusiveServer) -> ProtectedResource {
    with_user(ProtectedResource::new(server.get("API")).unwrap(), User::at_oidc_provider())
}

fn with_user(grant: ProtectedResource, user: User) -> ProtectedResource {
    grant.login(move |login| {
        let user = user.clone();
        login.timeout(LOGIN_TIMEOUT).browser(move |url| user.open(url))
    })
}

/// As a program that has only the address: the first request goes out without a token.
fn service(server: &ExclusiveServer, grant: impl Grant) -> Service {
    let layer = OAuth2Layer::new(grant).origin(server.get("ISSUER")).unwrap().on_challenge().step_up();
    repeating(layer.layer(plain::client()))
}

const DOCUMENT: &str = "GET /.well-known/oauth-protected-resource/api/echo";

#[tokio::test]
async fn registers_logs_in_and_steps_up() {
    let Some(server) = server().await else { return };
    let service = service(&server, grant(&server).register("A test").scope("api:read").unwrap());
    let (status, echo) = send(service.clone(), api(&server, "")).await.unwrap();
    assert_eq!(status, StatusCode::OK, "{echo}");
    assert_eq!((&echo["sub"], &echo["aud"]), (&json!("alice"), &json!(server.get("API"))), "{echo}");
    assert_eq!(echo["scope"], "api:read");
    let client = echo["client_id"].clone();

    let (status, echo) = send(service, api(&server, "need=api:write")).await.unwrap();
    assert_eq!((status, &echo["scope"]), (StatusCode::OK, &json!("api:read api:write")), "{echo}");
    assert_eq!(echo["client_id"], client, "the registration is used again");
    server.expect_stats(json!({"authorization_code": 2}), json!({"401": 1, "403": 1, "200": 2})).await;
    let counts = server.counts().await;
    assert_eq!((&counts["other"]["POST /reg"], &counts["other"][DOCUMENT]), (&json!(1), &json!(2)), "{counts}");
}

/// Without a scope of the program and of the challenge, all scopes of the API are requested. The refresh is for the API too.
#[tokio::test]
async fn requests_all_scopes_and_refreshes_with_the_registration() {
    let Some(server) = server().await else { return };
    let layer = OAuth2Layer::new(grant(&server).register("A test")).token_service(plain::client());
    let first = layer.tokens().get().await.unwrap();
    assert!(first.refresh_token().is_some());
    layer.tokens().refresh().await.unwrap();
    let (status, echo) = send(layer.layer(plain::client()), get(server.get("API"))).await.unwrap();
    assert_eq!(status, StatusCode::OK, "{echo}");
    assert_eq!((&echo["scope"], &echo["aud"]), (&json!("api:read api:write"), &json!(server.get("API"))), "{echo}");
    let counts = server.counts().await;
    assert_eq!(counts["token"], json!({"authorization_code": 1, "refresh_token": 1}), "{counts}");
    assert_eq!(counts["other"]["POST /reg"], 1, "{counts}");
}

/// The server supports documents and registration. A document needs no registration.
#[tokio::test]
async fn a_client_id_metadata_document_is_used_before_a_registration() {
    let Some(server) = server().await else { return };
    let id = server.get("CLIENT_METADATA");
    let grant = grant(&server).client_metadata(Client::public(id)).unwrap().register("A test");
    let (status, echo) = send(service(&server, grant), api(&server, "")).await.unwrap();
    assert_eq!((status, &echo["client_id"]), (StatusCode::OK, &json!(id)), "{echo}");
    let counts = server.counts().await;
    assert_eq!(counts["other"]["POST /reg"], json!(null), "{counts}");
}

#[tokio::test]
async fn a_client_of_this_issuer_is_used_before_both() {
    let Some(server) = server().await else { return };
    let grant = grant(&server)
        .client("https://other.example.test", Client::public("other"))
        .client(server.get("ISSUER"), Client::public("native"))
        .client_metadata(Client::public(server.get("CLIENT_METADATA")))
        .unwrap()
        .register("A test");
    let (status, echo) = send(service(&server, grant), api(&server, "")).await.unwrap();
    assert_eq!((status, &echo["client_id"]), (StatusCode::OK, &json!("native")), "{echo}");
}

#[tokio::test]
async fn a_client_of_another_issuer_is_not_used() {
    let Some(server) = server().await else { return };
    let other = || grant(&server).client("https://other.example.test", Client::public("native"));
    let error = failed_call(other(), server.get("API")).await;
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    assert!(error.to_string().contains(server.get("ISSUER")), "{error}");
    let error = failed_call(other().register("A test").accept_issuer(|_| false), server.get("API")).await;
    assert!(!error.is_transient(), "{error}");
    let counts = server.counts().await;
    assert_eq!((&counts["token_total"], &counts["other"]["POST /reg"]), (&json!(0), &json!(null)), "{counts}");
}

/// The next login registers again. The refresh token is not sent for the other client.
#[tokio::test]
async fn a_client_that_the_server_has_forgotten_is_registered_again() {
    let Some(server) = server().await else { return };
    let layer = OAuth2Layer::new(grant(&server).register("A test")).token_service(plain::client());
    let (service, tokens) = (layer.layer(plain::client()), layer.tokens());
    let (_, first) = send(service.clone(), get(server.get("API"))).await.unwrap();
    let client = first["client_id"].as_str().unwrap();
    let forget = format!("{}?client={client}", server.get("FORGET"));
    send(plain::client(), Request::post(forget).body(Full::default()).unwrap()).await.unwrap();

    tokens.refresh().await.unwrap();
    let (status, second) = send(service, get(server.get("API"))).await.unwrap();
    assert_eq!(status, StatusCode::OK, "{second}");
    assert_ne!(second["client_id"], client);
    let counts = server.counts().await;
    assert_eq!(counts["token"], json!({"authorization_code": 2}), "{counts}");
    assert_eq!(counts["token_errors"], json!({"invalid_client": 1}), "{counts}");
    assert_eq!(counts["other"]["POST /reg"], 2, "{counts}");
}

/// Two processes start at once, with one store: one registers and logs in, and the other one takes the token.
#[tokio::test]
async fn two_processes_share_the_registration_and_the_login() {
    let Some(server) = server().await else { return };
    let store = MemoryStore::new();
    let process = || service(&server, grant(&server).register("A test").persisted(store.clone()).subject("alice"));
    let (first, second) = tokio::join!(send(process(), api(&server, "")), send(process(), api(&server, "")));
    for response in [first, second] {
        let (status, echo) = response.unwrap();
        assert_eq!(status, StatusCode::OK, "{echo}");
    }
    // A third one starts later, and refreshes with the stored registration.
    let layer = OAuth2Layer::new(grant(&server).register("A test").persisted(store).subject("alice"));
    layer.token_service(plain::client()).tokens().refresh().await.unwrap();
    let counts = server.counts().await;
    assert_eq!(counts["token"], json!({"authorization_code": 1, "refresh_token": 1}), "{counts}");
    assert_eq!(counts["other"]["POST /reg"], 1, "{counts}");
}

#[tokio::test]
async fn a_program_uses_a_grant_of_its_own() {
    let Some(server) = server().await else { return };
    let issuer = server.get("ISSUER").to_owned();
    let grant = ProtectedResource::new(server.get("API")).unwrap().with_grant(move |found| {
        assert_eq!(found.issuer().as_str(), issuer);
        ClientCredentials::from_issuer(found.issuer(), Client::basic("cc-basic", "cc-basic-secret"))
    });
    let (status, echo) = call(grant, server.get("API")).await;
    assert_eq!((status, &echo["client_id"]), (StatusCode::OK, &json!("cc-basic")), "{echo}");
    assert_eq!((&echo["scope"], &echo["aud"]), (&json!("api:read api:write"), &json!(server.get("API"))), "{echo}");
}

/// The server rejects tokens of this client that are not bound, because the registration says so.
#[cfg(feature = "jwt")]
#[tokio::test]
async fn a_registration_with_a_key_is_for_bound_tokens() {
    let Some(server) = server().await else { return };
    let key = crate::dpop_service::new_key();
    let grant = grant(&server).register("A test").dpop(key);
    let (status, echo) = send(service(&server, grant), api(&server, "")).await.unwrap();
    assert_eq!((status, &echo["scheme"]), (StatusCode::OK, &json!("DPoP")), "{echo}");
    assert!(echo["jkt"].is_string(), "{echo}");
}

/// Over https, the server registers only clients that have a key for it.
#[cfg(feature = "https")]
#[tokio::test]
async fn an_initial_access_token_allows_the_registration() {
    use std::future::ready;

    use bytes::Bytes;
    use tower_oauth2::{endpoint::Registration, https, source::source_fn};

    use crate::https::{ISSUER, run_in_subprocess};

    if let Ok(issuer) = std::env::var(ISSUER) {
        let url = format!("{issuer}/api/echo");
        let ca = std::env::var("SSL_CERT_FILE").unwrap();
        let grant = |registration: Registration| {
            let grant = ProtectedResource::new(&url).unwrap().register(registration);
            let layer = OAuth2Layer::new(with_user(grant, User::at_oidc_provider().trusting(&ca)));
            layer.layer(https::client::<Full<Bytes>>().unwrap())
        };
        let key = source_fn(|_| ready(Ok("initial-access-token".to_owned())));
        let allowed = Registration::new("A test").initial_access_token(key);
        let (status, echo) = send(grant(allowed), get(&url)).await.unwrap();
        assert_eq!((status, &echo["sub"]), (StatusCode::OK, &json!("alice")), "{echo}");

        let error = send(grant(Registration::new("A test")), get(&url)).await.unwrap_err();
        let error = error.downcast::<tower_oauth2::Error>().unwrap();
        assert_eq!(error.status(), Some(StatusCode::UNAUTHORIZED), "{error}");
        assert!(!error.is_transient(), "{error}");
        return;
    }
    let Some(server) = server().await else { return };
    let test = "protected_resource::an_initial_access_token_allows_the_registration";
    run_in_subprocess(test, server.get("HTTPS_CA"), server.get("HTTPS_ISSUER"));
}
