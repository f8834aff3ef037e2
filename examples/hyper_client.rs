//! A minimal example: the layer over hyper-util's client.
//!
//! ```text
//! cargo run --example hyper_client
//! ```
//!
//! The example needs no setup. The authorization server and the API run inside the program, on 127.0.0.1.

mod support;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy, rt::TokioExecutor};
use support::{Api, AuthServer, Settings, check};
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};
use tower_oauth2::{OAuth2Layer, client::Client, grant::ClientCredentials};

#[tokio::main]
pub(crate) async fn main() -> Result<(), BoxError> {
    let server = AuthServer::start(Settings::default()).await?;
    let api = Api::start(&server).await?;

    let grant = ClientCredentials::new(server.token_url(), Client::basic("example", "secret"))?;
    let mut client = ServiceBuilder::new()
        .layer(OAuth2Layer::new(grant).origin(api.origin())?)
        .service(legacy::Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>());

    let request = Request::get(api.url("/hello")).body(Full::default())?;
    let response = client.ready().await?.call(request).await?;

    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    println!("{status}: {}", String::from_utf8_lossy(&body));
    check(status == 200, "the API accepts the token")
}
