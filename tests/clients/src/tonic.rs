//! A tonic channel under the layer.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper_util::{client::legacy, rt::TokioExecutor};
use tonic::{
    Status,
    body::Body,
    transport::{Channel, Endpoint},
};
use tower::{BoxError, ServiceBuilder, util::BoxCloneSyncService};
use tower_oauth2::{OAuth2Layer, client::Client, grant::ClientCredentials, retry::RetryUnauthorized};

type Grpc = BoxCloneSyncService<Request<Body>, Response<Body>, Status>;

fn grpc_channel(token_url: &str, endpoints: &[String]) -> Result<Grpc, BoxError> {
    let endpoints = endpoints.iter().map(|url| Endpoint::from_shared(url.clone())).collect::<Result<Vec<_>, _>>()?;
    let channel = Channel::balance_list(endpoints.into_iter());
    // A channel is connected to its endpoints, so token requests need another client.
    let http = legacy::Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let grant = ClientCredentials::new(token_url, Client::basic("example", "secret"))?;
    let service = ServiceBuilder::new()
        // With a boxed error, the calls of a boxed service could not be spawned.
        .map_err(Status::from_error)
        .layer(RetryUnauthorized::new().buffered(64 * 1024).into_layer(Body::new))
        .layer(OAuth2Layer::new(grant).token_service(http).max_wait(Duration::from_secs(5)))
        .service(channel);
    Ok(BoxCloneSyncService::new(service))
}

mod tests {
    use std::time::Instant;

    use tonic::Code;
    use tonic_health::ServingStatus;
    use tonic_health::pb::{
        HealthCheckRequest, health_check_response::ServingStatus as Received, health_client::HealthClient,
    };
    use tonic_health::server::health_reporter;
    use tower_oauth2::{Error, ErrorKind};

    use super::*;
    use crate::errors::layer_error;
    use crate::protected_grpc::ProtectedGrpc;
    use crate::support::{AuthServer, Settings};

    async fn check(mut client: HealthClient<Grpc>) -> Result<Received, Status> {
        Ok(client.check(HealthCheckRequest::default()).await?.get_ref().status())
    }

    #[tokio::test]
    async fn calls_to_several_endpoints_share_one_token_and_are_repeated_after_a_rejection() {
        let server = AuthServer::start(Settings::default()).await.unwrap();
        let first = ProtectedGrpc::start(&server, health_reporter().1).await;
        let second = ProtectedGrpc::start(&server, health_reporter().1).await;
        let channel = grpc_channel(&server.token_url(), &[first.origin(), second.origin()]).unwrap();
        let client = HealthClient::new(channel);

        // So many that each endpoint gets one.
        let calls: Vec<_> = (0..64).map(|_| tokio::spawn(check(client.clone()))).collect();
        for call in calls {
            assert_eq!(call.await.unwrap().unwrap(), Received::Serving);
        }
        assert_eq!((server.token_requests(), first.accepted() + second.accepted()), (1, 64));
        assert!(first.accepted() > 0 && second.accepted() > 0);

        server.registry().revoke_access_tokens();
        assert_eq!(check(client).await.unwrap(), Received::Serving);
        assert_eq!((server.token_requests(), first.rejected() + second.rejected()), (2, 1));
    }

    #[tokio::test]
    async fn a_stream_is_repeated_if_it_was_rejected_before_its_first_message() {
        let server = AuthServer::start(Settings::default()).await.unwrap();
        let (reporter, health) = health_reporter();
        let api = ProtectedGrpc::start(&server, health).await;
        let mut client = HealthClient::new(grpc_channel(&server.token_url(), &[api.origin()]).unwrap());
        check(client.clone()).await.unwrap();

        server.registry().revoke_access_tokens();
        let mut stream = client.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
        assert_eq!(stream.message().await.unwrap().unwrap().status(), Received::Serving);
        reporter.set_service_status("", ServingStatus::NotServing).await;
        assert_eq!(stream.message().await.unwrap().unwrap().status(), Received::NotServing);
        assert_eq!((server.token_requests(), api.accepted(), api.rejected()), (2, 2, 1));
    }

    /// The channel applies the deadline, inside of the layer. `max_wait` limits the wait for the token.
    #[tokio::test]
    async fn the_deadline_of_a_call_does_not_limit_the_wait_for_the_token() {
        let (latency, deadline) = (Duration::from_millis(1500), Duration::from_secs(1));
        let server = AuthServer::start(Settings::default().latency(latency)).await.unwrap();
        let api = ProtectedGrpc::start(&server, health_reporter().1).await;
        let mut client = HealthClient::new(grpc_channel(&server.token_url(), &[api.origin()]).unwrap());
        let mut request = tonic::Request::new(HealthCheckRequest::default());
        request.set_timeout(deadline);
        let start = Instant::now();
        client.check(request).await.unwrap();
        assert!(start.elapsed() >= latency);
    }

    #[tokio::test]
    async fn the_error_of_the_layer_is_the_source_of_the_status() {
        let server = AuthServer::start(Settings::default().client("example", "another secret")).await.unwrap();
        let client = HealthClient::new(grpc_channel(&server.token_url(), &["http://127.0.0.1".into()]).unwrap());
        let status = check(client).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated);
        assert_eq!(layer_error(&status).map(Error::kind), Some(ErrorKind::ClientRejected));
    }
}
