//! `map_request` and `map_response`: functions of the user that change each request to the server's endpoints, and each response.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::header::{AUTHORIZATION, USER_AGENT};
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::{BoxError, service_fn};
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::{RevocationEndpoint, TokenEndpoint};
use tower_oauth2::form::Form;
use tower_oauth2::grant::{AuthorizationCode, ClientCredentials, Context, DeviceCode, Grant, Password, RefreshToken};
use tower_oauth2::transport::Transport;
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token};

use crate::support::{Body, TOKEN_URL, answer, grant};

const DEVICE_URL: &str = "https://auth.example.com/device";

type Seen = Arc<Mutex<Vec<Request<Bytes>>>>;

/// A server whose response depends on the path, and the requests that it receives.
fn server(answers: impl Fn(&str) -> Response<Body> + Clone + Send + Sync + 'static) -> (Transport, Seen) {
    let seen = Seen::default();
    let service = service_fn({
        let seen = seen.clone();
        move |request: Request<Body>| {
            let (seen, answers) = (seen.clone(), answers.clone());
            async move {
                let (parts, body) = request.into_parts();
                let answer = answers(parts.uri.path());
                let body = body.collect().await?.to_bytes();
                seen.lock().unwrap().push(Request::from_parts(parts, body));
                Ok::<_, BoxError>(answer)
            }
        }
    });
    (Transport::new(service), seen)
}

fn says(status: u16, body: Value) -> (Transport, Seen) {
    server(move |_| answer(status, &body))
}

fn endpoint() -> TokenEndpoint {
    TokenEndpoint::new(TOKEN_URL, Client::basic("id", "hunter2-client")).unwrap()
}

async fn token(endpoint: TokenEndpoint, http: &Transport) -> Result<Token, Error> {
    endpoint.token(http, Form::new("refresh_token").param("refresh_token", "hunter2-refresh")).await
}

// ===== requests =====

#[tokio::test]
async fn a_request_is_changed_after_everything_else() {
    let (http, seen) = says(200, json!({"access_token": "a"}));
    let endpoint = endpoint().header("x-key", "one").unwrap().map_request(|mut request| {
        assert!(request.headers().contains_key(AUTHORIZATION), "the client's authentication is there");
        assert!(request.headers()[USER_AGENT].to_str().unwrap().starts_with("tower-oauth2/"));
        assert_eq!(request.headers()["x-key"], "one");
        assert!(request.body().starts_with(b"grant_type=refresh_token&"));
        request.headers_mut().remove(AUTHORIZATION);
        *request.method_mut() = http::Method::PUT;
        *request.uri_mut() = Uri::from_static("https://auth.example.com/v2/token?region=eu");
        request.map(|_| Bytes::from_static(b"{}"))
    });
    token(endpoint, &http).await.unwrap();
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0].uri(), "https://auth.example.com/v2/token?region=eu");
    assert_eq!((seen[0].method(), seen[0].body().as_ref()), (&http::Method::PUT, &b"{}"[..]));
    assert!(!seen[0].headers().contains_key(AUTHORIZATION), "the user's function is applied last");
}

