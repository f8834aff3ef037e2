//! reqwest as the HTTP client, through the crate `tower-reqwest`.
//!
//! ```text
//! cargo run --example reqwest_client
//! ```
//!
//! Nothing else is needed. The authorization server and the API run inside the program, on 127.0.0.1.

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

    // reqwest would follow a redirect of the token endpoint and post the client's secret once more, to wherever it
    // leads. Where the API redirects, tower-http's `FollowRedirect` outside of the OAuth layer does it safely.
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
