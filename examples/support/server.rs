use std::{
    collections::HashMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{Method, Request};
use hyper::body::Incoming;

use super::{
    answer::{Answer, not_found},
    listener::Listener,
    registry::Registry,
    token_endpoint,
};

/// An authorization server on a free port of 127.0.0.1, which stops when it is dropped.
pub(crate) struct AuthServer {
    listener: Listener,
    state: Arc<State>,
}

/// What the endpoints share.
pub(crate) struct State {
    pub(crate) settings: Settings,
    pub(crate) registry: Registry,
    pub(crate) token_calls: AtomicUsize,
}

impl AuthServer {
    pub(crate) async fn start(settings: Settings) -> io::Result<Self> {
        let state = Arc::new(State { settings, registry: Registry::default(), token_calls: AtomicUsize::new(0) });
        let shared = Arc::clone(&state);
        let listener = Listener::serve(move |request| route(Arc::clone(&shared), request)).await?;
        Ok(Self { listener, state })
    }

    pub(crate) fn token_url(&self) -> String {
        format!("{}/token", self.listener.origin())
    }

    /// How many requests have reached the token endpoint.
    pub(crate) fn token_calls(&self) -> usize {
        self.state.token_calls.load(Ordering::SeqCst)
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.state.registry
    }
}

async fn route(state: Arc<State>, request: Request<Incoming>) -> Answer {
    match (request.method(), request.uri().path()) {
        (&Method::POST, "/token") => token_endpoint::answer(&state, request).await,
        _ => not_found(),
    }
}

/// How the server behaves. The default knows the client `example` with the secret `secret`, answers at once, and gives
/// tokens that live for an hour.
#[derive(Clone)]
pub(crate) struct Settings {
    clients: HashMap<String, String>,
    pub(crate) lifetime: Duration,
    pub(crate) latency: Duration,
    pub(crate) refresh_tokens: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            clients: HashMap::from([("example".to_owned(), "secret".to_owned())]),
            lifetime: Duration::from_secs(3600),
            latency: Duration::ZERO,
            refresh_tokens: false,
        }
    }
}

impl Settings {
    /// One more client.
    pub(crate) fn client(mut self, id: &str, secret: &str) -> Self {
        self.clients.insert(id.to_owned(), secret.to_owned());
        self
    }

    /// How long an access token lives. `expires_in` counts whole seconds.
    pub(crate) fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// How long the token endpoint thinks before it answers.
    pub(crate) fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// Gives a refresh token with every access token. Each can be used once: its use brings a new one.
    pub(crate) fn refresh_tokens(mut self) -> Self {
        self.refresh_tokens = true;
        self
    }

    pub(crate) fn knows(&self, id: &str, secret: &str) -> bool {
        self.clients.get(id).is_some_and(|known| known == secret)
    }
}
