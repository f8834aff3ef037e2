//! Some servers respond to a refresh with a new refresh token and no usable access token. The new refresh token is kept.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::Response;
use serde_json::json;
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::TokenEndpoint;
use tower_oauth2::form::Form;
use tower_oauth2::grant::{ClientCredentials, Context, DeviceCode, Grant, RefreshToken, grant_fn};
use tower_oauth2::store::{Entry, Key, MemoryStore, TokenStore};
use tower_oauth2::{ErrorKind, OAuth2Layer, Token, Tokens};

use crate::support::{Body, Forms, TOKEN_URL, answer, pass, token_endpoint};

const LATER: Duration = Duration::from_secs(150);
const HOUR: Duration = Duration::from_secs(3600);

fn token(refresh_token: &str, lifetime: Duration) -> Token {
    Token::bearer("a").unwrap().with_expires_in(lifetime).with_refresh_token(refresh_token)
}

/// A response without an access token.
fn only(refresh_token: &str) -> Response<Body> {
    answer(200, json!({"refresh_token": refresh_token, "scope": "read"}))
}

fn with(grant: impl Grant, answers: Vec<Response<Body>>) -> (Tokens, Forms) {
    let (service, forms) = token_endpoint(answers);
    (OAuth2Layer::new(grant).token_service(service).tokens(), forms)
}

/// The refresh tokens that were sent since the last call.
fn sent(forms: &mut Forms) -> Vec<String> {
    let mut sent = Vec::new();
    while let Ok(form) = forms.try_recv() {
        sent.extend(form.into_iter().find(|(name, _)| name == "refresh_token").map(|(_, value)| value));
    }
    sent
}

fn device_code() -> DeviceCode {
    let prompt = |_: &_| panic!("a login has started");
    DeviceCode::new("https://auth.example.com/device", TOKEN_URL, Client::public("id"), prompt).unwrap()
}

fn refresh_token() -> RefreshToken {
    RefreshToken::new(TOKEN_URL, Client::public("id"), "r0").unwrap()
}

async fn put(store: &MemoryStore, key: &Key, token: Token, generation: u64) {
    let mut lock = store.lock(key).await.unwrap();
    store.save(key, &Entry::new(token, generation), &mut lock).await.unwrap();
}

async fn stored(store: &MemoryStore, key: &Key) -> Option<(String, Option<String>)> {
    let token = store.load(key).await.unwrap()?.token;
    Some((token.access_token().to_owned(), token.refresh_token().map(ToOwned::to_owned)))
}

#[tokio::test(start_paused = true)]
async fn the_new_refresh_token_is_sent_next() {
    for unusable in [
        only("r2"),
        answer(200, json!({"refresh_token": "r2", "access_token": null})),
        answer(200, json!({"refresh_token": "r2", "access_token": "a b"})),
        answer(200, json!({"refresh_token": "r2", "access_token": "x", "token_type": "mac"})),
        answer(200, json!({"refresh_token": "r2", "access_token": "x", "expires_in": "soon"})),
        answer(200, "refresh_token=r2&access_token="),
    ] {
        for grant in [device_code().boxed(), refresh_token().boxed(), crate::support::grant().boxed()] {
            let body = unusable.body().clone();
            let (tokens, mut forms) = with(grant, vec![Response::new(body), only("r3"), answer(503, "")]);
            tokens.set(token("r1", Duration::ZERO));
            for (expected, kind) in
                [("r1", ErrorKind::Malformed), ("r2", ErrorKind::Malformed), ("r3", ErrorKind::Overloaded)]
            {
                assert_eq!(tokens.get().await.unwrap_err().kind(), kind);
                assert_eq!(sent(&mut forms), [expected]);
                pass(LATER).await;
            }
            assert_eq!(tokens.get().await.unwrap().refresh_token(), Some("r3"));
            assert_eq!(sent(&mut forms), ["r3"]);
        }
    }
}

