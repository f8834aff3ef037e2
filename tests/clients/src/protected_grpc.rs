//! A gRPC service that demands a valid token for each call.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::header::AUTHORIZATION;
use http::{Request, Response};
use hyper::body::Incoming;
use tonic::Status;
use tonic::body::Body;
use tower::{Service, ServiceExt};

use crate::support::{AuthServer, Listener, Registry};

/// A gRPC service on a free port of 127.0.0.1. A call without a valid token fails with `UNAUTHENTICATED`. Dropping it stops it.
pub(crate) struct ProtectedGrpc {
    listener: Listener,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    accepted: AtomicUsize,
    rejected: AtomicUsize,
}

impl ProtectedGrpc {
    /// Starts a service whose tokens this server issues.
    pub(crate) async fn start<S>(server: &AuthServer, service: S) -> Self
    where
        S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future: Send>,
        S: Clone + Send + 'static,
    {
        let (registry, counts) = (server.registry().clone(), Arc::new(Counts::default()));
        let counters = Arc::clone(&counts);
        let handler = move |request| respond(registry.clone(), Arc::clone(&counters), service.clone(), request);
        Self { listener: Listener::serve(handler).await.unwrap(), counts }
    }

    /// Scheme, host and port.
    pub(crate) fn origin(&self) -> String {
        self.listener.origin()
    }

    /// The number of calls with a valid token.
    pub(crate) fn accepted(&self) -> usize {
        self.counts.accepted.load(Ordering::SeqCst)
    }

    /// The number of calls without a valid token.
    pub(crate) fn rejected(&self) -> usize {
        self.counts.rejected.load(Ordering::SeqCst)
    }
}

async fn respond<S>(registry: Registry, counts: Arc<Counts>, service: S, request: Request<Incoming>) -> Response<Body>
where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible>,
{
    let header = request.headers().get(AUTHORIZATION);
    if !registry.accepts_header(header.map(|value| value.as_bytes())) {
        counts.rejected.fetch_add(1, Ordering::SeqCst);
        return Status::unauthenticated("the call needs a valid token").into_http();
    }
    counts.accepted.fetch_add(1, Ordering::SeqCst);
    service.oneshot(request).await.unwrap_or_else(|never| match never {})
}
