//! Requests to the server's endpoints name this crate, and accept only responses without compression.

use std::sync::{Arc, Mutex};

use http::{HeaderMap, Request, Response};
use serde_json::json;
use tower::{BoxError, service_fn};
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::RevocationEndpoint;
use tower_oauth2::grant::{AuthorizationCode, ClientCredentials, Context, DeviceCode, Grant, RefreshToken};
use tower_oauth2::transport::Transport;
use tower_oauth2::{Error, Token};

use crate::support::{Body, TOKEN_URL, answer};

const DEVICE_URL: &str = "https://auth.example.com/device";
const REVOCATION_URL: &str = "https://auth.example.com/revoke";

/// The paths and the headers of the received requests.
type Seen = Arc<Mutex<Vec<(String, HeaderMap)>>>;

/// Returns a transport to a server whose endpoints all succeed.
fn server() -> (Transport, Seen) {
    let seen = Seen::default();
    let service = service_fn({
        let seen = seen.clone();
        move |request: Request<Body>| {
            let path = request.uri().path().to_owned();
            seen.lock().unwrap().push((path.clone(), request.headers().clone()));
            async move { Ok::<Response<Body>, BoxError>(success(&path)) }
        }
    });
    (Transport::new(service), seen)
}

fn success(path: &str) -> Response<Body> {
    match path {
        "/device" => answer(
            200,
            json!({"device_code": "d", "user_code": "u", "verification_uri": "https://example.com/", "expires_in": 60}),
        ),
        _ => answer(200, json!({"access_token": "a", "refresh_token": "r"})),
    }
}

fn client() -> Client {
    Client::basic("id", "secret")
}

/// Sends one request with each grant to each of its endpoints.
async fn request_all(agent: Option<&str>) -> Result<Vec<(String, HeaderMap)>, Error> {
    let (http, seen) = server();
    macro_rules! with_agent {
        ($built:expr) => {
            match agent {
                Some(agent) => $built.header("User-Agent", agent)?,
                None => $built,
            }
        };
    }
    with_agent!(ClientCredentials::new(TOKEN_URL, client())?).obtain(Context::new(http.clone())).await?;
    with_agent!(RefreshToken::new(TOKEN_URL, client(), "r")?).obtain(Context::new(http.clone())).await?;
    with_agent!(DeviceCode::new(DEVICE_URL, TOKEN_URL, client(), |_| {})?).obtain(Context::new(http.clone())).await?;
    let code = with_agent!(AuthorizationCode::new("https://auth.example.com/authorize", TOKEN_URL, client())?);
    let login = code.authorization_url("https://app.example/")?;
    let query = format!("code=c&state={}", login.state());
    code.exchange(&http, code.callback(login, &query)?).await?;
    with_agent!(RevocationEndpoint::new(REVOCATION_URL, client())?).revoke(&http, &Token::bearer("a")?).await?;
    let seen = seen.lock().unwrap().clone();
    let paths: Vec<_> = seen.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["/token", "/token", "/device", "/token", "/token", "/revoke"]);
    Ok(seen)
}

#[tokio::test(start_paused = true)]
async fn every_request_names_this_crate_and_accepts_no_coding() {
    let version: Vec<&str> = env!("CARGO_PKG_VERSION").split('.').take(2).collect();
    for (path, headers) in request_all(None).await.unwrap() {
        assert_eq!(headers["user-agent"], format!("tower-oauth2/{}", version.join(".")), "{path}");
        assert_eq!(headers["accept-encoding"], "identity", "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_configured_user_agent_replaces_the_default() {
    for (path, headers) in request_all(Some("my-program/1.0")).await.unwrap() {
        let sent: Vec<_> = headers.get_all("user-agent").iter().collect();
        assert_eq!(sent, ["my-program/1.0"], "{path}");
    }
}

/// For an HTTP service that decodes responses itself.
#[tokio::test]
async fn a_configured_accept_encoding_replaces_the_default() {
    let (http, seen) = server();
    let grant = ClientCredentials::new(TOKEN_URL, client()).unwrap().header("Accept-Encoding", "gzip").unwrap();
    grant.obtain(Context::new(http)).await.unwrap();
    let headers = &seen.lock().unwrap()[0].1;
    assert_eq!(headers.get_all("accept-encoding").iter().collect::<Vec<_>>(), ["gzip"]);
}
