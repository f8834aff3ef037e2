//! `RevocationEndpoint` revokes tokens at the server.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response};
use tokio::sync::mpsc::unbounded_channel;
use tower::{BoxError, service_fn};
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::RevocationEndpoint;
use tower_oauth2::transport::Transport;
use tower_oauth2::{Error, ErrorKind, Token};

use crate::support::{Body, Forms, answer, authorization, form, pairs};

const REVOCATION_URL: &str = "https://auth.example.com/revoke";

fn token() -> Token {
    Token::bearer("hunter2-a").unwrap().with_refresh_token("hunter2-r")
}

/// Returns a server that sends these responses and then successful ones, and the forms that it receives.
fn server(answers: Vec<Response<Body>>) -> (Transport, Forms) {
    let (sender, forms) = unbounded_channel();
    let answers = Arc::new(Mutex::new(VecDeque::from(answers)));
    let service = service_fn(move |request: Request<Body>| {
        let (sender, answers) = (sender.clone(), answers.clone());
        async move {
            assert_eq!((request.uri(), request.method()), (&REVOCATION_URL.parse().unwrap(), &http::Method::POST));
            assert_eq!(authorization(&request), Some("Basic aWQ6c2VjcmV0"));
            sender.send(form(request).await)?;
            Ok::<_, BoxError>(answers.lock().unwrap().pop_front().unwrap_or_else(|| answer(200, "")))
        }
    });
    (Transport::new(service), forms)
}

async fn revoke(token: &Token, answers: Vec<Response<Body>>) -> (Result<(), Error>, Vec<Vec<(String, String)>>) {
    let endpoint = RevocationEndpoint::new(REVOCATION_URL, Client::basic("id", "secret")).unwrap();
    let (http, mut forms) = server(answers);
    let outcome = endpoint.revoke(&http, token).await;
    (outcome, std::iter::from_fn(|| forms.try_recv().ok()).collect())
}

fn oauth_error(code: &str) -> Response<Body> {
    answer(400, serde_json::json!({"error": code, "error_description": "not hunter2-r, not hunter2-a"}))
}

#[tokio::test]
async fn the_refresh_token_first_and_then_the_access_token() {
    let refresh = pairs(&[("token", "hunter2-r"), ("token_type_hint", "refresh_token")]);
    let access = pairs(&[("token", "hunter2-a"), ("token_type_hint", "access_token")]);
    let (outcome, forms) = revoke(&token(), vec![]).await;
    outcome.unwrap();
    assert_eq!(forms, [refresh, access.clone()]);
    let (outcome, forms) = revoke(&Token::bearer("hunter2-a").unwrap(), vec![]).await;
    outcome.unwrap();
    assert_eq!(forms, [access]);
}

/// A public client sends its identifier in the form.
#[tokio::test]
async fn by_a_public_client() {
    let (sender, mut forms) = unbounded_channel();
    let service = service_fn(move |request: Request<Body>| {
        let sender = sender.clone();
        async move {
            sender.send(form(request).await)?;
            Ok::<_, BoxError>(answer(200, ""))
        }
    });
    let endpoint = RevocationEndpoint::new(REVOCATION_URL, Client::public("app")).unwrap();
    endpoint.revoke(&Transport::new(service), &Token::bearer("hunter2-a").unwrap()).await.unwrap();
    let sent = forms.recv().await.unwrap();
    assert_eq!(sent, pairs(&[("token", "hunter2-a"), ("token_type_hint", "access_token"), ("client_id", "app")]));
}

#[tokio::test]
async fn the_body_of_a_successful_response_is_ignored() {
    let long = "x".repeat(2 * 1024 * 1024);
    for body in ["", "{}", "null", "OK", "<html>bye</html>", r#"{"error": "invalid_token"}"#, long.as_str()] {
        let (outcome, forms) = revoke(&token(), vec![answer(200, body), answer(204, "")]).await;
        outcome.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(forms.len(), 2);
    }
}

#[tokio::test]
async fn a_server_that_cannot_revoke_access_tokens() {
    let (outcome, _) = revoke(&token(), vec![answer(200, ""), oauth_error("unsupported_token_type")]).await;
    outcome.unwrap();
    // There is no refresh token.
    let (outcome, _) = revoke(&Token::bearer("hunter2-a").unwrap(), vec![oauth_error("unsupported_token_type")]).await;
    assert_eq!(outcome.unwrap_err().oauth().unwrap().error(), "unsupported_token_type");
    // Neither token was revoked.
    let (outcome, _) =
        revoke(&token(), vec![oauth_error("invalid_request"), oauth_error("unsupported_token_type")]).await;
    assert_eq!(outcome.unwrap_err().oauth().unwrap().error(), "invalid_request");
}

#[tokio::test]
async fn the_error_is_returned_and_both_tokens_are_sent() {
    let mut overloaded = answer(503, "");
    overloaded.headers_mut().insert("retry-after", "7".parse().unwrap());
    let (outcome, forms) = revoke(&token(), vec![overloaded]).await;
    let error = outcome.unwrap_err();
    assert_eq!((error.kind(), error.is_transient()), (ErrorKind::Overloaded, true));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    assert_eq!(forms.len(), 2);

    for (response, kind) in [
        (oauth_error("invalid_client"), ErrorKind::ClientRejected),
        (oauth_error("invalid_request"), ErrorKind::RequestRejected),
        (answer(404, ""), ErrorKind::NotOAuth),
        (answer(302, ""), ErrorKind::Redirected),
    ] {
        let (outcome, _) = revoke(&token(), vec![answer(200, ""), response]).await;
        let error = outcome.unwrap_err();
        assert_eq!((error.kind(), error.is_transient()), (kind, false));
        // The description of the server contains a secret.
        assert_eq!(error.oauth().and_then(|oauth| oauth.description()), None);
    }
}

#[test]
fn an_invalid_address() {
    for (url, kind) in [
        ("http://auth.example.com/revoke", ErrorKind::Cleartext),
        ("auth.example.com/revoke", ErrorKind::Configuration),
        ("https://auth.example.com/revoke#", ErrorKind::Configuration),
    ] {
        let error = RevocationEndpoint::new(url, Client::public("app")).unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.to_string().contains("`revocation_url`"), "{error}");
    }
    RevocationEndpoint::new("http://127.0.0.1/revoke", Client::public("app")).unwrap();
    RevocationEndpoint::new(REVOCATION_URL, Client::public("")).unwrap_err();
}

#[test]
fn it_is_shared_and_prints_no_secret() {
    fn share<T: Send + Sync + Clone + 'static>(_: &T) {}
    let endpoint = RevocationEndpoint::new(REVOCATION_URL, Client::basic("id", "hunter2")).unwrap();
    share(&endpoint);
    let printed = format!("{endpoint:?}");
    assert!(printed.contains("/revoke") && !printed.contains("hunter2"), "{printed}");
}
