//! Pushed authorization requests (RFC 9126): what is pushed, what the browser gets, and which responses are accepted.

use std::time::Duration;

use serde_json::{Value, json};
use tower_oauth2::client::Client;
use tower_oauth2::grant::AuthorizationCode;
use tower_oauth2::{Error, ErrorKind};

use super::par_server::{PAR_URL, ParServer, get, query};
use super::{AUTHORIZATION_URL, grant};
use crate::support::{Body, TOKEN_URL, answer};

const REDIRECT_URI: &str = "https://app.example.com/callback?at=1";

fn confidential() -> AuthorizationCode {
    let client = Client::basic("id", "hunter2-secret");
    AuthorizationCode::new(AUTHORIZATION_URL, TOKEN_URL, client).unwrap().pushed(PAR_URL).unwrap()
}

/// P1, P3, P7.
#[tokio::test]
async fn everything_is_pushed_and_the_browser_gets_a_reference() {
    let server = ParServer::default();
    let grant = confidential()
        .scope("read  write")
        .unwrap()
        .resource("https://a.example/")
        .unwrap()
        .resource("https://b.example/")
        .unwrap()
        .param("prompt", "login")
        .param("request_uri", "urn:example:another")
        .param("request", "e30.e30.c2ln")
        .param("client_id", "another")
        .header("X-Api-Key", "k")
        .unwrap();
    let login = grant.begin(&server.transport(), REDIRECT_URI).await.unwrap();

    let push = server.take_one();
    assert_eq!(push.uri, PAR_URL, "the query of the endpoint is kept");
    assert_eq!(push.headers["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(push.headers["accept"], "application/json");
    assert_eq!(push.headers["x-api-key"], "k");
    assert!(push.headers["authorization"].to_str().unwrap().starts_with("Basic "));
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "id"),
        ("redirect_uri", REDIRECT_URI),
        ("state", login.state()),
        ("code_challenge_method", "S256"),
        ("scope", "read write"),
        ("prompt", "login"),
    ] {
        assert_eq!(push.get(name), value, "{name}");
    }
    assert_eq!(push.get("code_challenge").len(), 43);
    let resources: Vec<_> = push.form.iter().filter(|(name, _)| name == "resource").map(|(_, uri)| uri).collect();
    assert_eq!(resources, ["https://a.example/", "https://b.example/"]);
    assert_eq!(get(&push.form, "request_uri"), None);
    assert_eq!(get(&push.form, "request"), None);
    assert_eq!(get(&push.form, "grant_type"), None);

    // The endpoint's own query is kept, except for a parameter of the request.
    let url = "https://auth.example.com/authorize?tenant=7&client_id=id&request_uri=urn%3Aexample%3A1";
    assert_eq!(login.url().as_str(), url);
}

/// RFC 9126 §2.1, §2.2 and §4.
#[tokio::test]
async fn the_example_of_the_rfc() {
    let reference = "urn:ietf:params:oauth:request_uri:6esc_11ACC5bwc014ltc14eY22c";
    let server = ParServer::default().respond(answer(201, json!({"request_uri": reference, "expires_in": 60})));
    let client = Client::basic("s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw");
    let grant = AuthorizationCode::new("https://as.example.com/authorize", "https://as.example.com/token", client);
    let grant = grant.unwrap().pushed(PAR_URL).unwrap().scope("account-information").unwrap();
    let login = grant.begin(&server.transport(), "https://client.example.org/cb").await.unwrap();
    let push = server.take_one();
    let pushed =
        ["client_id", "code_challenge", "code_challenge_method", "redirect_uri", "response_type", "scope", "state"];
    assert_eq!(push.names(), pushed);
    assert_eq!(
        login.url().as_str(),
        "https://as.example.com/authorize?client_id=s6BhdRkqt3\
         &request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3A6esc_11ACC5bwc014ltc14eY22c"
    );
}

