//! Credentials with characters that RFC 6749 (Appendix A) excludes are errors before anything is sent. The errors name the problem and
//! do not print the value.

use tower_oauth2::client::Client;
use tower_oauth2::endpoint::{RevocationEndpoint, TokenEndpoint};
use tower_oauth2::form::Form;
use tower_oauth2::grant::{AuthorizationCode, ClientCredentials, DeviceCode, Password, RefreshToken};
use tower_oauth2::transport::Transport;
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token};

use crate::support::{TOKEN_URL, answer, get, grant, ours, pairs, token, token_endpoint};

#[track_caller]
fn assert_message(error: Option<Error>, argument: &str, problem: &str) {
    let error = error.unwrap_or_else(|| panic!("no error about {argument}"));
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let text = error.to_string();
    assert!(text.contains(argument) && text.contains(problem), "{text}");
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
}

#[test]
fn a_client_id_or_secret_that_ends_with_a_line_break_is_an_error() {
    const URL: &str = "https://auth.example.com/other";
    for client in [
        Client::basic("id", "hunter2\n"),
        Client::basic_raw("id", "hunter2\r\n"),
        Client::post("id", "hunter2\n"),
        Client::basic("hunter2\n", "secret"),
        Client::public("hunter2\n"),
    ] {
        let new = [
            ClientCredentials::new(TOKEN_URL, client.clone()).err(),
            Password::new(TOKEN_URL, client.clone(), "alice", "secret").err(),
            RefreshToken::new(TOKEN_URL, client.clone(), "r").err(),
            AuthorizationCode::new(URL, TOKEN_URL, client.clone()).err(),
            DeviceCode::new(URL, TOKEN_URL, client.clone(), |_| ()).err(),
            TokenEndpoint::dangerous_cleartext(TOKEN_URL, client.clone()).err(),
            RevocationEndpoint::new(URL, client.clone()).err(),
        ];
        for error in new {
            assert_message(
                error,
                "`client`: the client",
                "ends with a line break, as the content of a file does; `trim` it",
            );
        }
    }
}

#[test]
fn an_empty_secret_is_an_error_only_for_basic() {
    let new = |client| ClientCredentials::new(TOKEN_URL, client).err();
    assert_message(new(Client::basic("id", "")), "`client`", "the client secret is empty");
    assert!(new(Client::post("id", "")).is_none(), "an empty secret is left out");
    assert!(new(Client::basic_raw("id", "")).is_none(), "some servers require it");
}

#[test]
fn credentials_that_the_rfc_allows_are_accepted() {
    let client = Client::basic(" a client id: ~", " 7Fjfp0ZBr1KtDRbnfVdmIw= ");
    assert!(Password::new(TOKEN_URL, client, "Zoë\t", "naïve 密码 🔑").is_ok());
}

#[test]
fn each_error_names_the_argument() {
    let client = || Client::public("id");
    let password = |name, password| Password::new(TOKEN_URL, client(), name, password).err();
    assert_message(password("hunter2\n", "p"), "`username`", "ends with a line break");
    assert_message(password("alice", "hunter2\r\n"), "`password`", "ends with a line break");
    assert_message(password("alice", "hunter2\0"), "`password`", "a control character");
    let refresh_token = |text| RefreshToken::new(TOKEN_URL, client(), text).err();
    assert_message(refresh_token("hunter2\n"), "`refresh_token`", "ends with a line break");
    assert_message(refresh_token("hunter2é"), "`refresh_token`", "not ASCII");
    assert_message(refresh_token(""), "`refresh_token`", "is empty");
    let access_token = |text| Token::bearer(text).err();
    assert_message(access_token("hunter2\n"), "`access_token`", "ends with a line break");
    assert_message(access_token("hunter2 hunter2"), "`access_token`", "a space");
    assert_message(access_token(""), "`access_token`", "is empty");
}

/// If a builder method cannot return an error, the token request returns it.
#[tokio::test(start_paused = true)]
async fn invalid_credentials_are_not_sent() {
    let preset = Token::bearer("a").unwrap().with_refresh_token("hunter2\n");
    let (service, mut forms) = token_endpoint(Vec::new());
    let tokens = OAuth2Layer::new(grant().token(preset)).token_service(service.clone()).tokens();
    assert_message(tokens.refresh().await.err(), "`refresh_token`", "ends with a line break");
    assert_eq!(tokens.peek().unwrap().access_token(), "a", "the token stays in use");

    let endpoint = TokenEndpoint::new(TOKEN_URL, Client::public("id")).unwrap();
    let layer = OAuth2Layer::new(Password::from_endpoint(endpoint, "alice", "hunter2\n"));
    let layer = layer.token_service(service.clone());
    assert_message(layer.tokens().get().await.err(), "`password`", "ends with a line break");
    let error = tower::ServiceExt::oneshot(tower::Layer::layer(&layer, api()), get("https://api.example.com/")).await;
    assert_message(error.err().map(ours), "`password`", "ends with a line break");

    // Revocation of an unknown token succeeds.
    let endpoint = RevocationEndpoint::new(TOKEN_URL, Client::public("id")).unwrap();
    assert_message(tokens.revoke(&endpoint).await.err(), "`token`", "ends with a line break");

    let form = Form::new("urn:ietf:params:oauth:grant-type:jwt-bearer").param("assertion", "hunter2\n");
    let endpoint = TokenEndpoint::new(TOKEN_URL, Client::public("id")).unwrap();
    assert_message(endpoint.token(&Transport::new(service), form).await.err(), "`assertion`", "ends with a line break");
    assert!(forms.try_recv().is_ok_and(|form| form.iter().all(|(_, value)| !value.contains("hunter2"))), "revoked");
    assert!(forms.try_recv().is_err(), "nothing else was sent");
}

/// A server may issue any refresh token. It is sent back unchanged.
#[tokio::test(start_paused = true)]
async fn a_refresh_token_of_the_server_is_sent_unchanged() {
    let mut issued = token("a", 3600);
    issued["refresh_token"] = "é".into();
    let (service, mut forms) = token_endpoint(vec![answer(200, issued)]);
    let tokens = OAuth2Layer::new(grant()).token_service(service).tokens();
    tokens.get().await.unwrap();
    tokens.refresh().await.unwrap();
    assert_eq!(forms.recv().await.unwrap(), pairs(&[("grant_type", "client_credentials")]));
    assert_eq!(forms.recv().await.unwrap(), pairs(&[("grant_type", "refresh_token"), ("refresh_token", "é")]));
}

fn api() -> crate::support::Inner {
    tower_test::mock::pair().0
}
