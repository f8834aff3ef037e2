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
    assertions::Assertions,
    authorization_endpoint,
    codes::Codes,
    device_endpoint,
    devices::Devices,
    listener::Listener,
    metadata_endpoint,
    proofs::Proofs,
    push_endpoint,
    pushed_requests::PushedRequests,
    registration_endpoint::{self, Registrations},
    registry::{Login, Registry},
    response::{ServerResponse, not_found},
    revocation_endpoint,
    settings::Settings,
    token_endpoint,
};

/// An authorization server on a free port of 127.0.0.1. Dropping it stops it.
pub(crate) struct AuthServer {
    listener: Listener,
    state: Arc<State>,
}

/// The state that the endpoints share.
pub(crate) struct State {
    /// The issuer identifier (RFC 9207).
    pub(crate) issuer: String,
    pub(crate) settings: Settings,
    pub(crate) registry: Registry,
    pub(crate) registrations: Registrations,
    pub(crate) assertions: Assertions,
    pub(crate) codes: Codes,
    pub(crate) pushed_requests: PushedRequests,
    pub(crate) devices: Devices,
    /// With DPoP only.
    pub(crate) proofs: Option<Proofs>,
    pub(crate) token_requests: AtomicUsize,
    pub(crate) metadata_requests: AtomicUsize,
}

impl AuthServer {
    pub(crate) async fn start(settings: Settings) -> io::Result<Self> {
        let bound = Listener::bind().await?;
        let state = Arc::new(State {
            issuer: bound.origin(),
            proofs: settings.dpop.then(|| Proofs::new(bound.origin())),
            settings,
            registry: Registry::default(),
            registrations: Registrations::default(),
            assertions: Assertions::default(),
            codes: Codes::default(),
            pushed_requests: PushedRequests::default(),
            devices: Devices::default(),
            token_requests: AtomicUsize::new(0),
            metadata_requests: AtomicUsize::new(0),
        });
        let shared = Arc::clone(&state);
        let listener = bound.serve(move |request| route(Arc::clone(&shared), request));
        Ok(Self { listener, state })
    }

    /// The issuer identifier, from which clients discover the endpoints. It is the audience of assertions.
    pub(crate) fn issuer(&self) -> &str {
        &self.state.issuer
    }

    /// The keys of clients that sign, and of others whose assertions are accepted.
    pub(crate) fn assertions(&self) -> &Assertions {
        &self.state.assertions
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

    /// Whether the tokens are bound to keys.
    pub(crate) fn binds_tokens(&self) -> bool {
        self.state.proofs.is_some()
    }

    /// The number of requests to the token endpoint.
    pub(crate) fn token_requests(&self) -> usize {
        self.state.token_requests.load(Ordering::SeqCst)
    }

    /// The number of requests for the metadata.
    pub(crate) fn metadata_requests(&self) -> usize {
        self.state.metadata_requests.load(Ordering::SeqCst)
    }

    /// The number of clients that have registered themselves.
    pub(crate) fn registrations(&self) -> usize {
        self.state.registrations.count()
    }

    /// Starts a login outside the program, and returns its access token and its refresh token.
    pub(crate) fn log_in_elsewhere(&self, client: &str) -> (String, String) {
        self.issue_elsewhere(self.registry().start_login(), client)
    }

    /// As [`log_in_elsewhere`](Self::log_in_elsewhere), for a user with this name.
    pub(crate) fn log_in_user_elsewhere(&self, user: &str, client: &str) -> (String, String) {
        self.issue_elsewhere(self.registry().start_login_as(user), client)
    }

    fn issue_elsewhere(&self, login: Login, client: &str) -> (String, String) {
        let registry = self.registry();
        (registry.issue(login, self.state.settings.lifetime), registry.issue_refresh_token(login, client))
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.state.registry
    }
}

impl State {
    /// Whether there is such a client.
    pub(crate) fn knows(&self, client: &str) -> bool {
        self.settings.knows(client) || self.registrations.contains(client)
    }

    /// Whether the client has no secret.
    pub(crate) fn is_public(&self, client: &str) -> bool {
        self.settings.is_public(client) || self.registrations.contains(client)
    }
}

async fn route(state: Arc<State>, request: Request<Incoming>) -> ServerResponse {
    match (request.method(), request.uri().path()) {
        (&Method::POST, "/token") => token_endpoint::response(&state, request).await,
        (&Method::POST, "/revoke") => revocation_endpoint::response(&state, request).await,
        (&Method::GET, metadata_endpoint::PATH) => metadata_endpoint::response(&state),
        (&Method::POST, registration_endpoint::PATH) => registration_endpoint::response(&state, request).await,
        (&Method::POST, "/par") => push_endpoint::response(&state, request).await,
        (&Method::GET | &Method::POST, "/authorize") => authorization_endpoint::response(&state, request).await,
        (&Method::POST, "/device_authorization") => device_endpoint::authorize(&state, request).await,
        (&Method::GET | &Method::POST, "/device") => device_endpoint::verify(&state, request).await,
        _ => not_found(),
    }
}
