use std::io;

use tonic::{Request, Status, service::interceptor::InterceptedService};
use tonic_health::server::health_reporter;
use tower::ServiceExt;

use super::{listener::Listener, registry::Registry, server::AuthServer};

/// The standard health service of gRPC, which requires a valid token here.
pub(crate) struct Grpc {
    listener: Listener,
}

impl Grpc {
    pub(crate) async fn start(server: &AuthServer) -> io::Result<Self> {
        let registry = server.registry().clone();
        let (_, health) = health_reporter();
        let service = InterceptedService::new(health, move |request| authorize(&registry, request));
        let handler = move |request| {
            let response = service.clone().oneshot(request);
            async move {
                match response.await {
                    Ok(response) => response,
                    Err(never) => match never {},
                }
            }
        };
        let listener = Listener::serve(handler).await?;
        Ok(Self { listener })
    }

    /// Scheme, host and port.
    pub(crate) fn url(&self) -> String {
        self.listener.origin()
    }
}

fn authorize(registry: &Registry, request: Request<()>) -> Result<Request<()>, Status> {
    let header = request.metadata().get("authorization");
    if registry.accepts_header(header.map(|value| value.as_bytes())) {
        Ok(request)
    } else {
        Err(Status::unauthenticated("the call needs a valid bearer token"))
    }
}
