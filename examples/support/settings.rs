use std::{collections::HashMap, time::Duration};

/// How the server behaves. The default knows the client `example` with the secret `secret` and the public client `app`,
/// answers at once, and gives tokens that live for an hour.
#[derive(Clone)]
pub(crate) struct Settings {
    clients: HashMap<String, ClientKind>,
    redirect_uris: Vec<(String, String)>,
    pub(crate) lifetime: Duration,
    pub(crate) latency: Duration,
    pub(crate) refresh_tokens: bool,
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
            refresh_tokens: false,
            device_lifetime: Duration::from_secs(600),
            device_interval: Duration::from_secs(1),
        };
        settings.client("example", "secret").public_client("app")
    }
}

impl Settings {
    /// One more client.
    pub(crate) fn client(mut self, id: &str, secret: &str) -> Self {
        self.clients.insert(id.to_owned(), ClientKind::Confidential { secret: secret.to_owned() });
        self
    }

    /// One more client, of those that cannot keep a secret: an app on a person's machine.
    pub(crate) fn public_client(mut self, id: &str) -> Self {
        self.clients.insert(id.to_owned(), ClientKind::Public);
        self
    }

    /// One more address that the client may send a person back to. Loopback addresses need none.
    pub(crate) fn redirect_uri(mut self, client: &str, uri: &str) -> Self {
        self.redirect_uris.push((client.to_owned(), uri.to_owned()));
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

    /// How long a device code lives, and how long a device has to wait between two polls. Both count whole seconds.
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
