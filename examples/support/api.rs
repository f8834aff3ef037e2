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
    proofs::{ProofError, Proofs},
    registry::Registry,
    requirements::Requirements,
    response::{ServerResponse, challenge, json_response},
    server::AuthServer,
};

/// A protected HTTP API, which repeats the request and the user of its token. It has its own port, so its origin differs from that of the authorization server.
pub(crate) struct Api {
    listener: Listener,
    counts: Arc<Counts>,
    /// With DPoP only.
    proofs: Option<Arc<Proofs>>,
}

#[derive(Default)]
struct Counts {
    accepted: AtomicUsize,
    rejected: AtomicUsize,
    challenged: AtomicUsize,
}

impl Api {
    pub(crate) async fn start(server: &AuthServer) -> io::Result<Self> {
        Self::start_with(server, Requirements::default()).await
    }

    /// Starts an API whose paths demand more than a valid token.
    pub(crate) async fn start_with(server: &AuthServer, requirements: Requirements) -> io::Result<Self> {
        let bound = Listener::bind().await?;
        let proofs = server.binds_tokens().then(|| Arc::new(Proofs::new(bound.origin())));
        let counts = Arc::new(Counts::default());
        let (registry, counters, verifier) = (server.registry().clone(), Arc::clone(&counts), proofs.clone());
        let handler = move |request| {
            let response = response(&registry, verifier.as_deref(), &requirements, &counters, &request);
            async move { response }
        };
        Ok(Self { listener: bound.serve(handler), counts, proofs })
    }

    /// Demands another nonce in each DPoP proof from now on.
    pub(crate) fn change_nonce(&self) {
        if let Some(proofs) = &self.proofs {
            proofs.change_nonce();
        }
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

    /// The number of requests with a valid token that was not sufficient.
    pub(crate) fn challenged(&self) -> usize {
        self.counts.challenged.load(Ordering::SeqCst)
    }

    /// The number of requests without a valid token.
    pub(crate) fn rejected(&self) -> usize {
        self.counts.rejected.load(Ordering::SeqCst)
    }
}

fn response(
    registry: &Registry,
    proofs: Option<&Proofs>,
    requirements: &Requirements,
    counts: &Counts,
    request: &Request<Incoming>,
) -> ServerResponse {
    let outcome = authorize(registry, proofs, request);
    if outcome.is_ok()
        && let Some(response) = requirements.check(registry, request)
    {
        counts.challenged.fetch_add(1, Ordering::SeqCst);
        return response;
    }
    let token_ok = outcome.is_ok();
    let mut body = json!({
        "method": request.method().as_str(),
        "path": request.uri().path(),
        "token_ok": token_ok,
    });
    if let Some(user) = bearer_token(request).and_then(|token| registry.user_of(token)) {
        body["user"] = user.into();
    }
    let mut response = match outcome {
        Ok(()) => {
            counts.accepted.fetch_add(1, Ordering::SeqCst);
            json_response(StatusCode::OK, &body)
        }
        Err(reason) => {
            counts.rejected.fetch_add(1, Ordering::SeqCst);
            let mut response = json_response(StatusCode::UNAUTHORIZED, &body);
            challenge(&mut response, reason);
            response
        }
    };
    if let Some(proofs) = proofs {
        proofs.add_nonce(&mut response);
    }
    response
}

fn bearer_token(request: &Request<Incoming>) -> Option<&str> {
    request.headers().get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

/// Checks the token of a request, and with DPoP its proof (RFC 9449 §7.1). The error is a challenge.
fn authorize(registry: &Registry, proofs: Option<&Proofs>, request: &Request<Incoming>) -> Result<(), &'static str> {
    let header = request.headers().get(AUTHORIZATION);
    let Some(proofs) = proofs else {
        let is_accepted = registry.accepts_header(header.map(|value| value.as_bytes()));
        return if is_accepted { Ok(()) } else { Err("Bearer error=\"invalid_token\"") };
    };
    let token = header.and_then(|value| value.to_str().ok()?.strip_prefix("DPoP "));
    let token = token.filter(|token| registry.accepts(token)).ok_or(INVALID_TOKEN)?;
    let (method, path) = (request.method(), request.uri().path());
    let thumbprint = proofs.verify(method, path, request.headers(), Some(token)).map_err(ProofError::challenge)?;
    if registry.thumbprint_of(token) == Some(thumbprint) { Ok(()) } else { Err(INVALID_TOKEN) }
}

const INVALID_TOKEN: &str = "DPoP error=\"invalid_token\", algs=\"ES256\"";
