//! The authorization request and the exchange of the code.

use tower_oauth2::client::Client;
use tower_oauth2::grant::AuthorizationCode;

use super::{AUTHORIZATION_URL, Program, grant};
use crate::support::TOKEN_URL;

#[tokio::test]
async fn the_requests_have_all_parameters_and_keep_the_query_of_the_url() {
    let grant = grant()
        .scope("read  write")
        .unwrap()
        .param("prompt", "login")
        .param("scope", "admin")
        .resource("https://a.example/")
        .unwrap();
    let mut program = Program::new(grant, vec![]);
    let login = program.start_login().await;
    for (name, value) in [
        ("tenant", "7"),
        ("response_type", "code"),
        ("client_id", "id"),
        ("code_challenge_method", "S256"),
        ("scope", "read write"),
        ("prompt", "login"),
        ("resource", "https://a.example/"),
    ] {
        assert_eq!(login.param(name), value, "{name}");
    }
    assert_eq!(login.param("redirect_uri"), format!("http://127.0.0.1:{}/callback", login.port()));
    assert_eq!(login.param("code_challenge").len(), 43);
    assert_eq!(login.param("state").len(), 43);

    login.redirect_with_code().await;
    let form = program.forms.recv().await.unwrap();
    let sent = |name: &str| form.iter().find(|(sent, _)| sent == name).map(|(_, value)| value.as_str());
    assert_eq!(sent("grant_type"), Some("authorization_code"));
    assert_eq!(sent("code"), Some("c"));
    assert_eq!(sent("redirect_uri"), Some(login.param("redirect_uri").as_str()));
    assert_eq!(sent("client_id"), Some("id"));
    assert_eq!((sent("prompt"), sent("resource")), (Some("login"), Some("https://a.example/")));
    let verifier = sent("code_verifier").unwrap();
    assert_eq!(challenge(verifier), login.param("code_challenge"));
    assert_eq!(login.outcome().await.unwrap().access_token(), "a");
}

pub(super) fn challenge(verifier: &str) -> String {
    use base64::Engine as _;
    use sha2::Digest as _;
    base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(verifier))
}

#[tokio::test]
async fn each_login_has_its_own_verifier_and_state() {
    let mut program = Program::new(grant(), vec![]);
    let one = program.start_login().await;
    one.redirect_with_code().await;
    let (state, verifier) = (one.param("state"), one.param("code_challenge"));
    one.outcome().await.unwrap();
    program.tokens.forget();
    let two = program.start_login().await;
    assert_ne!(two.param("state"), state);
    assert_ne!(two.param("code_challenge"), verifier);
}

#[tokio::test]
async fn a_confidential_client_authenticates_the_exchange() {
    let client = Client::post("id", "secret");
    let mut program = Program::new(AuthorizationCode::new(AUTHORIZATION_URL, TOKEN_URL, client).unwrap(), vec![]);
    let login = program.start_login().await;
    assert!(!login.url.as_str().contains("secret"));
    login.redirect_with_code().await;
    let form = program.forms.recv().await.unwrap();
    assert!(form.contains(&("client_secret".to_owned(), "secret".to_owned())));
    login.outcome().await.unwrap();
}

#[test]
fn errors_name_the_invalid_argument() {
    let new = |authorization: &str, client| AuthorizationCode::new(authorization, TOKEN_URL, client).unwrap_err();
    for (error, named) in [
        (new("auth.example.com", Client::public("id")), "`authorization_url`"),
        (new("http://auth.example.com/", Client::public("id")), "`authorization_url`"),
        (new(AUTHORIZATION_URL, Client::none()), "`client`"),
        (new(AUTHORIZATION_URL, Client::public("")), "`client`"),
        (grant().authorization_url("callback").unwrap_err(), "`redirect_uri`"),
        (grant().authorization_url("https://app.example/#").unwrap_err(), "`redirect_uri`"),
    ] {
        assert!(error.to_string().contains(named), "{error}");
    }
}
