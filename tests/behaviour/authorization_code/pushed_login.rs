//! A login on this machine with a pushed request: the push comes before the browser, and its failure ends the login.

use std::time::Duration;

use serde_json::json;
use tokio::sync::mpsc;
use tower_oauth2::{ErrorKind, OAuth2Layer, Tokens};
use url::Url;

use super::par_server::{PAR_URL, ParServer, get, query};
use super::{fetch, grant};
use crate::support::{Body, answer, pass};

/// A program that logs in at this server, and the URLs that its browser has opened.
fn program(server: &ParServer) -> (Tokens, mpsc::UnboundedReceiver<Url>) {
    let (show, shown) = mpsc::unbounded_channel();
    let grant = grant().pushed(PAR_URL).unwrap().browser(move |url| show.send(url.clone()).unwrap());
    (OAuth2Layer::new(grant).token_service(server.service()).tokens(), shown)
}

#[tokio::test]
async fn the_request_is_pushed_before_the_browser_is_opened() {
    let server = ParServer::default();
    let (tokens, mut shown) = program(&server);
    let waiting = tokio::spawn(async move { tokens.get().await });
    let url = shown.recv().await.unwrap();
    let push = server.take_one();
    assert_eq!(get(&query(&url), "request_uri"), Some("urn:example:1"));
    let redirect_uri = push.get("redirect_uri");
    assert!(redirect_uri.starts_with("http://127.0.0.1:"), "{redirect_uri}");
    let (status, _) = fetch(&format!("{redirect_uri}?code=c&state={}", push.get("state"))).await;
    assert_eq!(status, 200);
    assert_eq!(waiting.await.unwrap().unwrap().access_token(), "a");
    let exchange = server.take_one();
    assert_eq!(exchange.get("redirect_uri"), redirect_uri);
    assert_eq!(super::request::challenge(exchange.get("code_verifier")), push.get("code_challenge"));
}

fn overloaded() -> http::Response<Body> {
    let mut response = answer(503, "");
    response.headers_mut().insert("retry-after", "20".parse().unwrap());
    response
}

/// P8: the person was not asked, so the next request pushes again, after the back-off.
#[tokio::test(start_paused = true)]
async fn a_failed_push_ends_the_login_before_the_browser_is_opened() {
    for (response, kind, wait) in [
        (overloaded(), ErrorKind::Overloaded, 22),
        (answer(400, json!({"error": "invalid_request"})), ErrorKind::RequestRejected, 2),
        (answer(405, ""), ErrorKind::NotOAuth, 2),
        (answer(201, json!({"expires_in": 60})), ErrorKind::Malformed, 2),
    ] {
        let server = ParServer::default().respond(response);
        let (tokens, mut shown) = program(&server);
        for _ in 0..2 {
            let error = tokens.get().await.unwrap_err();
            assert_eq!(error.kind(), kind);
            assert!(error.retry_at().is_some(), "{error}");
        }
        assert_eq!(server.received().len(), 1, "{kind:?}: the error was not kept for the back-off");
        assert!(shown.try_recv().is_err(), "a browser was opened");

        pass(Duration::from_secs(wait)).await;
        let waiting = tokio::spawn(async move { tokens.get().await });
        let url = shown.recv().await.unwrap();
        assert_eq!(get(&query(&url), "request_uri"), Some("urn:example:2"), "{kind:?}");
        waiting.abort();
    }
}

/// The port is open while the request is pushed. A second login of the same grant takes it over.
#[tokio::test(start_paused = true)]
async fn a_login_that_is_replaced_during_its_push_opens_no_browser() {
    let (show, mut shown) = mpsc::unbounded_channel();
    let (service, mut handle) = tower_test::mock::pair::<http::Request<Body>, http::Response<Body>>();
    let grant = grant().pushed(PAR_URL).unwrap().browser(move |url: &Url| show.send(url.clone()).unwrap());
    let tokens = OAuth2Layer::new(grant).token_service(service).tokens();
    let get_token = || {
        let tokens = tokens.clone();
        tokio::spawn(async move { tokens.get().await })
    };
    let first = get_token();
    let (_, respond_to_first) = handle.next_request().await.unwrap();
    tokens.forget();
    let second = get_token();
    let (_, respond_to_second) = handle.next_request().await.unwrap();
    respond_to_first.send_response(answer(201, json!({"request_uri": "urn:example:first"})));
    pass(Duration::from_secs(1)).await;
    respond_to_second.send_response(answer(201, json!({"request_uri": "urn:example:second"})));
    let url = shown.recv().await.unwrap();
    assert_eq!(get(&query(&url), "request_uri"), Some("urn:example:second"));
    assert!(shown.try_recv().is_err(), "the first login opened a browser");
    first.abort();
    second.abort();
}
