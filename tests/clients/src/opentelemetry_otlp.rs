//! An OTLP exporter over HTTP, whose client is the layer's service.

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::{client::legacy, rt::TokioExecutor};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use tokio::runtime::Handle;
use tower::{BoxError, ServiceBuilder, ServiceExt, retry::RetryLayer, util::BoxCloneSyncService};
use tower_oauth2::{OAuth2Layer, client::Client, grant::ClientCredentials, retry::RetryUnauthorized};

#[derive(Clone, Debug)]
struct OtlpClient {
    service: BoxCloneSyncService<Request<Full<Bytes>>, Response<Incoming>, BoxError>,
    /// The batch processor has its own thread without a runtime.
    runtime: Handle,
}

#[async_trait]
impl HttpClient for OtlpClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let response = self.service.clone().oneshot(request.map(Full::new));
        let response = async {
            let (head, body) = response.await?.into_parts();
            Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
        };
        self.runtime.spawn(response).await?
    }
}

fn otlp_client(token_url: &str, collector_url: &str) -> Result<OtlpClient, BoxError> {
    let grant = ClientCredentials::new(token_url, Client::basic("example", "secret"))?;
    let service = ServiceBuilder::new()
        .layer(RetryLayer::new(RetryUnauthorized::new().buffered(1024 * 1024)))
        .layer(OAuth2Layer::new(grant).origin(collector_url)?)
        .service(legacy::Client::builder(TokioExecutor::new()).build_http());
    Ok(OtlpClient { service: BoxCloneSyncService::new(service), runtime: Handle::current() })
}

fn otlp_exporter(client: OtlpClient, collector_url: &str) -> Result<SpanExporter, BoxError> {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{collector_url}/v1/traces"))
        .with_http_client(client)
        .build()?;
    Ok(exporter)
}

mod tests {
    use axum::{Router, body::Bytes as Batch, routing};
    use opentelemetry::trace::{Tracer, TracerProvider};
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tokio::sync::mpsc;

    use super::*;
    use crate::protected::ProtectedApi;
    use crate::support::{AuthServer, Settings};

    /// Records a span, and waits until it is exported.
    async fn record(provider: SdkTracerProvider) {
        provider.tracer("test").in_span("one span", |_| {});
        tokio::task::spawn_blocking(move || provider.force_flush()).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn exports_share_one_token_and_are_repeated_after_a_rejection() {
        let server = AuthServer::start(Settings::default()).await.unwrap();
        let (sender, mut batches) = mpsc::unbounded_channel();
        let collect = move |batch: Batch| async move { sender.send(batch).unwrap() };
        let collector = ProtectedApi::start(&server, Router::new().route("/v1/traces", routing::post(collect))).await;
        let client = otlp_client(&server.token_url(), &collector.origin()).unwrap();
        let provider = || {
            let exporter = otlp_exporter(client.clone(), &collector.origin()).unwrap();
            SdkTracerProvider::builder().with_batch_exporter(exporter).build()
        };

        let providers: [_; 8] = std::array::from_fn(|_| provider());
        let exports: Vec<_> = providers.iter().map(|provider| tokio::spawn(record(provider.clone()))).collect();
        for export in exports {
            export.await.unwrap();
        }
        assert_eq!((server.token_requests(), collector.accepted(), collector.rejected()), (1, 8, 0));

        server.registry().revoke_access_tokens();
        record(providers[0].clone()).await;
        assert_eq!((server.token_requests(), collector.accepted(), collector.rejected()), (2, 9, 1));
        while let Ok(batch) = batches.try_recv() {
            assert!(batch.windows(8).any(|name| name == b"one span"), "{batch:?}");
        }
    }
}
