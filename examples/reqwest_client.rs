//! The layer over reqwest, with the crate `tower-reqwest`.
//!
//! ```text
//! cargo run --example reqwest_client
//! ```
//!
//! The example needs no setup. The authorization server and the API run inside the program, on 127.0.0.1.

mod support;

use http::Request;
use http_body_util::BodyExt;
use reqwest::{Body, redirect};
use support::{Api, AuthServer, Settings, check};
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};
use tower_oauth2::{OAuth2Layer, client::Client, grant::ClientCredentials};
use tower_reqwest::HttpClientLayer;

#[tokio::main]
pub(crate) async fn main() -> Result<(), BoxError> {
    let server = AuthServer::start(Settings::default()).await?;
    let api = Api::start(&server).await?;

    // By default, reqwest would follow redirects of the token endpoint, and send the client secret to another host. To follow
    // redirects of the API, place tower-http's `FollowRedirect` outside of the OAuth layer.
    let reqwest = reqwest::Client::builder().redirect(redirect::Policy::none()).build()?;

    let grant = ClientCredentials::new(server.token_url(), Client::basic("example", "secret"))?;
    let mut client = ServiceBuilder::new()
        .layer(OAuth2Layer::new(grant).origin(api.origin())?)
        .layer(HttpClientLayer)
        .service(reqwest);

    let request = Request::post(api.url("/orders")).body(Body::from("one apple"))?;
    let response = client.ready().await?.call(request).await?;

    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    println!("{status}: {}", String::from_utf8_lossy(&body));
    check(status == 200, "the API accepts the token")
}
