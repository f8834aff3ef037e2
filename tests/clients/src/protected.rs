//! An API that demands a valid token for each request.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{Request, StatusCode};
use hyper::body::Incoming;
use tower::ServiceExt;

use crate::support::{AuthServer, Listener, Registry};

/// An API on a free port of 127.0.0.1. It responds with 401 to a request without a valid token. Dropping it stops it.
pub(crate) struct ProtectedApi {
    listener: Listener,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    accepted: AtomicUsize,
    rejected: AtomicUsize,
}

impl ProtectedApi {
    /// Starts an API whose tokens this server issues.
    pub(crate) async fn start(server: &AuthServer, router: Router) -> Self {
        let (registry, counts) = (server.registry().clone(), Arc::new(Counts::default()));
        let counters = Arc::clone(&counts);
        let handler = move |request| respond(registry.clone(), Arc::clone(&counters), router.clone(), request);
        Self { listener: Listener::serve(handler).await.unwrap(), counts }
    }

    /// Scheme, host and port.
    pub(crate) fn origin(&self) -> String {
        self.listener.origin()
    }

    /// The number of requests with a valid token.
    pub(crate) fn accepted(&self) -> usize {
        self.counts.accepted.load(Ordering::SeqCst)
    }

    /// The number of requests without a valid token.
    pub(crate) fn rejected(&self) -> usize {
        self.counts.rejected.load(Ordering::SeqCst)
    }
}

async fn respond(registry: Registry, counts: Arc<Counts>, router: Router, request: Request<Incoming>) -> Response {
    let header = request.headers().get(AUTHORIZATION);
    if !registry.accepts_header(header.map(|value| value.as_bytes())) {
        counts.rejected.fetch_add(1, Ordering::SeqCst);
        return (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"")]).into_response();
    }
    counts.accepted.fetch_add(1, Ordering::SeqCst);
    router.oneshot(request.map(Body::new)).await.unwrap_or_else(|never: Infallible| match never {})
}
