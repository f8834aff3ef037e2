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
    answer::{Answer, challenge, json_answer},
    listener::Listener,
    registry::Registry,
    server::AuthServer,
};

/// A protected HTTP API, on a port of its own and so of another origin than the authorization server.
pub(crate) struct Api {
    listener: Listener,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    accepted: AtomicUsize,
    refused: AtomicUsize,
}

impl Api {
    pub(crate) async fn start(server: &AuthServer) -> io::Result<Self> {
        let counts = Arc::new(Counts::default());
        let (registry, counters) = (server.registry().clone(), Arc::clone(&counts));
        let handler = move |request| {
            let answer = answer(&registry, &counters, &request);
            async move { answer }
        };
        let listener = Listener::serve(handler).await?;
        Ok(Self { listener, counts })
    }

    /// Scheme, host and port.
    pub(crate) fn origin(&self) -> String {
        self.listener.origin()
    }

    /// The address of a path, which begins with a slash. Every path exists.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.listener.origin())
    }

    /// How many requests came with a good token.
    pub(crate) fn accepted(&self) -> usize {
        self.counts.accepted.load(Ordering::SeqCst)
    }

    /// How many came without one.
    pub(crate) fn refused(&self) -> usize {
        self.counts.refused.load(Ordering::SeqCst)
    }
}

fn answer(registry: &Registry, counts: &Counts, request: &Request<Incoming>) -> Answer {
    let header = request.headers().get(AUTHORIZATION);
    let token_ok = registry.accepts_header(header.map(|value| value.as_bytes()));
    let body = json!({
        "method": request.method().as_str(),
        "path": request.uri().path(),
        "token_ok": token_ok,
    });
    if token_ok {
        counts.accepted.fetch_add(1, Ordering::SeqCst);
        json_answer(StatusCode::OK, &body)
    } else {
        counts.refused.fetch_add(1, Ordering::SeqCst);
        let mut answer = json_answer(StatusCode::UNAUTHORIZED, &body);
        challenge(&mut answer, "Bearer error=\"invalid_token\"");
        answer
    }
}
