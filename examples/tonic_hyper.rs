//! gRPC over hyper's client, without a tonic `Channel`.
//!
//! ```text
//! cargo run --example tonic_hyper
//! ```
//!
//! hyper's client connects to any host, so it sends both the gRPC calls and the token requests. `.token_body(…)` converts the
//! body of a token request to tonic's. `http2_only` is needed for gRPC without TLS, because HTTP/2 is not negotiated there. Then the
//! authorization server must support HTTP/2, too. If yours does not, see `tonic_channel.rs`.
//!
//! The example needs no setup. The authorization server and the gRPC service run inside the program, on 127.0.0.1.

mod support;

use hyper_util::{client::legacy, rt::TokioExecutor};
use support::{AuthServer, Grpc, Settings, check};
use tonic::body::Body;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tower::{BoxError, ServiceBuilder};
use tower_oauth2::{OAuth2Layer, client::Client, grant::ClientCredentials};

#[tokio::main]
pub(crate) async fn main() -> Result<(), BoxError> {
    let server = AuthServer::start(Settings::default()).await?;
    let grpc = Grpc::start(&server).await?;

    let grant = ClientCredentials::new(server.token_url(), Client::basic("example", "secret"))?;
    let layer = OAuth2Layer::new(grant).token_body(Body::new).origin(grpc.url())?;
    let http = legacy::Client::builder(TokioExecutor::new()).http2_only(true).build_http::<Body>();
    let service = ServiceBuilder::new().layer(layer).service(http);
    let mut health = HealthClient::with_origin(service, grpc.url().parse()?);

    for call in 1..=3 {
        let response = health.check(HealthCheckRequest::default()).await?;
        let status = response.get_ref().status();
        println!("call {call}: {status:?}");
        check(status == ServingStatus::Serving, "the service is serving")?;
    }
    println!("token requests: {}", server.token_requests());
    check(server.token_requests() == 1, "all calls shared one token")
}