#[tokio::test]
async fn several_functions_are_applied_in_their_order() {
    let add = |text: &'static str| {
        move |request: Request<Bytes>| request.map(|body| [&body[..], text.as_bytes()].concat().into())
    };
    let (http, seen) = says(200, json!({"access_token": "a"}));
    let endpoint = endpoint().map_request(add("&one=1")).map_request(add("&two=2"));
    let endpoint = endpoint
        .map_response(|answer| answer.map(|_| Bytes::from_static(br#"{"access_token": "b"}"#)))
        .map_response(|answer| {
            assert_eq!(answer.body().as_ref(), br#"{"access_token": "b"}"#);
            answer.map(|_| Bytes::from_static(br#"{"access_token": "c"}"#))
        });
    assert_eq!(token(endpoint, &http).await.unwrap().access_token(), "c");
    assert!(seen.lock().unwrap()[0].body().ends_with(b"&one=1&two=2"));
}

/// The request has the client's secret in it.
#[tokio::test]
async fn a_request_goes_to_the_same_server_and_not_over_cleartext() {
    for (uri, kind) in [
        ("http://auth.example.com/token", ErrorKind::Cleartext),
        ("http://evil.example/token", ErrorKind::Cleartext),
        ("https://evil.example/token", ErrorKind::Configuration),
        ("https://auth.example.com:444/token", ErrorKind::Configuration),
        ("https://auth.example.com@evil.example/token", ErrorKind::Configuration),
        ("https://me:pw@auth.example.com/token", ErrorKind::Configuration),
        ("http://127.0.0.1/token", ErrorKind::Configuration),
        ("ftp://auth.example.com/token", ErrorKind::Configuration),
        ("/token", ErrorKind::Configuration),
        ("auth.example.com:443", ErrorKind::Configuration),
    ] {
        let (http, seen) = says(200, json!({"access_token": "a"}));
        let endpoint = endpoint().map_request(move |mut request| {
            *request.uri_mut() = uri.parse().unwrap();
            request
        });
        let error = token(endpoint, &http).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{uri}: {error}");
        assert!(error.to_string().contains("`map_request`"), "{error}");
        assert!(!error.to_string().contains("pw"), "{error}");
        assert!(seen.lock().unwrap().is_empty(), "{uri}: the request was sent");
    }
    // Other spellings of the same server.
    for uri in ["https://AUTH.example.com:443/token", "https://auth.example.com/%2e%2e/x?y"] {
        let (http, _) = says(200, json!({"access_token": "a"}));
        let changed = move |mut request: Request<Bytes>| {
            *request.uri_mut() = uri.parse().unwrap();
            request
        };
        token(endpoint().map_request(changed), &http).await.unwrap();
    }
    // Cleartext needs an explicit choice, for this server only.
    let (http, _) = says(200, json!({"access_token": "a"}));
    let mesh = TokenEndpoint::dangerous_cleartext("http://auth.mesh.internal/token", Client::public("id")).unwrap();
    token(mesh.clone().map_request(|request| request), &http).await.unwrap();
    let other = mesh.map_request(|mut request| {
        *request.uri_mut() = Uri::from_static("http://other.mesh.internal/token");
        request
    });
    assert_eq!(token(other, &http).await.unwrap_err().kind(), ErrorKind::Configuration);
}

#[tokio::test]
async fn an_error_does_not_repeat_what_a_function_adds() {
    let added = ["hunter2-header", "hunter2-scheme", "hunter2-json", "hunter2-nested", "hunter2-query"];
    for secret in added.into_iter().chain(["hunter2-client", "hunter2-refresh"]) {
        let body = json!({"error": "invalid_request", "error_description": format!("bad: {secret}!")});
        let (http, _) = says(400, body);
        let endpoint = endpoint().map_request(|mut request| {
            *request.uri_mut() = Uri::from_static("https://auth.example.com/token?key=hunter2-query");
            request.headers_mut().insert("x-key", HeaderValue::from_static("hunter2-header"));
            request.headers_mut().insert(AUTHORIZATION, HeaderValue::from_static("Token hunter2-scheme"));
            let json = json!({"scope": "read write", "apiKey": "hunter2-json", "login": [{"pass": "hunter2-nested"}]});
            request.map(|_| json.to_string().into())
        });
        let error = token(endpoint, &http).await.unwrap_err();
        assert_eq!(error.oauth().unwrap().error(), "invalid_request");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
    // Public parameters may be repeated.
    let body = json!({"error": "invalid_scope", "error_description": "no such scope: read write"});
    let (http, _) = says(400, body);
    let endpoint = endpoint().map_request(|request| request.map(|_| r#"{"scope": "read write"}"#.into()));
    let error = token(endpoint, &http).await.unwrap_err();
    assert_eq!(error.oauth().unwrap().description(), Some("no such scope: read write"));
}

// ===== responses =====

/// A token inside another object, a lifetime in milliseconds, and a failure with status 200.
fn unwrap(answer: Response<Bytes>) -> Response<Bytes> {
    let Ok(body) = serde_json::from_slice::<Value>(answer.body()) else { return answer };
    if body["ok"] == false {
        let body = json!({"error": body["reason"]}).to_string().into();
        return Response::builder().status(400).body(body).unwrap();
    }
    let mut data = body["data"].clone();
    data["expires_in"] = (data["expires_in"].as_u64().unwrap_or_default() / 1000).into();
    answer.map(|_| data.to_string().into())
}

#[tokio::test]
async fn a_response_is_changed_before_it_is_parsed() {
    let (http, _) = says(200, json!({"ok": true, "data": {"access_token": "a", "expires_in": 60_000}}));
    let nested = token(endpoint().map_response(unwrap), &http).await.unwrap();
    assert!(nested.is_expired(std::time::Duration::from_secs(60)));
    assert!(!nested.is_expired(std::time::Duration::from_secs(50)));
    let (http, _) = says(200, json!({"ok": false, "reason": "invalid_grant"}));
    let error = token(endpoint().map_response(unwrap), &http).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::InvalidGrant, Some(StatusCode::BAD_REQUEST)));
    // It also receives redirects and error pages, and can leave them unchanged.
    let (http, _) = server(|_| answer(503, "<html>"));
    assert_eq!(token(endpoint().map_response(unwrap), &http).await.unwrap_err().kind(), ErrorKind::Overloaded);
}

/// Each grant sends one request to each of its endpoints.
#[tokio::test(start_paused = true)]
async fn they_apply_to_every_endpoint_of_every_grant() -> Result<(), Error> {
    let (http, seen) = server(|path| match path {
        "/device" => answer(
            200,
            json!({"data": {"device_code": "d", "user_code": "u", "verification_uri": "https://example.com/", "expires_in": 60}}),
        ),
        _ => answer(200, json!({"data": {"access_token": "a", "refresh_token": "r"}})),
    });
    fn sign(mut request: Request<Bytes>) -> Request<Bytes> {
        request.headers_mut().insert("x-signature", HeaderValue::from_static("s"));
        request
    }
    fn data(answer: Response<Bytes>) -> Response<Bytes> {
        answer.map(|body| serde_json::from_slice::<Value>(&body).unwrap()["data"].to_string().into())
    }
    let client = || Client::post("id", "secret");
    let http = || Context::new(http.clone());
    macro_rules! obtain {
        ($grant:expr) => {{
            let grant = $grant.map_request(sign).map_response(data);
            let token = grant.obtain(http()).await?;
            assert_eq!(token.access_token(), "a");
            grant.obtain(http().with_previous(token)).await?;
        }};
    }
    obtain!(ClientCredentials::new(TOKEN_URL, client())?);
    obtain!(Password::new(TOKEN_URL, client(), "alice", "secret")?);
    obtain!(RefreshToken::new(TOKEN_URL, client(), "r")?);
    obtain!(DeviceCode::new(DEVICE_URL, TOKEN_URL, client(), |_| {})?);
    let code = AuthorizationCode::new("https://auth.example.com/authorize", TOKEN_URL, client())?;
    let code = code.map_request(sign).map_response(data);
    let login = code.authorization_url("https://app.example/")?;
    let query = format!("code=c&state={}", login.state());
    code.exchange(http().transport(), code.callback(login, &query)?).await?;
    let revocation = RevocationEndpoint::new("https://auth.example.com/revoke", client())?;
    revocation.map_request(sign).map_response(data).revoke(http().transport(), &Token::bearer("a")?).await?;

    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 11);
    assert!(seen.iter().all(|request| request.headers()["x-signature"] == "s"));
    Ok(())
}

#[tokio::test]
async fn a_revocation_that_fails_with_status_200() {
    let (http, _) = says(200, json!({"ok": false, "error": "token_revoked"}));
    let endpoint = RevocationEndpoint::new("https://auth.example.com/revoke", Client::none()).unwrap();
    endpoint.revoke(&http, &Token::bearer("a").unwrap()).await.unwrap();
    let endpoint = endpoint.map_response(|mut answer| {
        *answer.status_mut() = StatusCode::BAD_REQUEST;
        answer
    });
    let error = endpoint.revoke(&http, &Token::bearer("a").unwrap()).await.unwrap_err();
    assert_eq!(error.oauth().unwrap().error(), "token_revoked");
}

// ===== panics and secrets =====

#[tokio::test]
async fn a_panic_is_an_error() {
    let (http, seen) = says(200, json!({"access_token": "a"}));
    let error = token(endpoint().map_request(|_| panic!("hunter2")), &http).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Panicked);
    assert!(error.to_string().contains("`map_request`"), "{error}");
    assert!(seen.lock().unwrap().is_empty(), "nothing is sent");
    let error = token(endpoint().map_response(|_| panic!("hunter2")), &http).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Panicked, Some(StatusCode::OK)));
    assert!(error.to_string().contains("`map_response`"), "{error}");
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
}

/// The layer works after a panic.
#[tokio::test(start_paused = true)]
async fn after_a_panic_the_next_attempt_follows_the_back_off() {
    let (service, _forms) = crate::support::token_endpoint(vec![]);
    let calls = Arc::new(Mutex::new(0));
    let grant = grant().map_response(move |answer| {
        let mut calls = calls.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        *calls += 1;
        assert!(*calls > 1, "the first one");
        answer
    });
    let tokens = OAuth2Layer::new(grant).token_service(service).tokens();
    assert_eq!(tokens.get().await.unwrap_err().kind(), ErrorKind::Panicked);
    crate::support::pass(std::time::Duration::from_secs(5)).await;
    assert_eq!(tokens.get().await.unwrap().access_token(), "a");
}

#[test]
fn secrets_of_functions_are_not_printed() {
    let secret = "hunter2".to_owned();
    let own = move |request: Request<Bytes>| if secret.is_empty() { Request::default() } else { request };
    let grant = grant().map_request(own.clone()).map_response(|answer| answer);
    let revocation = RevocationEndpoint::new("https://auth.example.com/revoke", Client::none()).unwrap();
    let printed = format!("{grant:#?} {:?} {:?}", endpoint().map_request(own.clone()), revocation.map_request(own));
    assert!(!printed.contains("hunter2"), "{printed}");
}
