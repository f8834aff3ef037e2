//! The password grant.

use std::time::Duration;

use tower_oauth2::client::Client;
use tower_oauth2::grant::Password;
use tower_oauth2::{ErrorKind, OAuth2Layer, Token};

use crate::support::{TOKEN_URL, answer, pairs, token_endpoint};

fn grant(password: &str) -> Password {
    Password::new(TOKEN_URL, Client::none(), "alice", password).unwrap().scope("read").unwrap().param("realm", "x")
}

const FORM: [(&str, &str); 5] =
    [("grant_type", "password"), ("username", "alice"), ("password", "pw"), ("scope", "read"), ("realm", "x")];

#[tokio::test]
async fn the_request_has_the_user_name_the_password_and_no_client_if_there_is_none() {
    let (service, mut forms) = token_endpoint(vec![]);
    let tokens = OAuth2Layer::new(grant("pw")).token_service(service).tokens();
    assert_eq!(tokens.get().await.unwrap().access_token(), "a");
    assert_eq!(forms.recv().await.unwrap(), pairs(&FORM));
}

#[tokio::test]
async fn an_empty_password_is_sent() {
    let (service, mut forms) = token_endpoint(vec![]);
    OAuth2Layer::new(grant("")).token_service(service).tokens().get().await.unwrap();
    assert!(forms.recv().await.unwrap().contains(&("password".to_owned(), String::new())));
}

#[tokio::test]
async fn the_password_is_sent_immediately_after_a_dead_refresh_token() {
    let dead = answer(400, r#"{"error":"invalid_grant"}"#);
    let (service, mut forms) = token_endpoint(vec![dead]);
    let tokens = OAuth2Layer::new(grant("pw")).token_service(service).tokens();
    tokens.set(Token::bearer("old").unwrap().with_refresh_token("r").with_expires_in(Duration::ZERO));
    assert_eq!(tokens.get().await.unwrap().access_token(), "a");
    assert_eq!(forms.recv().await.unwrap()[1], ("refresh_token".to_owned(), "r".to_owned()));
    assert_eq!(forms.recv().await.unwrap(), pairs(&FORM));
}

#[tokio::test]
async fn a_wrong_password_is_an_error_without_the_password() {
    let wrong = answer(400, r#"{"error":"invalid_grant","error_description":"wrong password: pw"}"#);
    let (service, _forms) = token_endpoint(vec![wrong]);
    let error = OAuth2Layer::new(grant("pw")).token_service(service).tokens().get().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidGrant);
    assert_eq!(error.oauth().unwrap().description(), None, "it repeats the password");
}