/// P1: each client is named in the body, with its authentication.
#[tokio::test]
async fn the_client_authenticates_as_at_the_token_endpoint() {
    for (client, names, has_header) in [
        (Client::public("id"), &["client_id"][..], false),
        (Client::post("id", "secret"), &["client_id", "client_secret"], false),
        (Client::tls("id"), &["client_id"], false),
        (Client::basic("id", "secret"), &["client_id"], true),
        (Client::basic_raw("id", "secret"), &["client_id"], true),
        (
            Client::private_key_jwt("id", super::par_server::signer()).audience("https://auth.example.com"),
            &["client_assertion", "client_assertion_type", "client_id"],
            false,
        ),
    ] {
        let server = ParServer::default();
        let grant = AuthorizationCode::new(AUTHORIZATION_URL, TOKEN_URL, client).unwrap().pushed(PAR_URL).unwrap();
        grant.begin(&server.transport(), REDIRECT_URI).await.unwrap();
        let push = server.take_one();
        let sent: Vec<_> = push.names().into_iter().filter(|name| name.starts_with("client_")).collect();
        assert_eq!(sent, names);
        assert_eq!(push.headers.contains_key("authorization"), has_header);
    }
}

async fn pushed_with(response: http::Response<Body>) -> Result<(), Error> {
    let server = ParServer::default().respond(response);
    let login = confidential().begin(&server.transport(), REDIRECT_URI).await?;
    assert_eq!(get(&query(login.url()), "request_uri"), Some("urn:example:x y"));
    Ok(())
}

/// P2: `request_uri` is what matters. Nothing else of the response is used.
#[tokio::test]
async fn a_reference_is_accepted_with_any_lifetime() {
    for status in [201, 200] {
        for expires_in in
            [json!(60), json!("60"), json!(0), json!(-1), json!(null), json!("soon"), json!(1e300), json!([])]
        {
            pushed_with(answer(status, json!({"request_uri": "urn:example:x y", "expires_in": expires_in})))
                .await
                .unwrap();
        }
        pushed_with(answer(status, json!({"request_uri": "urn:example:x y"}))).await.unwrap();
    }
}