/// A form needs a field of a token response, and an error response does not replace the refresh token.
#[tokio::test(start_paused = true)]
async fn an_error_does_not_replace_the_refresh_token() {
    for answered in [
        answer(200, json!({"refresh_token": "r2", "error": "invalid_scope"})),
        answer(400, json!({"refresh_token": "r2"})),
        answer(503, json!({"refresh_token": "r2"})),
        answer(302, json!({"refresh_token": "r2"})),
        answer(200, json!({"refresh_token": ""})),
        answer(200, json!({"refresh_token": ["r2"]})),
        // It could not be sent.
        answer(200, json!({"refresh_token": "r2\n"})),
        answer(200, json!({"refresh_token": "r\u{1}2", "access_token": "b"})),
    ] {
        let (tokens, mut forms) = with(refresh_token(), vec![answered]);
        tokens.set(token("r1", Duration::ZERO));
        tokens.get().await.unwrap_err();
        pass(LATER).await;
        tokens.get().await.unwrap();
        assert_eq!(sent(&mut forms), ["r1", "r1"]);
    }
}

#[tokio::test(start_paused = true)]
async fn watchers_receive_the_new_refresh_token() {
    let (tokens, _forms) = with(refresh_token(), vec![only("r2")]);
    tokens.set(token("r1", HOUR));
    let mut changes = tokens.changes();
    changes.borrow_and_update();
    assert_eq!(tokens.refresh().await.unwrap_err().kind(), ErrorKind::Malformed);
    assert!(changes.has_changed().unwrap());
    let newest = changes.borrow_and_update().clone().unwrap();
    assert_eq!((newest.access_token(), newest.refresh_token()), ("a", Some("r2")));
    assert_eq!(tokens.get().await.unwrap().access_token(), "a", "it stays in use");
}

#[tokio::test(start_paused = true)]
async fn a_configured_refresh_token_is_replaced_too() {
    let (tokens, mut forms) = with(refresh_token(), vec![only("r2"), only("r3")]);
    for _ in 0..2 {
        assert_eq!(tokens.get().await.unwrap_err().kind(), ErrorKind::Malformed);
        pass(LATER).await;
    }
    assert_eq!(tokens.get().await.unwrap().refresh_token(), Some("r3"));
    assert_eq!(sent(&mut forms), ["r0", "r2", "r3"]);
}

/// The application sets another token while the refresh is running, or forgets the token.
#[tokio::test(start_paused = true)]
async fn it_does_not_replace_another_login() {
    for is_set in [true, false] {
        let layer_tokens = Arc::new(OnceLock::<Tokens>::new());
        let endpoint = TokenEndpoint::new(TOKEN_URL, Client::public("id")).unwrap();
        let grant = grant_fn({
            let layer_tokens = layer_tokens.clone();
            move |cx: Context| {
                let (endpoint, tokens) = (endpoint.clone(), layer_tokens.get().unwrap().clone());
                async move {
                    let refresh_token = cx.previous().and_then(Token::refresh_token).unwrap_or("none").to_owned();
                    let form = Form::new("refresh_token").param("refresh_token", &refresh_token);
                    let outcome = endpoint.token(cx.transport(), form).await;
                    match refresh_token.as_str() {
                        "r1" if is_set => tokens.set(token("other", HOUR)),
                        "r1" => tokens.forget(),
                        _ => {}
                    }
                    outcome
                }
            }
        });
        let (tokens, mut forms) = with(grant, vec![only("r2")]);
        layer_tokens.set(tokens.clone()).ok().unwrap();
        tokens.set(token("r1", Duration::ZERO));
        tokens.get().await.unwrap();
        tokens.refresh().await.unwrap();
        assert_eq!(sent(&mut forms)[..2], ["r1", if is_set { "other" } else { "none" }]);
    }
}

/// A custom grant, and one that also refreshes a token of its own.
#[tokio::test(start_paused = true)]
async fn a_custom_grant_keeps_it_only_for_the_token_that_was_sent() {
    for is_its_own in [false, true] {
        let endpoint = TokenEndpoint::new(TOKEN_URL, Client::public("id")).unwrap();
        let grant = grant_fn(move |cx: Context| {
            let endpoint = endpoint.clone();
            async move {
                let held = cx.previous().and_then(Token::refresh_token).unwrap_or("none");
                let form =
                    Form::new("refresh_token").param("refresh_token", if is_its_own { "upstream" } else { held });
                endpoint.token(cx.transport(), form).await
            }
        });
        let (tokens, _forms) = with(grant, vec![only("r2")]);
        tokens.set(token("r1", HOUR));
        tokens.refresh().await.unwrap_err();
        let expected = if is_its_own { "r1" } else { "r2" };
        assert_eq!(tokens.peek().unwrap().refresh_token(), Some(expected));
    }
}

// ===== with a store =====

