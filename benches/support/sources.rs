//! Sources of tokens: this crate's layer with a token endpoint on loopback, and the peer crates.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;

use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tower::{BoxError, Layer, ServiceExt, service_fn};
use tower_oauth2::OAuth2Layer;
use tower_oauth2::client::Client as OAuthClient;
use tower_oauth2::grant::ClientCredentials;

use crate::{Body, no_op, request};

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Sends requests that need a token. Clones share one token cache, which is empty at first.
#[derive(Clone)]
pub struct Source {
    send: Arc<dyn Fn() -> Boxed<Result<(), BoxError>> + Send + Sync>,
}

impl Source {
    pub fn new<F, R>(send: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        Self { send: Arc::new(move || Box::pin(send())) }
    }

    pub async fn send(&self) -> Result<(), BoxError> {
        (self.send)().await
    }
}

/// A kind of source. Each measurement builds a new source inside a runtime.
pub struct Kind {
    pub name: &'static str,
    pub build: fn(token_url: &str) -> Source,
    /// How many seconds before its expiry a token is refreshed or counts as expired, if that cannot be configured.
    pub ahead: u64,
    /// Whether requests can be sent before there is a token.
    pub herd: bool,
}

pub const LAYER: Kind = Kind { name: "**tower-oauth2**", build: layer, ahead: 0, herd: true };

/// All kinds, including the peer crates.
pub fn all() -> Vec<Kind> {
    #[allow(unused_mut, reason = "only the peer crates add more")]
    let mut kinds = vec![LAYER];
    #[cfg(feature = "peers")]
    kinds.extend(crate::peers::sources());
    kinds
}

fn layer(token_url: &str) -> Source {
    let http = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let grant = ClientCredentials::new(token_url, OAuthClient::basic("id", "secret")).expect("a URL");
    let service = OAuth2Layer::new(grant).token_service(http).layer(service_fn(no_op::<Infallible>));
    Source::new(move || {
        let service = service.clone();
        async move { service.oneshot(request()).await.map(drop) }
    })
}
