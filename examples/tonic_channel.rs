//! gRPC over a tonic `Channel`.
//!
//! ```text
//! cargo run --example tonic_channel
//! ```
//!
//! A channel is connected to one host, which is not the authorization server. So the token requests are sent through another
//! HTTP client, which `.token_service(…)` sets.
//!
//! The example needs no setup. The authorization server and the gRPC service run inside the program, on 127.0.0.1.

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

    let response = health.check(HealthCheckRequest::default()).await?;
    let status = response.get_ref().status();
    println!("with the layer:    {status:?}");
    check(status == ServingStatus::Serving, "the service is serving")?;

    let rejection = HealthClient::new(channel)
        .check(HealthCheckRequest::default())
        .await
        .err()
        .ok_or("the service accepted a call without a token")?;
    let code = rejection.code();
    println!("without the layer: {code:?}");
    check(code == Code::Unauthenticated, "the service requires a token")
}
