//! The builder's error for an invalid argument names the argument.

use tower_oauth2::client::Client;
use tower_oauth2::endpoint::TokenEndpoint;
use tower_oauth2::grant::ClientCredentials;
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token};

use crate::support::{TOKEN_URL, grant};

#[test]
fn each_error_names_the_argument() {
    let new = |url: &str, client| ClientCredentials::new(url, client).err();
    let client = || Client::basic("id", "hunter2");
    let cases: [(Option<Error>, ErrorKind, &str); 14] = [
        (new("auth.example.com/token", client()), ErrorKind::Configuration, "`token_url`"),
        (new("https://", client()), ErrorKind::Configuration, "`token_url`"),
        (new("", client()), ErrorKind::Configuration, "`token_url`"),
        (new("https://u:hunter2@auth.example.com/", client()), ErrorKind::Configuration, "`token_url`"),
        (new("https://auth.example.com/#frag", client()), ErrorKind::Configuration, "`token_url`"),
        (new("https://auth.example.com/#", client()), ErrorKind::Configuration, "`token_url`"),
        (new("http://auth.example.com/token", client()), ErrorKind::Cleartext, "`token_url`"),
        (new(TOKEN_URL, Client::basic("", "hunter2")), ErrorKind::Configuration, "`client`"),
        (new(TOKEN_URL, Client::basic_raw("a:b", "hunter2")), ErrorKind::Configuration, "`client`"),
        (grant().scope("read\"").err(), ErrorKind::Configuration, "`scope`"),
        (grant().resource("not absolute").err(), ErrorKind::Configuration, "`resource`"),
        (grant().resource("https://a.example/#x").err(), ErrorKind::Configuration, "`resource`"),
        (OAuth2Layer::new(grant()).origin("/v1").err(), ErrorKind::Configuration, "`origin`"),
        (Token::bearer("a\nb").err(), ErrorKind::Configuration, "`access_token`"),
    ];
    for (error, kind, names) in cases {
        let error = error.expect(names);
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(names), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}

#[test]
fn all_types_of_addresses_are_accepted() {
    let client = || Client::public("id");
    let (text, url): (String, url::Url) = (TOKEN_URL.to_owned(), TOKEN_URL.parse().unwrap());
    let uri: http::Uri = TOKEN_URL.parse().unwrap();
    assert!(ClientCredentials::new(TOKEN_URL, client()).is_ok());
    assert!(ClientCredentials::new(&text, client()).is_ok());
    assert!(ClientCredentials::new(&url, client()).is_ok());
    assert!(ClientCredentials::new(&uri, client()).is_ok());
    assert!(ClientCredentials::new(text, client()).is_ok());
    assert!(ClientCredentials::new(url, client()).is_ok());
    assert!(ClientCredentials::new(uri, client()).is_ok());
    // References are checked too.
    let with_password: url::Url = "https://u:hunter2@auth.example.com/".parse().unwrap();
    assert!(ClientCredentials::new(&with_password, client()).is_err());
    let relative = http::Uri::from_static("/token");
    assert!(ClientCredentials::new(&relative, client()).is_err());
    assert!(ClientCredentials::new("http://localhost:8080/token", client()).is_ok());
}

#[test]
fn cleartext_to_another_machine_needs_an_explicit_choice() {
    let endpoint = TokenEndpoint::dangerous_cleartext("http://auth.mesh.internal/token", Client::public("id")).unwrap();
    let _ = ClientCredentials::from_endpoint(endpoint);
}
