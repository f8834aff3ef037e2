//! K15: keys and tokens appear in no error and no `Debug` output.

use std::fmt::Debug;
use std::hash::Hash;
use std::time::Duration;

use tower::{Layer, Service as _, ServiceExt, service_fn};
use tower_oauth2::client::Client;
use tower_oauth2::grant::{ClientCredentials, TokenExchange, token_type};
use tower_oauth2::tenants::{Subject, TenantsLayer};
use tower_oauth2::{Error, ErrorKind, Token};

use super::support::request_to;
use crate::support::{API_URL, TOKEN_URL, TokenService, answer, get, ours, pass, token_endpoint};

/// A part of each secret and each key.
const WORD: &str = "hunter2";

/// A key that prints itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Person(String);

fn assert_secret(text: &str) {
    assert!(!text.contains(WORD), "{text}");
}

fn assert_debug(value: &impl Debug) {
    assert_secret(&format!("{value:?} {value:#?}"));
}

fn assert_error(error: &Error) {
    assert_debug(error);
    assert_secret(&error.to_string());
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        assert_secret(&format!("{cause} {cause:?}"));
        source = cause.source();
    }
}

/// Prints all that a layer with this key returns, with and without a token, and with errors of the server.
async fn print_all<K: Hash + Eq + Clone + Send + Sync + 'static>(layer: TenantsLayer<K>, key: K) {
    let (endpoint, _forms) =
        token_endpoint(vec![answer(503, WORD), answer(400, r#"{"error":"invalid_client"}"#), answer(200, WORD)]);
    let layer = layer.token_service(endpoint);
    let mut service = layer.layer(TokenService::new(service_fn(async |_| Ok(answer(401, WORD)))));
    for status in [0, 0, 0, 401, 401] {
        let future = service.ready().await.unwrap().call(request_to(API_URL, key.clone()));
        assert_debug(&future);
        match future.await {
            Ok(response) => {
                assert_eq!(response.status(), status);
                assert_debug(response.extensions());
            }
            Err(error) => {
                assert_eq!(status, 0, "{error:?}");
                assert_error(&ours(error));
            }
        }
        assert_debug(&(&layer, &layer.clone()));
        pass(Duration::from_secs(200)).await;
    }
    assert_debug(&service);
    let tokens = layer.tokens(&key).unwrap();
    tokens.set(Token::bearer("hunter2-token").unwrap());
    assert_debug(&tokens);
    layer.forget(&key);
    assert_debug(&layer);
    // Without a key, and to an address that must not get the token.
    for request in [get(API_URL), request_to("http://api.example.com/", key)] {
        assert_error(&ours(service.ready().await.unwrap().call(request).await.unwrap_err()));
    }
}

#[tokio::test(start_paused = true)]
async fn k15_a_key_is_not_printed() {
    let layer = TenantsLayer::new(|key: &Person| {
        ClientCredentials::new(TOKEN_URL, Client::post("id", format!("secret-of-{}", key.0)))
    });
    print_all(layer, Person(WORD.into())).await;
}

#[tokio::test(start_paused = true)]
async fn k15_a_subject_token_is_not_printed() {
    let layer = TenantsLayer::new(|user: &Subject| {
        TokenExchange::new(TOKEN_URL, Client::basic("id", "secret"), token_type::ACCESS_TOKEN, user.clone())
    });
    print_all(layer, Subject::new(WORD)).await;
}

/// The payload of a panic may name the key. An error of the function is printed as the application has made it.
#[tokio::test(start_paused = true)]
async fn k15_the_panic_of_the_function_is_not_printed() {
    let layer = TenantsLayer::new(|key: &Person| -> Result<ClientCredentials, Error> { panic!("unknown: {}", key.0) });
    let error = layer.tokens(&Person(WORD.into())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Panicked);
    assert_error(&error);
}

#[tokio::test(start_paused = true)]
async fn the_layer_prints_its_type_and_its_size() {
    let layer = TenantsLayer::new(|_: &Person| ClientCredentials::new(TOKEN_URL, Client::public("id")));
    let layer = layer.max_tenants(77).unwrap();
    layer.tokens(&Person(WORD.into())).unwrap();
    let text = format!("{layer:?}");
    for part in ["TenantsLayer", "Person", "len: 1", "77"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}
