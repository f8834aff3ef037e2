//! The password grant, for servers that support no other login.
//!
//! ```text
//! cargo run --example password
//! ```
//!
//! RFC 9700 §2.4 forbids this grant: the program gets the password, and a second factor is impossible. If possible, use
//! `authorization_code.rs` or `device_code.rs` instead.
//!
//! The authorization server and the API run inside the program, on 127.0.0.1.

mod support;

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::{client::legacy, rt::TokioExecutor};
use support::{Api, AuthServer, Settings, check};
use tokio::time::sleep;
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, client::Client, grant::Password};

const LIFETIME: Duration = Duration::from_secs(1);

#[tokio::main]
pub(crate) async fn main() -> Result<(), BoxError> {
    let server = AuthServer::start(Settings::default().lifetime(LIFETIME).refresh_tokens()).await?;
    let api = Api::start(&server).await?;
    let http = legacy::Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let grant_for = |name| Password::new(server.token_url(), Client::public("app"), name, "any password will do");

    let oauth = OAuth2Layer::new(grant_for("alice")?.scope("orders")?).origin(api.origin())?;
    let mut client = ServiceBuilder::new().layer(oauth).service(http.clone());
    let request = || Request::get(api.url("/orders")).body(Full::default());

    let status = client.ready().await?.call(request()?).await?.status();
    println!("with the password:                   {status}");
    check(status == 200 && server.token_requests() == 1, "one token request with the password")?;

    sleep(LIFETIME).await;
    let status = client.ready().await?.call(request()?).await?.status();
    println!("expired, with the refresh token:     {status}");
    check(status == 200 && server.token_requests() == 2, "one refresh")?;

    sleep(LIFETIME).await;
    server.registry().revoke_refresh_tokens();
    let status = client.ready().await?.call(request()?).await?.status();
    println!("refresh token revoked, password:     {status}");
    check(status == 200 && server.token_requests() == 4, "a rejected refresh, then the password again")?;

    let unknown = OAuth2Layer::new(grant_for("mallory")?).origin(api.origin())?;
    let mut client = ServiceBuilder::new().layer(unknown).service(http);
    let error = client.ready().await?.call(request()?).await.err().ok_or("an unknown user got a token")?;
    let error = error.downcast::<Error>()?;
    println!("an unknown user:                     {error}");
    check(error.kind() == ErrorKind::InvalidGrant, "the error is `InvalidGrant`")
}