#[tokio::test(start_paused = true)]
async fn it_is_stored_and_a_new_layer_sends_it() {
    for lifetime in [Duration::ZERO, HOUR] {
        let store = MemoryStore::new();
        let grant = device_code().persisted(store.clone());
        let key = grant.key().clone();
        put(&store, &key, token("r1", lifetime), 5).await;
        let (tokens, mut forms) = with(grant, vec![only("r2"), only("r3")]);
        if !lifetime.is_zero() {
            tokens.get().await.unwrap();
        }
        for expected in ["r2", "r3"] {
            assert_eq!(tokens.refresh().await.unwrap_err().kind(), ErrorKind::Malformed);
            assert_eq!(stored(&store, &key).await, Some(("a".into(), Some(expected.into()))));
        }
        assert_eq!(sent(&mut forms), ["r1", "r2"]);
        // The program is restarted.
        let (again, mut forms) = with(device_code().persisted(store.clone()), vec![]);
        again.refresh().await.unwrap();
        assert_eq!(sent(&mut forms), ["r3"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_after_the_back_off_sends_the_stored_one() {
    let store = MemoryStore::new();
    let grant = device_code().persisted(store.clone());
    let key = grant.key().clone();
    put(&store, &key, token("r1", Duration::ZERO), 5).await;
    let (tokens, mut forms) = with(grant, vec![only("r2"), answer(503, ""), only("r3")]);
    for kind in [ErrorKind::Malformed, ErrorKind::Overloaded, ErrorKind::Malformed] {
        assert_eq!(tokens.get().await.unwrap_err().kind(), kind);
        pass(LATER).await;
    }
    let refreshed = tokens.get().await.unwrap();
    assert_eq!(refreshed.refresh_token(), Some("r3"));
    assert_eq!(sent(&mut forms), ["r1", "r2", "r2", "r3"]);
    assert_eq!(stored(&store, &key).await, Some(("a".into(), Some("r3".into()))));
}

/// Another process had saved a newer token, which has expired too: its refresh token is sent, and replaced.
#[tokio::test(start_paused = true)]
async fn the_refresh_token_of_another_process_is_replaced_in_the_cell_and_in_the_store() {
    let store = MemoryStore::new();
    let grant = device_code().persisted(store.clone());
    let key = grant.key().clone();
    put(&store, &key, token("r1", HOUR), 5).await;
    let (tokens, mut forms) = with(grant, vec![only("r7"), answer(503, "")]);
    tokens.get().await.unwrap();
    pass(HOUR).await;
    put(&store, &key, token("r6", Duration::ZERO), 6).await;
    assert_eq!(tokens.get().await.unwrap_err().kind(), ErrorKind::Malformed);
    assert_eq!(stored(&store, &key).await, Some(("a".into(), Some("r7".into()))));
    pass(LATER).await;
    assert_eq!(tokens.get().await.unwrap_err().kind(), ErrorKind::Overloaded);
    pass(LATER).await;
    assert_eq!(tokens.get().await.unwrap().refresh_token(), Some("r7"));
    assert_eq!(sent(&mut forms), ["r6", "r7", "r7"]);
}

/// The client credentials grant does the same.
#[tokio::test(start_paused = true)]
async fn client_credentials_keep_it_too() {
    let store = MemoryStore::new();
    let grant = ClientCredentials::new(TOKEN_URL, Client::basic("id", "secret")).unwrap().persisted(store.clone());
    let key = grant.key().clone();
    put(&store, &key, token("r1", Duration::ZERO), 5).await;
    let (tokens, mut forms) = with(grant, vec![only("r2")]);
    tokens.get().await.unwrap_err();
    pass(LATER).await;
    tokens.get().await.unwrap();
    assert_eq!(sent(&mut forms), ["r1", "r2"]);
}

/// The initial token of a grant with a store is replaced by what is stored.
#[tokio::test(start_paused = true)]
async fn the_new_refresh_token_of_an_initial_token_is_stored() {
    let store = MemoryStore::new();
    let grant = device_code().token(token("r1", Duration::ZERO)).persisted(store.clone());
    let key = grant.key().clone();
    let (tokens, mut forms) = with(grant, vec![only("r2")]);
    tokens.get().await.unwrap_err();
    assert_eq!(stored(&store, &key).await, Some(("a".into(), Some("r2".into()))));
    pass(LATER).await;
    tokens.get().await.unwrap();
    assert_eq!(sent(&mut forms), ["r1", "r2"]);
}
