//! gRPC over a tonic `Channel`.
//!
//! ```text
//! cargo run --example tonic_channel
//! ```
//!
//! A channel always goes to one host, and that is not the authorization server: the token calls need an HTTP client of
//! their own, which `.token_service(…)` brings.
//!
//! Nothing else is needed. The authorization server and the gRPC service run inside the program, on 127.0.0.1.

mod support;

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::{client::legacy, rt::TokioExecutor};
use support::{AuthServer, Grpc, Settings, check};
use tonic::{Code, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tower::{BoxError, ServiceBuilder};
use tower_oauth2::{OAuth2Layer, client::Client, grant::ClientCredentials};

#[tokio::main]
pub(crate) async fn main() -> Result<(), BoxError> {
    let server = AuthServer::start(Settings::default()).await?;
    let grpc = Grpc::start(&server).await?;
    let channel = Channel::from_shared(grpc.url())?.connect().await?;

    let grant = ClientCredentials::new(server.token_url(), Client::basic("example", "secret"))?;
    let http = legacy::Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let service = ServiceBuilder::new().layer(OAuth2Layer::new(grant).token_service(http)).service(channel.clone());
    let mut health = HealthClient::new(service);

    let answer = health.check(HealthCheckRequest::default()).await?;
    let status = answer.get_ref().status();
    println!("with the layer:    {status:?}");
    check(status == ServingStatus::Serving, "the service serves us")?;

    let refusal = HealthClient::new(channel)
        .check(HealthCheckRequest::default())
        .await
        .err()
        .ok_or("the service let a call in without a token")?;
    let code = refusal.code();
    println!("without the layer: {code:?}");
    check(code == Code::Unauthenticated, "it lacks a token")
}
