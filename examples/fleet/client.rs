//! One client: a layer of its own, and so a token of its own.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::Full;
use tokio::{sync::watch, time::Instant};
use tower::{BoxError, Layer, Service, ServiceExt};
use tower_oauth2::{OAuth2, OAuth2Layer, Token, client, grant::ClientCredentials};

use super::{
    server::{API, LIFETIME, Server, TOKEN_URL},
    variant::Variant,
};

/// From one request of a client to its next.
pub(crate) const INTERVAL: Duration = Duration::from_secs(1);

/// A request that finds a young token reads it, and that is all. Most of those are left out: this is the longest pause.
const LEAP: Duration = Duration::from_secs(30 * 60);

pub(crate) struct Client {
    api: OAuth2<Server, ClientCredentials>,
    uri: Uri,
    changes: watch::Receiver<Option<Token>>,
    /// How long a token is too young to be renewed.
    youth: Duration,
    young_until: Instant,
}

impl Client {
    pub(crate) fn new(variant: &Variant, server: &Server) -> Result<Self, BoxError> {
        let grant = ClientCredentials::new(TOKEN_URL, client::Client::basic("example", "secret"))?;
        let layer = (variant.options)(OAuth2Layer::new(grant).origin(API)?)?;
        Ok(Self {
            changes: layer.tokens().changes(),
            api: layer.layer(server.clone()),
            uri: Uri::from_static(API),
            youth: LIFETIME - variant.earliest,
            young_until: Instant::now(),
        })
    }

    /// Sends a request. The API answers at once: what time it takes, it waits for a token.
    pub(crate) fn send(&self) -> impl Future<Output = Result<(), BoxError>> + Send + use<> {
        let (mut api, mut request) = (self.api.clone(), Request::new(Full::<Bytes>::default()));
        *request.uri_mut() = self.uri.clone();
        async move {
            match api.ready().await?.call(request).await?.status() {
                StatusCode::OK => Ok(()),
                refusal => Err(format!("the API answers {refusal}").into()),
            }
        }
    }

    /// How long after a request at `now` comes the next one that is not left out.
    pub(crate) fn pause(&mut self, now: Instant) -> Result<Duration, BoxError> {
        if self.changes.has_changed()? {
            self.changes.mark_unchanged();
            // It came since the request before, and the very first one within two intervals.
            self.young_until = now + self.youth - 2 * INTERVAL;
        }
        let pause = self.young_until.duration_since(now).min(LEAP);
        // Each client keeps its place within the second.
        Ok(Duration::from_secs(pause.as_secs()).max(INTERVAL))
    }
}
