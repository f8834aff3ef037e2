//! gRPC over hyper's client, without a tonic `Channel`.
//!
//! ```text
//! cargo run --example tonic_hyper
//! ```
//!
//! hyper's client goes to any host, so it carries the gRPC calls and the token calls alike. Only the body is tonic's,
//! and `.token_body(…)` says how to make one for a token call. `http2_only` is for gRPC without TLS, where nothing is
//! negotiated; the authorization server must speak HTTP/2 then, too. If yours does not, see `tonic_channel.rs`.
//!
//! Nothing else is needed. The authorization server and the gRPC service run inside the program, on 127.0.0.1.

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
        let answer = health.check(HealthCheckRequest::default()).await?;
        let status = answer.get_ref().status();
        println!("call {call}: {status:?}");
        check(status == ServingStatus::Serving, "the service serves us")?;
    }
    println!("token calls: {}", server.token_calls());
    check(server.token_calls() == 1, "all calls shared one token")
}
