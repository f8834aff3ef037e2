//! An error of a source concerns the proof only: never the refresh token, the login or the revocation that the request is for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::RevocationEndpoint;
use tower_oauth2::error::OAuthError;
use tower_oauth2::grant::{DeviceCode, DevicePrompt, JwtBearer, RefreshToken};
use tower_oauth2::source::{Source, source_fn};
use tower_oauth2::store::MemoryStore;
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token};

use crate::support::{Server, TOKEN_URL};

/// A secret that cannot be obtained while `fails` is set. The error is that of another server.
fn secret(fails: &Arc<AtomicBool>, error: impl Fn() -> Error + Send + Sync + 'static) -> impl Source {
    let fails = fails.clone();
    source_fn(move |_| {
        let outcome = if fails.load(Ordering::SeqCst) { Err(error()) } else { Ok("secret".to_owned()) };
        async move { outcome }
    })
}

fn errors() -> [fn() -> Error; 5] {
    [
        || Error::caused_by(ErrorKind::InvalidGrant, "of another login").with_oauth(OAuthError::new("invalid_grant")),
        || Error::caused_by(ErrorKind::RequestRejected, "").with_oauth(OAuthError::new("invalid_target")),
        || Error::caused_by(ErrorKind::LoginRequired, "at another server"),
        || Error::caused_by(ErrorKind::Denied, "").with_oauth(OAuthError::new("access_denied")),
        || Error::caused_by(ErrorKind::NotOAuth, "a page"),
    ]
}

#[tokio::test(start_paused = true)]
async fn the_error_of_a_source_costs_no_refresh_token() {
    for error in errors() {
        for is_persisted in [false, true] {
            let (server, fails) = (Server::default(), Arc::new(AtomicBool::new(true)));
            let grant =
                RefreshToken::new(TOKEN_URL, Client::basic_from("id", secret(&fails, error)), "the-refresh-token")
                    .unwrap();
            let tokens = if is_persisted {
                OAuth2Layer::new(grant.persisted(MemoryStore::new())).token_service(server.service()).tokens()
            } else {
                OAuth2Layer::new(grant).token_service(server.service()).tokens()
            };
            let expired = Token::bearer("old").unwrap().with_refresh_token("another-refresh-token");
            for sent in ["the-refresh-token", "another-refresh-token"] {
                assert_eq!(tokens.refresh().await.unwrap_err().kind(), error().kind());
                assert!(server.take().is_empty());
                fails.store(false, Ordering::SeqCst);
                tokens.refresh().await.unwrap();
                assert_eq!(server.take_one().get("refresh_token"), sent, "{:?}", error());
                fails.store(true, Ordering::SeqCst);
                tokens.set(expired.clone());
            }
        }
    }
}

/// After a login at the inner layer, no call of `Tokens::refresh` on the outer layer is needed.
#[tokio::test(start_paused = true)]
async fn a_login_that_the_inner_layer_requires_does_not_block_the_outer_one() {
    let server = Server::default();
    let inner = OAuth2Layer::new(RefreshToken::stored(TOKEN_URL, Client::public("inner")).unwrap());
    let inner = inner.token_service(server.service()).tokens();
    let grant = JwtBearer::new(TOKEN_URL, Client::none(), inner.clone()).unwrap();
    let outer = OAuth2Layer::new(grant).token_service(server.service()).tokens();
    let error = outer.get().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LoginRequired);
    assert!(error.retry_at().is_some());
    inner.set(Token::bearer("e30.e30.c2ln").unwrap());
    tokio::time::sleep(Duration::from_secs(60)).await;
    outer.get().await.unwrap();
    assert_eq!(server.take_one().get("assertion"), "e30.e30.c2ln");
}

/// The secret is missing while the user logs in at the other device, and is there again before the code expires.
#[tokio::test(start_paused = true)]
async fn a_proof_that_is_missing_for_a_while_does_not_end_a_device_login() {
    let all = errors().into_iter().chain([(|| Error::caused_by(ErrorKind::Proof, "half written")) as fn() -> Error]);
    for error in all {
        let server = Server::default().respond(
            200,
            json!({"device_code": "d", "user_code": "u", "verification_uri": "https://auth.example.com/device", "expires_in": 600}),
        );
        let fails = Arc::new(AtomicBool::new(false));
        let client = Client::post_from("id", secret(&fails, error));
        let prompted = fails.clone();
        let prompt = move |_: &DevicePrompt| prompted.store(true, Ordering::SeqCst);
        let grant =
            DeviceCode::new("https://auth.example.com/device_authorization", TOKEN_URL, client, prompt).unwrap();
        let tokens = OAuth2Layer::new(grant).token_service(server.service()).tokens();
        let login = tokio::spawn(async move { tokens.get().await });
        tokio::time::sleep(Duration::from_secs(60)).await;
        fails.store(false, Ordering::SeqCst);
        login.await.unwrap().unwrap();
        let requests = server.take();
        assert_eq!(requests.len(), 2);
        // A5, A11: the device authorization request has the client's authentication too.
        assert!(requests.iter().all(|request| request.get("client_secret") == "secret"));
    }
}

/// A device login that ends has to be started by the user again.
#[tokio::test(start_paused = true)]
async fn a_login_that_a_proof_has_ended_does_not_start_again_by_itself() {
    let server = Server::default().respond(
        200,
        json!({"device_code": "d", "user_code": "u", "verification_uri": "https://auth.example.com/device", "expires_in": 600}),
    );
    let fails = Arc::new(AtomicBool::new(false));
    let client = Client::post_from("id", secret(&fails, || Error::caused_by(ErrorKind::Configuration, "a bad path")));
    let prompt = move |_: &DevicePrompt| fails.store(true, Ordering::SeqCst);
    let grant = DeviceCode::new("https://auth.example.com/device_authorization", TOKEN_URL, client, prompt).unwrap();
    let tokens = OAuth2Layer::new(grant).token_service(server.service()).tokens();
    for _ in 0..3 {
        assert_eq!(tokens.get().await.unwrap_err().kind(), ErrorKind::Configuration);
        tokio::time::sleep(Duration::from_secs(3600)).await;
    }
    assert_eq!(server.take().len(), 1);
}

/// The inner response was a success without a token. Nothing was revoked.
#[tokio::test]
async fn an_error_of_a_source_does_not_count_as_revoked() {
    let server = Server::default();
    let malformed = source_fn(async |_| {
        let error = Error::caused_by(ErrorKind::Malformed, "no token in the response of another server");
        Err(error.with_status(http::StatusCode::OK).with_oauth(OAuthError::new("unsupported_token_type")))
    });
    let endpoint =
        RevocationEndpoint::new("https://auth.example.com/revoke", Client::assertion("id", malformed)).unwrap();
    let token = Token::bearer("a").unwrap();
    let error = endpoint.revoke(&server.transport(), &token).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert!(server.take().is_empty());
}
