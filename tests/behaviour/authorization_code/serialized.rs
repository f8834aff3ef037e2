//! The serialized form of a pending login, and its binding to a grant.

use tower::service_fn;
use tower_oauth2::client::Client;
use tower_oauth2::grant::{Authorization, AuthorizationCode};
use tower_oauth2::transport::Transport;
use tower_oauth2::{Error, ErrorKind};

use super::{AUTHORIZATION_URL, grant};
use crate::support::{Body, TOKEN_URL, answer, form, token, token_endpoint};

const REDIRECT_URI: &str = "https://app.example/callback";

/// Serializes and deserializes a login, as for another replica.
fn transferred(login: &Authorization) -> Authorization {
    serde_json::from_str(&serde_json::to_string(login).unwrap()).unwrap()
}

fn query(login: &Authorization) -> String {
    format!("code=c&state={}", login.state())
}

#[tokio::test]
async fn another_replica_completes_the_login() {
    let started = grant().authorization_url(REDIRECT_URI).unwrap();
    let login = transferred(&started);
    assert_eq!((login.url(), login.state()), (started.url(), started.state()));

    let (http, mut forms) = token_endpoint(vec![]);
    let replica = grant();
    let query = query(&login);
    let code = replica.callback(login, &query).unwrap();
    assert_eq!(replica.exchange(&Transport::new(http), code).await.unwrap().access_token(), "a");
    let form = forms.recv().await.unwrap();
    let sent = |name: &str| form.iter().find(|(sent, _)| sent == name).map(|(_, value)| value.as_str()).unwrap();
    assert_eq!(sent("redirect_uri"), REDIRECT_URI);
    let challenge = started.url().query_pairs().find(|(name, _)| name == "code_challenge").unwrap().1.into_owned();
    assert_eq!(super::request::challenge(sent("code_verifier")), challenge);
}

#[test]
fn a_login_without_pkce_can_be_transferred() {
    let client = Client::basic("id", "secret");
    let grant = AuthorizationCode::new(AUTHORIZATION_URL, TOKEN_URL, client).unwrap().dangerous_without_pkce().unwrap();
    let login = transferred(&grant.authorization_url(REDIRECT_URI).unwrap());
    let query = query(&login);
    assert!(grant.callback(login, &query).is_ok());
}

fn others() -> [(&'static str, AuthorizationCode); 4] {
    let new = |token_url, client| AuthorizationCode::new(AUTHORIZATION_URL, token_url, client).unwrap();
    [
        ("client id", new(TOKEN_URL, Client::public("other"))),
        ("token endpoint", new("https://evil.example/token", Client::public("id"))),
        ("issuer", grant().issuer("https://auth.example.com")),
        ("issuer", AuthorizationCode::new("https://evil.example/", TOKEN_URL, Client::public("id")).unwrap()),
    ]
}

#[test]
fn a_grant_rejects_the_login_of_another_one() {
    for (difference, other) in others() {
        for saved in [false, true] {
            let login = grant().authorization_url(REDIRECT_URI).unwrap();
            let login = if saved { transferred(&login) } else { login };
            let (query, state) = (query(&login), login.state().to_owned());
            let error = other.callback(login, &query).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
            let text = error.to_string();
            assert!(
                text.contains(difference) && text.contains("started the login") && !text.contains(&state),
                "{text}"
            );
        }
    }
}

#[tokio::test]
async fn a_grant_does_not_send_the_code_of_another_one() {
    for (difference, other) in others() {
        let http = Transport::new(service_fn(async |request: http::Request<Body>| {
            panic!("the code was sent: {:?}", form(request).await);
            #[allow(unreachable_code, reason = "for the type")]
            Ok::<_, std::io::Error>(answer(200, token("a", 60)))
        }));
        let login = grant().authorization_url(REDIRECT_URI).unwrap();
        let query = query(&login);
        let code = grant().callback(login, &query).unwrap();
        let error: Error = other.exchange(&http, code).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().contains(difference), "{error}");
    }
}

/// A redirect without a `state` would match an empty state.
#[test]
fn a_damaged_login_is_rejected_without_printing_it() {
    let whole = serde_json::to_value(grant().authorization_url(REDIRECT_URI).unwrap()).unwrap();
    for (member, value) in [("state", ""), ("code_verifier", ""), ("url", "hunter2")] {
        let mut damaged = whole.clone();
        damaged[member] = value.into();
        let error = serde_json::from_value::<Authorization>(damaged).unwrap_err().to_string();
        assert!(error.contains(member) && !error.contains("hunter2"), "{error}");
    }
    for member in ["url", "state", "redirect_uri", "requires_issuer", "binding"] {
        let mut damaged = whole.clone();
        damaged.as_object_mut().unwrap().remove(member).unwrap();
        assert!(serde_json::from_value::<Authorization>(damaged).is_err(), "{member}");
    }
}

#[test]
fn debug_prints_no_secrets() {
    let login = grant().authorization_url(REDIRECT_URI).unwrap();
    let saved = serde_json::to_value(&login).unwrap();
    let printed = format!("{login:?} {login:#?} {:?}", transferred(&login));
    for member in ["url", "state", "code_verifier"] {
        assert!(!printed.contains(saved[member].as_str().unwrap()), "{printed}");
    }
}
