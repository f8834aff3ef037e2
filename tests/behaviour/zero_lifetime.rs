//! A lifetime of zero or less: the token has expired, or with an option, the lifetime is unknown.

use std::time::Duration;

use serde_json::{Value, json};
use tower_oauth2::grant::ClientCredentials;
use tower_oauth2::{OAuth2Layer, Tokens};

use crate::support::{Forms, answer, grant, pass, token_endpoint};

fn issued(grant: ClientCredentials, expires_in: Value) -> (OAuth2Layer<ClientCredentials>, Forms, Tokens) {
    let body = json!({"access_token": "a", "expires_in": expires_in});
    let (service, forms) = token_endpoint(vec![answer(200, body)]);
    let layer = OAuth2Layer::new(grant).default_lifetime(Duration::from_secs(100));
    let tokens = layer.clone().token_service(service).tokens();
    (layer, forms, tokens)
}

#[tokio::test(start_paused = true)]
async fn the_token_has_expired_when_it_arrives() {
    for zero in [json!(0), json!(-1), json!("0")] {
        let (_layer, _forms, tokens) = issued(grant(), zero.clone());
        let token = tokens.get().await.unwrap();
        assert!(token.is_expired(Duration::ZERO), "{zero}");
    }
}

#[tokio::test(start_paused = true)]
async fn with_the_option_the_lifetime_is_unknown_and_the_default_applies() {
    for zero in [json!(0), json!(-1), json!("-1"), json!(" 0 ")] {
        let (_layer, mut forms, tokens) = issued(grant().ignore_zero_lifetime(), zero.clone());
        assert_eq!(tokens.get().await.unwrap().access_token(), "a");
        forms.recv().await.unwrap();
        pass(Duration::from_secs(10)).await;
        assert_eq!(tokens.get().await.unwrap().access_token(), "a");
        assert!(forms.try_recv().is_err(), "{zero}: another token request");
        pass(Duration::from_secs(91)).await;
        tokens.get().await.unwrap();
        forms.recv().await.unwrap();
    }
    // Other lifetimes still apply.
    let (_layer, _forms, tokens) = issued(grant().ignore_zero_lifetime(), json!(7));
    assert!(tokens.get().await.unwrap().is_expired(Duration::from_secs(7)));
}
