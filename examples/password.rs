//! A person's name and password: for the servers that offer a person nothing better.
//!
//! ```text
//! cargo run --example password
//! ```
//!
//! RFC 9700 §2.4 forbids this grant: the program sees the password, and there can be no second factor. Where you have the
//! choice, see `authorization_code.rs` and `device_code.rs`.
//!
//! Nothing else is needed. The authorization server and the API run inside the program, on 127.0.0.1.

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
    println!("the password brings a token:       {status}");
    check(status == 200 && server.token_calls() == 1, "the password was enough")?;

    sleep(LIFETIME).await;
    let status = client.ready().await?.call(request()?).await?.status();
    println!("it has expired, and is renewed:    {status}");
    check(status == 200 && server.token_calls() == 2, "the refresh token brought the second one")?;

    sleep(LIFETIME).await;
    server.registry().revoke_refresh_tokens();
    let status = client.ready().await?.call(request()?).await?.status();
    println!("the refresh token has ended, too:  {status}");
    check(status == 200 && server.token_calls() == 4, "after the refresh token the password was tried again")?;

    let stranger = OAuth2Layer::new(grant_for("mallory")?).origin(api.origin())?;
    let mut client = ServiceBuilder::new().layer(stranger).service(http);
    let refusal = client.ready().await?.call(request()?).await.err().ok_or("a stranger got in")?;
    let refusal = refusal.downcast::<Error>()?;
    println!("somebody else:                     {refusal}");
    check(refusal.kind() == ErrorKind::InvalidGrant, "the server does not know them")
}
