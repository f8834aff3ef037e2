//! One client with its own layer, and so its own token.

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

/// The interval between two requests of a client.
pub(crate) const INTERVAL: Duration = Duration::from_secs(1);

/// The maximum pause between requests that only read a fresh token; most of them are left out.
const MAX_PAUSE: Duration = Duration::from_secs(30 * 60);

pub(crate) struct Client {
    api: OAuth2<Server, ClientCredentials>,
    uri: Uri,
    changes: watch::Receiver<Option<Token>>,
    /// How long after its issue a token cannot be refreshed yet.
    fresh_for: Duration,
    fresh_until: Instant,
}

impl Client {
    pub(crate) fn new(variant: &Variant, server: &Server) -> Result<Self, BoxError> {
        let grant = ClientCredentials::new(TOKEN_URL, client::Client::basic("example", "secret"))?;
        let layer = (variant.options)(OAuth2Layer::new(grant).origin(API)?)?;
        Ok(Self {
            changes: layer.tokens().changes(),
            api: layer.layer(server.clone()),
            uri: Uri::from_static(API),
            fresh_for: LIFETIME - variant.earliest,
            fresh_until: Instant::now(),
        })
    }

    /// Sends a request. The API responds at once, so any delay is a wait for a token.
    pub(crate) fn send(&self) -> impl Future<Output = Result<(), BoxError>> + Send + use<> {
        let (mut api, mut request) = (self.api.clone(), Request::new(Full::<Bytes>::default()));
        *request.uri_mut() = self.uri.clone();
        async move {
            match api.ready().await?.call(request).await?.status() {
                StatusCode::OK => Ok(()),
                status => Err(format!("the API responded with {status}").into()),
            }
        }
    }

    /// The pause after a request at `now` until the next one that is not left out.
    pub(crate) fn pause(&mut self, now: Instant) -> Result<Duration, BoxError> {
        if self.changes.has_changed()? {
            self.changes.mark_unchanged();
            // The token was issued after the previous request; the first token within two intervals.
            self.fresh_until = now + self.fresh_for - 2 * INTERVAL;
        }
        let pause = self.fresh_until.duration_since(now).min(MAX_PAUSE);
        // Whole seconds keep each client at its offset within the second.
        Ok(Duration::from_secs(pause.as_secs()).max(INTERVAL))
    }
}
