//! D12, D29: a token and its refresh token belong to the key that they were issued for.

use std::time::Duration;

use serde_json::json;
use tower_oauth2::client::Client;
use tower_oauth2::dpop::Dpop;
#[cfg(feature = "loopback")]
use tower_oauth2::grant::AuthorizationCode;
use tower_oauth2::grant::{ClientCredentials, DeviceCode, Grant, JwtBearer, Password, RefreshToken, TokenExchange};
use tower_oauth2::grant::{grant_fn, token_type};
use tower_oauth2::source::{Source, SourceContext, source_fn};
use tower_oauth2::store::{Entry, MemoryStore, TokenStore};
use tower_oauth2::{ErrorKind, OAuth2Layer, Token};

use super::{bound, bound_token, dpop, expired, issued_for};
use crate::support::{Forms, TOKEN_URL, answer, pass, token_endpoint};

/// The refresh token of the next token request, if one was sent.
fn sent(forms: &mut Forms) -> Option<Option<String>> {
    let form = forms.try_recv().ok()?;
    Some(form.into_iter().find(|(name, _)| name == "refresh_token").map(|(_, value)| value))
}

/// Obtains a token with the grant of a client whose token was issued for the key 1.
async fn refreshed(client: Client, key: Option<Dpop>, token: Token) -> (Result<Token, ErrorKind>, Forms) {
    let grant = Password::new(TOKEN_URL, client, "name", "pw").unwrap().token(expired(token));
    let grant = key.into_iter().fold(grant, Password::dpop);
    let issued = if Grant::dpop(&grant).is_some() { bound_token("new", 60) } else { json!({"access_token": "new"}) };
    let (service, forms) = token_endpoint(vec![answer(200, issued)]);
    let token = OAuth2Layer::new(grant).token_service(service).tokens().get().await;
    (token.map_err(|error| error.kind()), forms)
}

#[tokio::test(start_paused = true)]
async fn d12_the_refresh_token_of_a_public_client_is_sent_with_its_own_key_only() {
    let (public, confidential) = (|| Client::public("id"), || Client::basic("id", "secret"));
    let of_one = || issued_for(dpop(1).thumbprint());
    let without_record = || Token::dpop("old").unwrap().with_refresh_token("r");
    let r = Some("r".to_owned());
    for (name, client, key, token, expected) in [
        ("the same key", public(), Some(dpop(1)), of_one(), r.clone()),
        ("another key", public(), Some(dpop(2)), of_one(), None),
        ("no key", public(), None, of_one(), None),
        ("an empty secret", Client::post("id", ""), Some(dpop(2)), of_one(), None),
        ("no record", public(), Some(dpop(2)), without_record(), r.clone()),
        ("a confidential client", confidential(), Some(dpop(2)), of_one(), r.clone()),
        ("a client that may authenticate elsewhere", Client::none(), Some(dpop(2)), of_one(), r.clone()),
    ] {
        let (token, mut forms) = refreshed(client, key, token).await;
        assert_eq!(token.unwrap().access_token(), "new", "{name}");
        assert_eq!(sent(&mut forms), Some(expected), "{name}");
    }
}

/// It counts as dead: nothing is sent, and a login is required.
#[tokio::test(start_paused = true)]
async fn d12_a_login_whose_refresh_token_is_bound_to_another_key_is_required_again() {
    let grant = RefreshToken::new(TOKEN_URL, Client::public("id"), "configured").unwrap();
    let grant = grant.token(expired(issued_for(dpop(1).thumbprint()))).dpop(dpop(2));
    let (service, mut forms) = token_endpoint(vec![]);
    let tokens = OAuth2Layer::new(grant).token_service(service).tokens();
    let error = tokens.get().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LoginRequired);
    assert!(format!("{error:?}").contains("another DPoP key"), "{error:?}");
    assert_eq!(tokens.peek().unwrap().refresh_token(), None, "the dead refresh token is dropped");
    assert_eq!(sent(&mut forms), None);
}

#[tokio::test(start_paused = true)]
async fn d12_a_bearer_token_that_was_allowed_has_a_bound_refresh_token() {
    let issued = json!({"access_token": "a", "token_type": "Bearer", "expires_in": 60, "refresh_token": "r1"});
    let (service, _forms) = token_endpoint(vec![answer(200, issued)]);
    let grant = Password::new(TOKEN_URL, Client::public("id"), "name", "pw").unwrap();
    let layer = OAuth2Layer::new(grant.dpop(dpop(1).dangerous_allow_bearer()));
    let token = layer.token_service(service).tokens().get().await.unwrap();
    let (_, mut forms) = refreshed(Client::public("id"), Some(dpop(2)), token).await;
    assert_eq!(sent(&mut forms), Some(None));
}

