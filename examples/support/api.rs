use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use http::{Request, StatusCode, header::AUTHORIZATION};
use hyper::body::Incoming;
use serde_json::json;

use super::{
    listener::Listener,
    registry::Registry,
    response::{ServerResponse, challenge, json_response},
    server::AuthServer,
};

/// A protected HTTP API. It has its own port, so its origin differs from that of the authorization server.
pub(crate) struct Api {
    listener: Listener,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    accepted: AtomicUsize,
    rejected: AtomicUsize,
}

impl Api {
    pub(crate) async fn start(server: &AuthServer) -> io::Result<Self> {
        let counts = Arc::new(Counts::default());
        let (registry, counters) = (server.registry().clone(), Arc::clone(&counts));
        let handler = move |request| {
            let response = response(&registry, &counters, &request);
            async move { response }
        };
        let listener = Listener::serve(handler).await?;
        Ok(Self { listener, counts })
    }

    /// Scheme, host and port.
    pub(crate) fn origin(&self) -> String {
        self.listener.origin()
    }

    /// The URL of a path, which begins with a slash. Every path exists.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.listener.origin())
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

fn response(registry: &Registry, counts: &Counts, request: &Request<Incoming>) -> ServerResponse {
    let header = request.headers().get(AUTHORIZATION);
    let token_ok = registry.accepts_header(header.map(|value| value.as_bytes()));
    let body = json!({
        "method": request.method().as_str(),
        "path": request.uri().path(),
        "token_ok": token_ok,
    });
    if token_ok {
        counts.accepted.fetch_add(1, Ordering::SeqCst);
        json_response(StatusCode::OK, &body)
    } else {
        counts.rejected.fetch_add(1, Ordering::SeqCst);
        let mut response = json_response(StatusCode::UNAUTHORIZED, &body);
        challenge(&mut response, "Bearer error=\"invalid_token\"");
        response
    }
}
