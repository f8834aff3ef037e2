use std::{collections::HashMap, time::Duration};

/// The settings of the server. By default it has the client `example` with the secret `secret` and the public client `app`,
/// responds at once, and issues tokens with a lifetime of one hour.
#[derive(Clone)]
pub(crate) struct Settings {
    clients: HashMap<String, ClientKind>,
    redirect_uris: Vec<(String, String)>,
    pub(crate) lifetime: Duration,
    pub(crate) latency: Duration,
    pub(crate) user_latencies: HashMap<String, Duration>,
    pub(crate) refresh_tokens: bool,
    pub(crate) requires_pushed_requests: bool,
    pub(crate) dpop: bool,
    pub(crate) device_lifetime: Duration,
    pub(crate) device_interval: Duration,
}

#[derive(Clone, PartialEq, Eq)]
enum ClientKind {
    Confidential { secret: String },
    Public,
}

impl Default for Settings {
    fn default() -> Self {
        let settings = Self {
            clients: HashMap::new(),
            redirect_uris: Vec::new(),
            lifetime: Duration::from_secs(3600),
            latency: Duration::ZERO,
            user_latencies: HashMap::new(),
            refresh_tokens: false,
            requires_pushed_requests: false,
            dpop: false,
            device_lifetime: Duration::from_secs(600),
            device_interval: Duration::from_secs(1),
        };
        settings.client("example", "secret").public_client("app")
    }
}

impl Settings {
    /// Adds a client.
    pub(crate) fn client(mut self, id: &str, secret: &str) -> Self {
        self.clients.insert(id.to_owned(), ClientKind::Confidential { secret: secret.to_owned() });
        self
    }

    /// Adds a public client (RFC 6749 §2.1): an app that cannot keep a secret.
    pub(crate) fn public_client(mut self, id: &str) -> Self {
        self.clients.insert(id.to_owned(), ClientKind::Public);
        self
    }

    /// Adds a redirect URI of a client. Loopback URIs need none.
    pub(crate) fn redirect_uri(mut self, client: &str, uri: &str) -> Self {
        self.redirect_uris.push((client.to_owned(), uri.to_owned()));
        self
    }

    /// Sets the lifetime of access tokens. `expires_in` has whole seconds.
    pub(crate) fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Sets the latency of the token endpoint.
    pub(crate) fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// Sets a latency of the token endpoint for the refresh tokens of one user.
    pub(crate) fn latency_for(mut self, user: &str, latency: Duration) -> Self {
        self.user_latencies.insert(user.to_owned(), latency);
        self
    }

    /// Issues a refresh token with every access token. Each can be used once.
    pub(crate) fn refresh_tokens(mut self) -> Self {
        self.refresh_tokens = true;
        self
    }

    /// Rejects authorization requests that are not pushed (RFC 9126 §5).
    pub(crate) fn require_pushed_requests(mut self) -> Self {
        self.requires_pushed_requests = true;
        self
    }

    /// Binds each token to the key of a proof, and demands nonces, at both servers (RFC 9449).
    pub(crate) fn dpop(mut self) -> Self {
        self.dpop = true;
        self
    }

    /// Sets the lifetime of device codes and the interval of polls. Both have whole seconds.
    pub(crate) fn device(mut self, lifetime: Duration, interval: Duration) -> Self {
        (self.device_lifetime, self.device_interval) = (lifetime, interval);
        self
    }

    pub(crate) fn knows(&self, id: &str) -> bool {
        self.clients.contains_key(id)
    }

    pub(crate) fn knows_secret(&self, id: &str, secret: &str) -> bool {
        self.clients.get(id).is_some_and(|kind| *kind == ClientKind::Confidential { secret: secret.to_owned() })
    }

    pub(crate) fn is_public(&self, id: &str) -> bool {
        self.clients.get(id).is_some_and(|kind| *kind == ClientKind::Public)
    }

    pub(crate) fn has_registered(&self, client: &str, redirect_uri: &str) -> bool {
        self.redirect_uris.iter().any(|(id, uri)| id == client && uri == redirect_uri)
    }
}
