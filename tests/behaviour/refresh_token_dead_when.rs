//! `refresh_token_dead_when` decides which errors of a refresh mean that the refresh token is dead.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Response;
use serde_json::json;
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::TokenEndpoint;
use tower_oauth2::error::OAuthError;
use tower_oauth2::form::Form;
use tower_oauth2::grant::{
    AuthorizationCode, ClientCredentials, Context, DeviceCode, Grant, Password, RefreshToken, grant_fn,
};
use tower_oauth2::store::{Entry, MemoryStore, TokenStore};
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token, Tokens};

use crate::support::{Body, Forms, TOKEN_URL, answer, pass, token_endpoint};

const LATER: Duration = Duration::from_secs(150);
const LOOP: &str = "AADSTS50196: The server terminated an operation because it encountered a client request loop.";

fn says(error: &Error, text: &str) -> bool {
    error.oauth().and_then(OAuthError::description).is_some_and(|description| description.contains(text))
}

/// The rule of RFC 6749, except for a client request loop.
fn entra(error: &Error) -> bool {
    error.kind() == ErrorKind::InvalidGrant && !says(error, "AADSTS50196")
}

fn rejection(description: &str) -> Response<Body> {
    answer(400, json!({"error": "invalid_grant", "error_description": description}))
}

fn device_code() -> DeviceCode {
    let prompt = |_: &_| panic!("a login has started");
    let grant = DeviceCode::new("https://auth.example.com/device", TOKEN_URL, Client::public("id"), prompt).unwrap();
    grant.relogin(true)
}

fn expired() -> Token {
    Token::bearer("a").unwrap().with_expires_in(Duration::ZERO).with_refresh_token("r1")
}

fn with(grant: impl Grant, answers: Vec<Response<Body>>) -> (Tokens, Forms) {
    let (service, forms) = token_endpoint(answers);
    let tokens = OAuth2Layer::new(grant).token_service(service).tokens();
    tokens.set(expired());
    (tokens, forms)
}

