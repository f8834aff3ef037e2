//! The ready-made HTTPS client: `tower_oauth2::https::client()`.
//!
//! ```text
//! cargo run --example https --features https
//! ```
//!
//! It trusts the certificates that the system trusts and speaks HTTP/1.1 and HTTP/2. This program has no server with
//! such a certificate at hand, so it talks to one on 127.0.0.1 over plain http, which the same client speaks and which
//! the layer allows to loopback addresses only. The last step shows that: a real host over plain http gets no token.
//!
//! Nothing else is needed. The authorization server and the API run inside the program.

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
    let mut client = ServiceBuilder::new().layer(OAuth2Layer::new(grant)).service(https::client::<Full<Bytes>>());

    let request = Request::get(api.url("/hello")).body(Full::default())?;
    let status = client.ready().await?.call(request).await?.status();
    println!("to 127.0.0.1:              {status}");
    check(status == 200, "the API accepts the token")?;

    let request = Request::get("http://api.example.com/hello").body(Full::default())?;
    let refusal = client.ready().await?.call(request).await.err();
    let refusal = refusal.ok_or("a token over plain http was sent to another machine")?;
    println!("to http://api.example.com: {refusal}");
    check(refusal.is::<Error>(), "the layer itself refuses")
}
