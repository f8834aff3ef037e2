//! A login in the browser (RFC 6749 §4.1, with PKCE), for a program on the user's machine.
//!
//! ```text
//! cargo run --example authorization_code --features loopback
//! ```
//!
//! The first request opens the browser, and waits until the server redirects it to a port of 127.0.0.1 on which the program listens.
//! On a terminal, you are the user: log in as `alice` with any password. Without a terminal, or with `TOWER_OAUTH2_UNATTENDED=1`, the
//! program simulates the user.
//!
//! The authorization server and the API run inside the program, on 127.0.0.1.

mod support;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use hyper_util::{client::legacy, rt::TokioExecutor};
use support::{Api, AuthServer, Choice, Settings, browser, check, is_attended};
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, client::Client, grant::AuthorizationCode};

#[tokio::main]
pub(crate) async fn main() -> Result<(), BoxError> {
    let server = AuthServer::start(Settings::default()).await?;
    let api = Api::start(&server).await?;
    let grant = AuthorizationCode::new(server.authorization_url(), server.token_url(), Client::public("app"))?
        .scope("orders")?;

    if is_attended() {
        println!("Log in on the page that your browser shows.");
        let status = call(grant, &api).await?;
        println!("the API responds with {status}");
        return check(status == 200, "the API accepts the token");
    }

    let (alice, mut shown) = browser(Choice::Allow);
    let status = call(grant.clone().browser(alice), &api).await?;
    let page = shown.recv().await.ok_or("the browser was not opened")??;
    println!("the API responds with {status}");
    println!("the browser shows {}: {}", page.status, page.message());
    check(status == 200 && page.status == 200, "the API accepts the token, and the page reports success")?;

    let (alice, mut shown) = browser(Choice::Deny);
    let error = call(grant.browser(alice), &api).await.err().ok_or("the request succeeded without consent")?;
    let error = error.downcast::<Error>()?;
    let page = shown.recv().await.ok_or("the browser was not opened")??;
    println!("when the user denies: {error}");
    println!("the browser shows {}: {}", page.status, page.message());
    check(error.kind() == ErrorKind::Denied, "the error is `Denied`")
}

/// Logs in, and sends two requests to the API.
async fn call(grant: AuthorizationCode, api: &Api) -> Result<StatusCode, BoxError> {
    let mut client = ServiceBuilder::new()
        .layer(OAuth2Layer::new(grant).origin(api.origin())?)
        .service(legacy::Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>());
    let request = || Request::get(api.url("/orders")).body(Full::default());
    client.ready().await?.call(request()?).await?;
    Ok(client.ready().await?.call(request()?).await?.status())
}