/// P2.
#[tokio::test]
async fn a_response_without_a_reference_is_malformed() {
    let reference = json!({"request_uri": "urn:example:x y", "expires_in": 60});
    for (status, body, named) in [
        (201, json!({"request_uri": ""}), "empty"),
        (201, json!({"request_uri": 7}), "not text"),
        (201, json!({"request_uri": ["urn:example:x"]}), "not text"),
        (201, json!({"request_uri": null}), "missing"),
        (201, json!({"expires_in": 60}), "missing"),
        (201, json!([]), "JSON"),
        (202, reference.clone(), "201"),
        (204, reference, "201"),
    ] {
        let error = pushed_with(answer(status, &body)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{body}: {error}");
        assert_eq!(error.status().unwrap().as_u16(), status);
        assert_eq!(error.endpoint(), Some("auth.example.com/par"));
        assert!(error.to_string().contains(named), "{error}");
    }
}

/// P2, RFC 9126 §2.3.
#[tokio::test]
async fn an_error_is_that_of_a_token_request() {
    let oauth = |code: &str| json!({"error": code, "error_description": "The redirect_uri is not valid"});
    for (status, body, kind) in [
        (400, oauth("invalid_request"), ErrorKind::RequestRejected),
        (400, oauth("invalid_grant"), ErrorKind::InvalidGrant),
        (401, oauth("invalid_client"), ErrorKind::ClientRejected),
        (403, oauth("unauthorized_client"), ErrorKind::ClientRejected),
        (201, oauth("invalid_request"), ErrorKind::RequestRejected),
        (302, Value::Null, ErrorKind::Redirected),
        (404, Value::Null, ErrorKind::NotOAuth),
        (405, Value::Null, ErrorKind::NotOAuth),
        (413, Value::Null, ErrorKind::NotOAuth),
        (429, Value::Null, ErrorKind::Overloaded),
        (503, oauth("invalid_grant"), ErrorKind::Overloaded),
    ] {
        let mut response = answer(status, &body);
        response.headers_mut().insert("retry-after", "7".parse().unwrap());
        let error = pushed_with(response).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{status}: {error}");
        assert_eq!(error.status().unwrap().as_u16(), status);
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
        assert_eq!(error.endpoint(), Some("auth.example.com/par"));
        assert_eq!(error.oauth().is_some(), !body.is_null());
    }
    let error = pushed_with(answer(200, "<html>Log in to the hotel's network</html>")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed, "{error}");
}

/// P4.
#[tokio::test]
async fn each_login_pushes_its_own_request() {
    let server = ParServer::default();
    let (grant, http) = (confidential(), server.transport());
    let one = grant.begin(&http, REDIRECT_URI).await.unwrap();
    let two = grant.begin(&http, REDIRECT_URI).await.unwrap();
    assert_eq!(get(&query(one.url()), "request_uri"), Some("urn:example:1"));
    assert_eq!(get(&query(two.url()), "request_uri"), Some("urn:example:2"));
    let received = server.received();
    let [first, second] = &received[..] else { panic!("{received:?}") };
    for name in ["state", "code_challenge"] {
        assert_ne!(first.get(name), second.get(name), "{name}");
    }
}

/// The steps of a web application, of which another replica makes the last ones.
#[tokio::test]
async fn a_pushed_login_is_completed_by_another_replica() {
    let server = ParServer::default();
    let login = confidential().begin(&server.transport(), REDIRECT_URI).await.unwrap();
    let push = server.take_one();
    let login = serde_json::from_str(&serde_json::to_string(&login).unwrap()).unwrap();
    let replica = confidential();
    let code = replica.callback(login, &format!("code=c&state={}", push.get("state"))).unwrap();
    replica.exchange(&server.transport(), code).await.unwrap();
    let exchange = server.take_one();
    assert_eq!(super::request::challenge(exchange.get("code_verifier")), push.get("code_challenge"));
    assert_eq!(exchange.get("redirect_uri"), REDIRECT_URI);
}

#[tokio::test]
async fn what_cannot_be_pushed_is_an_error() {
    let error = confidential().authorization_url(REDIRECT_URI).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("call `begin`"), "{error}");
    for (url, kind) in [
        ("auth.example.com/par", ErrorKind::Configuration),
        ("https://auth.example.com/par#", ErrorKind::Configuration),
        ("http://auth.example.com/par", ErrorKind::Cleartext),
    ] {
        let error = grant().pushed(url).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains("`par_url`"), "{error}");
    }
    let server = ParServer::default();
    let error = confidential().begin(&server.transport(), "callback").await.unwrap_err();
    assert!(error.to_string().contains("`redirect_uri`"), "{error}");
    assert!(server.received().is_empty());
}

/// Without options, `begin` sends nothing.
#[tokio::test]
async fn a_plain_login_begins_without_the_network() {
    let server = ParServer::default();
    let login = grant().begin(&server.transport(), REDIRECT_URI).await.unwrap();
    assert_eq!(get(&query(login.url()), "redirect_uri"), Some(REDIRECT_URI));
    assert_eq!(get(&query(login.url()), "state"), Some(login.state()));
    assert!(server.received().is_empty());
}

/// P8: the server repeats what it received.
#[tokio::test]
async fn no_error_repeats_a_secret_of_the_request() {
    for (grant, secret) in [
        (confidential(), "hunter2-secret"),
        (confidential().param("login_hint", "alice@example.com"), "alice@example.com"),
        (
            confidential().authorization_details(json!([{"type": "a", "iban": "DE02100100109307118603"}])).unwrap(),
            "DE02100100109307118603",
        ),
    ] {
        for grant in
            [grant.clone(), grant.request_object(super::par_server::signer()).issuer("https://auth.example.com")]
        {
            let body = json!({"error": "invalid_request", "error_description": format!("not valid: {secret}")});
            let server = ParServer::default().respond(answer(400, body));
            let error = grant.begin(&server.transport(), REDIRECT_URI).await.unwrap_err();
            assert_eq!(error.oauth().unwrap().error(), "invalid_request");
            assert!(!format!("{error} {error:?}").contains(secret), "{error}");
        }
    }
}
