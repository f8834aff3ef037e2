//! The ready-made HTTPS client: `tower_oauth2::https::client()`.
//!
//! ```text
//! cargo run --example https --features https
//! ```
//!
//! The client trusts the system's certificates, uses the proxies of the environment (`HTTPS_PROXY`, `NO_PROXY` and so on), and supports
//! HTTP/1.1 and HTTP/2. `https::builder()` has its timeouts.
//!
//! The example needs no setup. The authorization server and the API run inside the program. They have no certificate, so the example uses
//! plain http to 127.0.0.1. The layer allows plain http only to loopback addresses: the last request, to another host, is denied.

mod support;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use support::{Api, AuthServer, Settings, check};
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};
use tower_oauth2::{Error, OAuth2Layer, client::Client, grant::ClientCredentials, https};

#[tokio::main]
pub(crate) async fn main() -> Result<(), BoxError> {
    let server = AuthServer::start(Settings::default()).await?;
    let api = Api::start(&server).await?;

    let grant = ClientCredentials::new(server.token_url(), Client::basic("example", "secret"))?;
    let mut client = ServiceBuilder::new().layer(OAuth2Layer::new(grant)).service(https::client::<Full<Bytes>>()?);

    let request = Request::get(api.url("/hello")).body(Full::default())?;
    let status = client.ready().await?.call(request).await?.status();
    println!("to 127.0.0.1:              {status}");
    check(status == 200, "the API accepts the token")?;

    let request = Request::get("http://api.example.com/hello").body(Full::default())?;
    let denied = client.ready().await?.call(request).await.err();
    let denied = denied.ok_or("a token over plain http was sent to another machine")?;
    println!("to http://api.example.com: {denied}");
    check(denied.is::<Error>(), "the error is from the layer")
}