#[tokio::test(start_paused = true)]
async fn d29_another_process_with_the_same_key_uses_the_stored_token() {
    let store = MemoryStore::new();
    let tokens = |key: u8, answers| {
        let (service, forms) = token_endpoint(answers);
        let grant = bound(dpop(key)).persisted(store.clone());
        (OAuth2Layer::new(grant).token_service(service).tokens(), forms)
    };
    let (one, _forms) = tokens(1, vec![answer(200, bound_token("one", 3600))]);
    assert_eq!(one.get().await.unwrap().access_token(), "one");

    let (same, mut forms) = tokens(1, vec![]);
    let token = same.get().await.unwrap();
    assert_eq!((token.access_token(), token.token_type()), ("one", "DPoP"));
    assert_eq!(sent(&mut forms), None, "the stored token is used");
    assert_eq!(token.extra("tower_oauth2"), None);
    assert_eq!(serde_json::to_value(&token).unwrap()["tower_oauth2"], json!({"dpop_jkt": dpop(1).thumbprint()}));

    let (other, mut forms) = tokens(2, vec![answer(200, bound_token("two", 3600))]);
    assert_eq!(other.get().await.unwrap().access_token(), "two");
    assert!(sent(&mut forms).is_some(), "the token of another key is not found");
    pass(Duration::from_secs(1)).await;
    assert_eq!(tokens(1, vec![]).0.get().await.unwrap().access_token(), "one", "the entry of the first key stays");
}

#[test]
fn d29_the_thumbprint_is_part_of_the_entrys_key() {
    let id = |grant: ClientCredentials| grant.persisted(MemoryStore::new()).key().id().to_owned();
    assert_eq!(id(bound(dpop(1))), id(bound(dpop(1).backdate(Duration::from_secs(5)))));
    assert_ne!(id(bound(dpop(1))), id(bound(dpop(2))));
    assert_ne!(id(bound(dpop(1))), id(crate::support::grant()));
}

/// An application can choose the entry's key itself. The record in the token prevents the use with another key.
#[tokio::test(start_paused = true)]
async fn d12_a_stored_refresh_token_of_another_key_is_not_sent() {
    let store = MemoryStore::new();
    let grant = Password::new(TOKEN_URL, Client::public("id"), "name", "pw").unwrap().dpop(dpop(2));
    let grant = grant.persisted(store.clone());
    let mut lock = store.lock(grant.key()).await.unwrap();
    let stored = Entry::new(expired(issued_for(dpop(1).thumbprint())), 1);
    store.save(grant.key(), &stored, &mut lock).await.unwrap();
    drop(lock);
    let (service, mut forms) = token_endpoint(vec![answer(200, bound_token("new", 3600))]);
    let tokens = OAuth2Layer::new(grant).token_service(service).tokens();
    assert_eq!(tokens.get().await.unwrap().access_token(), "new");
    assert_eq!(sent(&mut forms), Some(None));
}

/// Else a layer could not send the tokens of this grant.
#[test]
fn each_grant_returns_its_key() {
    let key = || dpop(1);
    let (client, device_url) = (|| Client::public("id"), "https://auth.example.com/device");
    let exchange = TokenExchange::new(TOKEN_URL, client(), token_type::JWT, source()).unwrap();
    #[cfg(feature = "loopback")]
    let code = AuthorizationCode::new("https://auth.example.com/authorize", TOKEN_URL, client()).unwrap().dpop(key());
    for (name, found) in [
        ("password", Password::new(TOKEN_URL, client(), "name", "pw").unwrap().dpop(key()).boxed().dpop()),
        ("refresh token", RefreshToken::new(TOKEN_URL, client(), "r").unwrap().dpop(key()).boxed().dpop()),
        ("JWT bearer", JwtBearer::new(TOKEN_URL, client(), source()).unwrap().dpop(key()).boxed().dpop()),
        ("token exchange", exchange.dpop(key()).boxed().dpop()),
        ("device", DeviceCode::new(device_url, TOKEN_URL, client(), |_| ()).unwrap().dpop(key()).boxed().dpop()),
        #[cfg(feature = "loopback")]
        ("authorization code", code.boxed().dpop()),
    ] {
        assert_eq!(found.as_ref().map(Dpop::thumbprint), Some(key().thumbprint()), "{name}");
    }
}

fn source() -> impl Source {
    source_fn(async |_: SourceContext| Ok("assertion".to_owned()))
}

#[test]
fn a_grant_returns_its_key_through_each_wrapper() {
    let thumbprint = dpop(1).thumbprint().to_owned();
    let of = |grant: &dyn Fn() -> Option<Dpop>| grant().map(|dpop| dpop.thumbprint().to_owned());
    assert_eq!(of(&|| Grant::dpop(&bound(dpop(1)))), Some(thumbprint.clone()));
    assert_eq!(of(&|| Grant::dpop(&bound(dpop(1)).boxed())), Some(thumbprint.clone()));
    assert_eq!(of(&|| Grant::dpop(&std::sync::Arc::new(bound(dpop(1))))), Some(thumbprint.clone()));
    assert_eq!(of(&|| Grant::dpop(&Box::new(bound(dpop(1))))), Some(thumbprint.clone()));
    assert_eq!(of(&|| Grant::dpop(&bound(dpop(1)).persisted(MemoryStore::new()))), Some(thumbprint.clone()));
    let closure = grant_fn(async |_: tower_oauth2::grant::Context| Token::bearer("a"));
    assert_eq!(of(&|| Grant::dpop(&closure.clone().dpop(dpop(1)))), Some(thumbprint));
    assert_eq!(of(&|| Grant::dpop(&closure.clone())), None);
}