/// The grant types that were sent since the last call.
fn sent(forms: &mut Forms) -> Vec<String> {
    std::iter::from_fn(|| forms.try_recv().ok()).map(|form| form[0].1.clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn all_grants_keep_a_refresh_token_that_is_rejected_temporarily() {
    let client = || Client::public("id");
    let authorize = "https://auth.example.com/authorize";
    let mut grants = vec![
        ClientCredentials::new(TOKEN_URL, client()).unwrap().refresh_token_dead_when(entra).boxed(),
        Password::new(TOKEN_URL, client(), "alice", "wonderland").unwrap().refresh_token_dead_when(entra).boxed(),
        RefreshToken::new(TOKEN_URL, client(), "r0").unwrap().refresh_token_dead_when(entra).boxed(),
        device_code().refresh_token_dead_when(entra).boxed(),
    ];
    #[cfg(feature = "loopback")]
    {
        let grant = AuthorizationCode::new(authorize, TOKEN_URL, client()).unwrap().relogin(true);
        grants.push(grant.browser(|_| panic!("a login has started")).refresh_token_dead_when(entra).boxed());
    }
    #[cfg(not(feature = "loopback"))]
    {
        let _ = (AuthorizationCode::new(authorize, TOKEN_URL, client()), &mut grants);
    }
    for grant in grants {
        let name = grant.name();
        let (tokens, mut forms) = with(grant, vec![rejection(LOOP), rejection(LOOP)]);
        for _ in 0..2 {
            let error = tokens.get().await.unwrap_err();
            assert_eq!((error.kind(), error.is_transient()), (ErrorKind::Overloaded, true), "{name}");
            assert!(says(&error, "AADSTS50196") && error.status().is_some(), "{name}: {error}");
            pass(LATER).await;
        }
        assert_eq!(tokens.get().await.unwrap().refresh_token(), Some("r1"), "{name}");
        assert_eq!(sent(&mut forms), ["refresh_token"; 3], "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn other_invalid_grant_errors_mean_that_it_is_dead() {
    let grant = RefreshToken::new(TOKEN_URL, Client::public("id"), "r0").unwrap().refresh_token_dead_when(entra);
    let (tokens, mut forms) = with(grant, vec![rejection(LOOP), rejection("AADSTS70008: expired")]);
    assert_eq!(tokens.get().await.unwrap_err().kind(), ErrorKind::Overloaded);
    pass(LATER).await;
    assert_eq!(tokens.get().await.unwrap_err().kind(), ErrorKind::LoginRequired);
    pass(LATER).await;
    assert_eq!(tokens.get().await.unwrap_err().kind(), ErrorKind::LoginRequired);
    assert_eq!(sent(&mut forms), ["refresh_token"; 2]);
    assert_eq!(tokens.peek().unwrap().refresh_token(), None);
}

/// By name, by status, and without an OAuth error at all.
#[tokio::test(start_paused = true)]
async fn it_adds_errors_that_a_server_uses() {
    let body = |text: &'static str| text;
    for (status, body, decide) in [
        (200, body(r#"{"error":"bad_refresh_token"}"#), by_name as fn(&Error) -> bool),
        (401, r#"{"error":"invalid_client"}"#, by_status),
        (403, "", by_status),
        (401, "", by_status),
    ] {
        let (tokens, mut forms) = with(
            RefreshToken::new(TOKEN_URL, Client::basic("id", "secret"), "r0").unwrap().refresh_token_dead_when(decide),
            vec![answer(status, body)],
        );
        for _ in 0..2 {
            assert_eq!(tokens.get().await.unwrap_err().kind(), ErrorKind::LoginRequired, "{status}");
            pass(LATER).await;
        }
        assert_eq!(sent(&mut forms), ["refresh_token"], "{status}");

        let grant = crate::support::grant().refresh_token_dead_when(decide);
        let (tokens, mut forms) = with(grant, vec![answer(status, body), answer(503, "")]);
        assert_eq!(tokens.get().await.unwrap_err().kind(), ErrorKind::Overloaded);
        assert_eq!(sent(&mut forms), ["refresh_token", "client_credentials"], "{status}");
        pass(LATER).await;
        tokens.get().await.unwrap();
        assert_eq!(sent(&mut forms), ["client_credentials"], "{status}");
    }
}

fn by_name(error: &Error) -> bool {
    error.oauth().is_some_and(|oauth| oauth.error() == "bad_refresh_token")
}

fn by_status(error: &Error) -> bool {
    matches!(error.status().map(|status| status.as_u16()), Some(401 | 403))
}

#[tokio::test(start_paused = true)]
async fn it_is_not_called_in_an_outage_or_for_another_request() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let grant = crate::support::grant().refresh_token_dead_when({
        let asked = asked.clone();
        move |error| {
            asked.lock().unwrap().push(error.kind());
            true
        }
    });
    let answers = vec![
        answer(503, json!({"error": "invalid_grant"})),
        answer(429, ""),
        answer(200, "<html>"),
        answer(302, ""),
        answer(404, ""),
        // The grant itself.
        answer(400, json!({"error": "invalid_grant"})),
    ];
    let (tokens, mut forms) = with(grant, answers);
    for kind in [ErrorKind::Overloaded, ErrorKind::Overloaded, ErrorKind::Malformed, ErrorKind::Redirected] {
        assert_eq!(tokens.get().await.unwrap_err().kind(), kind);
        pass(LATER).await;
    }
    assert_eq!(*asked.lock().unwrap(), []);
    assert_eq!(tokens.get().await.unwrap_err().kind(), ErrorKind::InvalidGrant);
    assert_eq!(*asked.lock().unwrap(), [ErrorKind::NotOAuth]);
    assert_eq!(sent(&mut forms).last().unwrap(), "client_credentials");
}

#[tokio::test(start_paused = true)]
async fn with_a_store_too() {
    for (description, is_dead) in [(LOOP, false), ("AADSTS70008: expired", true)] {
        let store = MemoryStore::new();
        let grant = RefreshToken::new(TOKEN_URL, Client::public("id"), "r0").unwrap();
        let grant = grant.refresh_token_dead_when(entra).persisted(store.clone());
        let key = grant.key().clone();
        let mut lock = store.lock(&key).await.unwrap();
        store.save(&key, &Entry::new(expired(), 5), &mut lock).await.unwrap();
        drop(lock);
        let (service, mut forms) = token_endpoint(vec![rejection(description)]);
        let tokens = OAuth2Layer::new(grant).token_service(service).tokens();
        tokens.get().await.unwrap_err();
        assert_eq!(store.load(&key).await.unwrap().is_none(), is_dead, "{description}");
        pass(LATER).await;
        assert_eq!(tokens.get().await.is_err(), is_dead, "{description}");
        assert_eq!(sent(&mut forms).len(), if is_dead { 1 } else { 2 }, "{description}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_grant_of_a_user_has_it_by_its_endpoint() {
    let endpoint = TokenEndpoint::new(TOKEN_URL, Client::public("id")).unwrap().refresh_token_dead_when(entra);
    let debug = format!("{endpoint:?}");
    assert!(debug.contains("custom"), "{debug}");
    let grant = grant_fn(move |cx: Context| {
        let endpoint = endpoint.clone();
        async move {
            let refresh_token = cx.previous().and_then(Token::refresh_token).unwrap_or("none");
            endpoint.token(cx.transport(), Form::new("refresh_token").param("refresh_token", refresh_token)).await
        }
    });
    let (tokens, mut forms) = with(grant, vec![rejection(LOOP)]);
    assert_eq!(tokens.get().await.unwrap_err().kind(), ErrorKind::Overloaded);
    pass(LATER).await;
    tokens.get().await.unwrap();
    for _ in 0..2 {
        assert_eq!(forms.try_recv().unwrap()[1].1, "r1");
    }
}

/// A panic is an error like any other, and nothing is dropped for it.
#[tokio::test(start_paused = true)]
async fn a_panic_in_it_keeps_the_refresh_token() {
    let panics = Arc::new(Mutex::new(true));
    let grant = RefreshToken::new(TOKEN_URL, Client::public("id"), "r0").unwrap().refresh_token_dead_when({
        let panics = panics.clone();
        move |_| if std::mem::take(&mut *panics.lock().unwrap()) { panic!("on purpose") } else { false }
    });
    let (tokens, mut forms) = with(grant, vec![rejection("gone"), rejection("gone")]);
    for kind in [ErrorKind::Panicked, ErrorKind::Overloaded] {
        assert_eq!(tokens.get().await.unwrap_err().kind(), kind);
        pass(LATER).await;
    }
    assert_eq!(tokens.get().await.unwrap().refresh_token(), Some("r1"));
    assert_eq!(sent(&mut forms), ["refresh_token"; 3]);
}
