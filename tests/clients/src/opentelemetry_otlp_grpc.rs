//! An OTLP exporter over gRPC, with an interceptor.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::{client::legacy, rt::TokioExecutor};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithTonicConfig};
use tokio::runtime::Handle;
use tonic::Status;
use tower::BoxError;
use tower_oauth2::{OAuth2Layer, Tokens, client::Client, grant::ClientCredentials};

fn otlp_tokens(token_url: &str, collector_url: &str) -> Result<Tokens, BoxError> {
    let http = legacy::Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let grant = ClientCredentials::new(token_url, Client::basic("example", "secret"))?;
    Ok(OAuth2Layer::new(grant).token_service(http).origin(collector_url)?.tokens())
}

fn otlp_grpc_exporter(tokens: Tokens, collector_url: &str) -> Result<SpanExporter, BoxError> {
    let runtime = Handle::current();
    let url: http::Uri = collector_url.parse()?;
    let authorize = move |mut call: tonic::Request<()>| {
        let mut request = Request::new(());
        *request.uri_mut() = url.clone();
        // The batch processor calls this function on its own thread, which may wait.
        runtime.block_on(tokens.authorize(&mut request)).map_err(|error| Status::from_error(error.into()))?;
        call.metadata_mut().as_mut().extend(std::mem::take(request.headers_mut()));
        Ok(call)
    };
    Ok(SpanExporter::builder().with_tonic().with_endpoint(collector_url).with_interceptor(authorize).build()?)
}

mod tests {
    use opentelemetry::trace::{Tracer, TracerProvider};
    use opentelemetry_proto::tonic::collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    };
    use opentelemetry_sdk::error::OTelSdkResult;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tonic::Response;

    use super::*;
    use crate::protected_grpc::ProtectedGrpc;
    use crate::support::{AuthServer, Settings};

    struct Collector;

    #[tonic::async_trait]
    impl TraceService for Collector {
        async fn export(
            &self,
            request: tonic::Request<ExportTraceServiceRequest>,
        ) -> Result<Response<ExportTraceServiceResponse>, Status> {
            assert_eq!(request.get_ref().resource_spans[0].scope_spans[0].spans[0].name, "one span");
            Ok(Response::new(ExportTraceServiceResponse::default()))
        }
    }

    /// Records a span, and waits until it is exported.
    async fn record(provider: SdkTracerProvider) -> OTelSdkResult {
        provider.tracer("test").in_span("one span", |_| {});
        tokio::task::spawn_blocking(move || provider.force_flush()).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn exports_share_one_token_and_a_rejected_one_is_lost() {
        let server = AuthServer::start(Settings::default()).await.unwrap();
        let collector = ProtectedGrpc::start(&server, TraceServiceServer::new(Collector)).await;
        let tokens = otlp_tokens(&server.token_url(), &collector.origin()).unwrap();
        let provider = || {
            let exporter = otlp_grpc_exporter(tokens.clone(), &collector.origin()).unwrap();
            SdkTracerProvider::builder().with_batch_exporter(exporter).build()
        };

        let providers: [_; 8] = std::array::from_fn(|_| provider());
        let exports: Vec<_> = providers.iter().map(|provider| tokio::spawn(record(provider.clone()))).collect();
        for export in exports {
            export.await.unwrap().unwrap();
        }
        assert_eq!((server.token_requests(), collector.accepted(), collector.rejected()), (1, 8, 0));

        // The exporter does not repeat the call, and the layer does not see its response.
        server.registry().revoke_access_tokens();
        record(providers[0].clone()).await.unwrap_err();
        assert_eq!((server.token_requests(), collector.rejected()), (1, 1));
        tokens.refresh().await.unwrap();
        record(providers[0].clone()).await.unwrap();
        assert_eq!((server.token_requests(), collector.accepted()), (2, 9));
    }
}
