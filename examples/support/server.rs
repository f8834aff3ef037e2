use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use http::{Method, Request};
use hyper::body::Incoming;

use super::{
    answer::{Answer, not_found},
    authorization_endpoint,
    codes::Codes,
    device_endpoint,
    devices::Devices,
    listener::Listener,
    registry::Registry,
    revocation_endpoint,
    settings::Settings,
    token_endpoint,
};

/// An authorization server on a free port of 127.0.0.1, which stops when it is dropped.
pub(crate) struct AuthServer {
    listener: Listener,
    state: Arc<State>,
}

/// What the endpoints share.
pub(crate) struct State {
    /// The server's own address, by which clients tell it from others (RFC 9207).
    pub(crate) issuer: String,
    pub(crate) settings: Settings,
    pub(crate) registry: Registry,
    pub(crate) codes: Codes,
    pub(crate) devices: Devices,
    pub(crate) token_calls: AtomicUsize,
}

impl AuthServer {
    pub(crate) async fn start(settings: Settings) -> io::Result<Self> {
        let bound = Listener::bind().await?;
        let state = Arc::new(State {
            issuer: bound.origin(),
            settings,
            registry: Registry::default(),
            codes: Codes::default(),
            devices: Devices::default(),
            token_calls: AtomicUsize::new(0),
        });
        let shared = Arc::clone(&state);
        let listener = bound.serve(move |request| route(Arc::clone(&shared), request));
        Ok(Self { listener, state })
    }

    pub(crate) fn token_url(&self) -> String {
        self.url("/token")
    }

    pub(crate) fn authorization_url(&self) -> String {
        self.url("/authorize")
    }

    pub(crate) fn device_authorization_url(&self) -> String {
        self.url("/device_authorization")
    }

    pub(crate) fn revocation_url(&self) -> String {
        self.url("/revoke")
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.listener.origin())
    }

    /// How many requests have reached the token endpoint.
    pub(crate) fn token_calls(&self) -> usize {
        self.state.token_calls.load(Ordering::SeqCst)
    }

    /// A login that happened somewhere else: its access token and its refresh token.
    pub(crate) fn log_in_elsewhere(&self, client: &str) -> (String, String) {
        let registry = self.registry();
        let login = registry.begin_login();
        (registry.issue(login, self.state.settings.lifetime), registry.issue_refresh(login, client))
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.state.registry
    }
}

async fn route(state: Arc<State>, request: Request<Incoming>) -> Answer {
    match (request.method(), request.uri().path()) {
        (&Method::POST, "/token") => token_endpoint::answer(&state, request).await,
        (&Method::POST, "/revoke") => revocation_endpoint::answer(&state, request).await,
        (&Method::GET | &Method::POST, "/authorize") => authorization_endpoint::answer(&state, request).await,
        (&Method::POST, "/device_authorization") => device_endpoint::authorize(&state, request).await,
        (&Method::GET | &Method::POST, "/device") => device_endpoint::verify(&state, request).await,
        _ => not_found(),
    }
}
